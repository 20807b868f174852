"""The report: a manifest for people to read, as one HTML page that needs nothing else and names nobody (CC1-12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from jobs.scrub.manifest import Manifest
from jobs.scrub.tally import EMPTY_ADDRESS, RAGGED_ROW
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import Reason

TEMPLATE = "report.html.jinja"
BAR_WIDTH = 320

REASONS_IN_WORDS: Mapping[str, str] = {
    Reason.PERMITTED: "May be contacted",
    Reason.INVALID_ADDRESS: "The address cannot be read",
    EMPTY_ADDRESS: "The row holds no address",
    RAGGED_ROW: "The row has more or fewer cells than the list has columns",
    Reason.UNKNOWN_PURPOSE: "The policy has no such purpose",
    Reason.CHANNEL_NOT_OFFERED: "The policy does not offer this channel",
    Reason.AUDIENCE_NOT_COVERED: "The purpose does not cover this audience",
    Reason.PROHIBITED: "The policy prohibits this use",
    Reason.BOUNCED: "Messages to the address came back",
    Reason.ON_REGISTRY: "The address stands on a registry of people who want no such messages",
    Reason.MANUAL: "Suppressed by an operator",
    Reason.OPTED_OUT: "The person opted out",
    Reason.COMPLAINED: "The person complained",
    Reason.ERASED: "The person had their data erased",
    Reason.MINOR: "The person is a minor",
    Reason.RESTRICTED: "Use of the data is restricted",
    Reason.LEGAL: "Suppressed for a legal reason",
    Reason.PAUSED: "The person asked for a pause",
    Reason.NO_CONSENT: "Consent is needed, and none is on record for this very address",
    Reason.CONSENT_EXPIRED: "The consent on record has expired",
    Reason.FREQUENCY_CAP: "The purpose's frequency cap is reached",
    Reason.CHECK_FAILED: "The check failed, and doubt means no",
}

DELIMITERS_IN_WORDS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}


@dataclass(frozen=True, slots=True)
class _Bar:
    """A row of the table and its bar: `width` of `BAR_WIDTH`, `share` in per cent of all rows."""

    output: str
    reason: str
    words: str
    count: int
    share: float
    width: float


def render_report(manifest: Manifest, policy: Policy) -> str:
    """The report of a scrub as HTML."""
    document = manifest.document
    return _template().render(
        manifest=document,
        controller=policy.name,
        purpose=policy.purpose_by_id[document["purpose"]].label,
        delimiter=DELIMITERS_IN_WORDS[document["list"]["delimiter"]],
        bars=_bars(document),
        bar_width=BAR_WIDTH,
    )


def _bars(document: Mapping[str, Any]) -> list[_Bar]:
    """The kept rows first, then suppressed and rejected ones by reason, the most frequent first."""
    counts, reasons = document["counts"], document["reasons"]
    rows = [("kept", Reason.PERMITTED.value, counts["kept"])]
    for output in ("suppressed", "rejected"):
        by_count = sorted(reasons[output].items(), key=lambda item: (-item[1], item[0]))
        rows += [(output, reason, count) for reason, count in by_count]
    whole, longest = max(1, counts["read"]), max(1, *(count for _, _, count in rows))
    return [
        _Bar(
            output, reason, REASONS_IN_WORDS[reason], count, 100 * count / whole, round(BAR_WIDTH * count / longest, 1)
        )
        for output, reason, count in rows
    ]


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(resources.files(__package__).joinpath(TEMPLATE).read_text("utf-8"))
