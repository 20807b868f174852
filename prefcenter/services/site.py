"""Where people reach this service, and whether it can write to them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Site:
    """`base_url` has no slash at its end, and `is_named` where a setting says it.

    `sends_mail`: a mail host is set up, so that letters go out.
    """

    base_url: str = "http://127.0.0.1:8080"
    sends_mail: bool = False
    is_named: bool = False

    @property
    def host(self) -> str:
        """The host name of the base URL; of an address of this machine, `localhost`."""
        host = urlsplit(self.base_url).hostname or ""
        return host if any(map(str.isalpha, host)) and ":" not in host else "localhost"

    def unsubscribe_url(self, token: str) -> str:
        return f"{self.base_url}/u/{token}"

    def page_url(self, token: str) -> str:
        return f"{self.base_url}/p/{token}"

    def confirm_url(self, token: str) -> str:
        return f"{self.base_url}/c/{token}"
