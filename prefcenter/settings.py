"""Settings, read once from an environ mapping into one frozen object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

HOME_VARIABLE = "PREFCENTER_HOME"
STORE_VARIABLE = "PREFCENTER_STORE"
VARIABLES = (HOME_VARIABLE, STORE_VARIABLE)
"""Every variable that is read; docs/settings.md names each."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a home is, and its store. A store URL may carry a password, so it is never printed."""

    home: Path
    store_url: str

    @property
    def keyring(self) -> Path:
        return self.home / "keyring.json"

    @property
    def policies(self) -> Path:
        return self.home / "policies"

    @property
    def checkpoint(self) -> Path:
        return self.home / "checkpoint.json"

    def moved_to(self, home: Path) -> Settings:
        """The same settings for a home in another place; a store outside of the home stays where it is."""
        store_url = _store_url(home) if self.store_url == _store_url(self.home) else self.store_url
        return Settings(home, store_url)

    def __repr__(self) -> str:
        return f"Settings(home={self.home.name!r}, store_url=***)"


def read_settings(environ: Mapping[str, str], home: Path | None = None) -> Settings:
    """Settings from variables; a home given on the command line wins over PREFCENTER_HOME."""
    chosen = home or Path(environ.get(HOME_VARIABLE) or _default_home(environ))
    chosen = chosen.expanduser().absolute()
    return Settings(chosen, environ.get(STORE_VARIABLE) or _store_url(chosen))


def _store_url(home: Path) -> str:
    return f"sqlite://{quote(str(home / 'store.sqlite3'))}"


def _default_home(environ: Mapping[str, str]) -> Path:
    data_home = environ.get("XDG_DATA_HOME") or Path(environ.get("HOME") or "~") / ".local" / "share"
    return Path(data_home) / "prefcenter"
