"""The texts that people read before they consent, each a file that never changes (OCC-15).

What stands on record with a consent is its name and version, with the language that it was shown in.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

PAGE_WORDING = "preference-page"
PAGE_WORDING_VERSION = 1


@dataclass(frozen=True, slots=True)
class Wording:
    """`id` is what is recorded, such as `preference-page.de@1`."""

    id: str
    text: str


@cache
def page_wording(language: str) -> Wording:
    """What the preference page says about switching on; its `{name}` is the controller's."""
    file = files("prefcenter.web") / "wordings" / f"{PAGE_WORDING}@{PAGE_WORDING_VERSION}.toml"
    texts = tomllib.loads(file.read_text(encoding="utf-8"))
    return Wording(f"{PAGE_WORDING}.{language}@{PAGE_WORDING_VERSION}", texts[language])
