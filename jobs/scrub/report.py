"""The report: a manifest for people to read, as one HTML page that needs nothing else and names nobody (CC1-12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from jobs.lists.content import Packing
from jobs.lists.opening import TEXT_FORMAT
from jobs.scrub.manifest import Manifest
from jobs.scrub.rejected import FEWEST_SHOWN, DomainCount
from jobs.scrub.tally import DUPLICATE, EMPTY_ADDRESS, RAGGED_ROW
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import Reason, RefusalReason

TEMPLATE = "report.html.jinja"
BAR_WIDTH = 320
OUTPUTS = ("kept", "suppressed", "rejected")

REASONS_IN_WORDS: Mapping[str, str] = {
    Reason.PERMITTED: "May be contacted",
    Reason.INVALID_ADDRESS: "The address cannot be read",
    EMPTY_ADDRESS: "The row holds no address",
    DUPLICATE: "An earlier row has the same mailbox",
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

OTHER_REASONS = f"Other reasons, of fewer than {FEWEST_SHOWN} rows each"

DELIMITERS_IN_WORDS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
FORMATS_IN_WORDS = {"ndjson": "lines of JSON objects", "xlsx": "Excel workbook", "parquet": "Parquet"}

CHOSEN_BY_PEOPLE = frozenset(reason.value for reason in RefusalReason)
NEEDS_CONSENT = frozenset({Reason.NO_CONSENT.value, Reason.CONSENT_EXPIRED.value})


@dataclass(frozen=True, slots=True)
class _Bar:
    """A row of a table and its bar: `width` of `BAR_WIDTH`, `share` in per cent of all rows."""

    kind: str
    label: str
    count: int
    share: float
    width: float
    code: str | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a stacked bar: where it begins and how wide it is, of `BAR_WIDTH`."""

    kind: str
    count: int
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class _Stack:
    """Addresses of one channel and class, by what came of them."""

    channel: str
    address_class: str
    parts: Sequence[_Part]


def render_report(manifest: Manifest, policy: Policy, domains: Sequence[DomainCount] = ()) -> str:
    """The report of a scrub as HTML; `domains` are those of rejected addresses."""
    document = manifest.document
    whole = max(1, document["counts"]["read"])
    return _template().render(
        manifest=document,
        controller=policy.name,
        purpose=policy.purpose_by_id[document["purpose"]].label,
        format=format_in_words(document["list"]),
        funnel=_bars(_funnel(document), whole),
        bars=_bars(_reasons(document), whole),
        stacks=_stacks(document["cells"]),
        domains=_bars([("rejected", entry.domain, entry.count, None) for entry in domains], whole),
        bar_width=BAR_WIDTH,
    )


def format_in_words(described: Mapping[str, Any]) -> str:
    """The format of a list, as people call it."""
    name = described["format"]
    if name == TEXT_FORMAT:
        name = f"{described['encoding']}, separated by {DELIMITERS_IN_WORDS[described['delimiter']]}"
    else:
        name = FORMATS_IN_WORDS[name]
    packing = described["packing"]
    return name if packing == Packing.NONE else f"{name}, packed with {packing}"


_Line = tuple[str, str, int, str | None]
"""The kind of a bar, its label, its count, and the word of the manifest for it."""


def _bars(lines: Sequence[_Line], whole: int) -> list[_Bar]:
    longest = max((1, *(count for _, _, count, _ in lines)))
    return [
        _Bar(kind, label, count, 100 * count / whole, round(BAR_WIDTH * count / longest, 1), code)
        for kind, label, count, code in lines
    ]


def _reasons(document: Mapping[str, Any]) -> list[_Line]:
    """The kept rows first, then suppressed and rejected ones by reason, the most frequent first.

    Reasons of a few rows are one line, for who knows the list could guess whom a minor's or a lawyer's row is about.
    """
    counts, reasons = document["counts"], document["reasons"]
    lines: list[_Line] = [("kept", REASONS_IN_WORDS[Reason.PERMITTED], counts["kept"], Reason.PERMITTED.value)]
    for output in ("suppressed", "rejected"):
        by_count = sorted(reasons[output].items(), key=lambda item: (-item[1], item[0]))
        lines += [(output, REASONS_IN_WORDS[reason], n, reason) for reason, n in by_count if n >= FEWEST_SHOWN]
        if few := sum(count for count in reasons[output].values() if count < FEWEST_SHOWN):
            lines.append((output, OTHER_REASONS, few, None))
    return lines


def _funnel(document: Mapping[str, Any]) -> list[_Line]:
    """How many rows are left after each kind of question; the last step is what is kept."""
    counts, suppressed = document["counts"], document["reasons"]["suppressed"]
    readable = counts["read"] - counts["rejected"]
    wanted = readable - sum(count for reason, count in suppressed.items() if reason in CHOSEN_BY_PEOPLE)
    allowed = wanted - sum(count for reason, count in suppressed.items() if reason in NEEDS_CONSENT)
    return [
        ("rejected", "Rows read", counts["read"], None),
        ("suppressed", "with an address that can be read", readable, None),
        ("suppressed", "and not suppressed by a person or an operator", wanted, None),
        ("suppressed", "and with consent where it is needed", allowed, None),
        ("kept", "Kept: nothing else stands against them", counts["kept"], None),
    ]


def _stacks(cells: Sequence[Mapping[str, Any]]) -> list[_Stack]:
    longest = max((1, *(sum(entry[output] for output in OUTPUTS) for entry in cells)))
    return [_Stack(entry["channel"], entry["class"], _parts(entry, longest)) for entry in cells]


def _parts(entry: Mapping[str, Any], longest: int) -> list[_Part]:
    parts: list[_Part] = []
    start = 0.0
    for output in OUTPUTS:
        width = BAR_WIDTH * entry[output] / longest
        parts.append(_Part(output, entry[output], round(start, 1), round(width, 1)))
        start += width
    return parts


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(resources.files(__package__).joinpath(TEMPLATE).read_text("utf-8"))
