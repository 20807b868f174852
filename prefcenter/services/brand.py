"""How a controller's pages look and speak: its own name, logo and colour, and the labels in other languages.

All of it stands in the policy's table `[brand]`, so that it is versioned with what it labels; no decision reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prefcenter.domain.policy import Policy
from prefcenter.services.policy_document import LoadedPolicy

CONTRAST_MIN = 4.5
"""WCAG 2.2, success criterion 1.4.3: text against its background."""

LIGHT_GROUND = "#ffffff"
DARK_GROUND = "#1b1e24"
"""What a colour is written on, and writes on, in light and in dark; the stylesheet has the same two."""

_STEPS = 20


@dataclass(frozen=True, slots=True)
class Brand:
    """`labels` are by language and id. `colour` stands on light ground; None: that of the stylesheet."""

    name: str
    colour: str | None = None
    logo: str | None = None
    language: str = "en"
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    controller: str = ""
    contact: str | None = None
    authority: str | None = None
    authority_url: str | None = None

    @property
    def dark_colour(self) -> str | None:
        """The colour, lightened as far as it takes to be read on dark ground."""
        return None if self.colour is None else lightened(self.colour)

    def label(self, of_id: str, text: str, language: str) -> tuple[str, str]:
        """What a purpose or data use is called in a language, and the language that it really is in."""
        translated = self.labels.get(language, {}).get(of_id)
        return (text, self.language) if translated is None else (translated, language)


def brand_of(policy: Policy) -> Brand:
    """The brand of a policy; one that says nothing has its controller's name."""
    tables = policy.tables if isinstance(policy, LoadedPolicy) else {}
    said, rights = tables.get("brand", {}), tables.get("rights", {})
    return Brand(
        name=said.get("name", policy.name),
        colour=said.get("colour"),
        logo=said.get("logo"),
        language=said.get("language", "en"),
        labels=said.get("labels", {}),
        controller=policy.controller,
        contact=said.get("contact"),
        authority=_text(rights.get("authority")),
        authority_url=said.get("authority_url"),
    )


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours `#rrggbb`, from 1 to 21 (WCAG 2.2, relative luminance)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def lightened(colour: str) -> str:
    """The colour mixed with white in the smallest step that is legible on dark ground."""
    mixed = (_mixed(colour, step / _STEPS) for step in range(_STEPS + 1))
    return next(one for one in mixed if contrast(one, DARK_GROUND) >= CONTRAST_MIN)


def _mixed(colour: str, white: float) -> str:
    return "#" + "".join(f"{round(part + (255 - part) * white):02x}" for part in _parts(colour))


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(part / 255) for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _parts(colour: str) -> bytes:
    return bytes.fromhex(colour[1:])


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
