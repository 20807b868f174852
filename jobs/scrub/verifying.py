"""Whether the outputs of a scrub may still be sent to: a check that a send script runs right before it sends.

Every question is asked, and every no is a finding. A refusal since the scrub counts where it concerns somebody in
`kept`: the ledger's heads tell whether anything happened at all, and only then are the kept rows decided anew, as of
now and by the same function as ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from jobs.lists import Column
from jobs.lists.contacts import Found
from jobs.lists.inputs import reopen_list
from jobs.scrub.deciding import Decider, RowDecider
from jobs.scrub.employers import EmployerDomains, read_employer_domains
from jobs.scrub.engine import REPORT_NAME, HandedBack, RowEngine, answers_of, decide_rows
from jobs.scrub.manifest import MANIFEST_FORMAT, ReadManifest
from jobs.scrub.outputs import WrittenFile, written_file
from jobs.scrub.plan import AddressChoice, ScrubPlan
from jobs.scrub.rows import NoFiles
from jobs.scrub.tally import Output, Tally
from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.ledger import Head
from prefcenter.domain.terms import AddressClass, Channel
from prefcenter.domain.time import EQUAL_WITHIN_MS, MS_PER_HOUR, parse_time

OLDEST_HOURS = 24


class Trouble(StrEnum):
    """What can be wrong with outputs, as a closed list."""

    FORGED = "forged"
    MISSING = "missing"
    CHANGED = "changed"
    OTHER_POLICY = "other_policy"
    OTHER_LEDGER = "other_ledger"
    MARKED_STALE = "marked_stale"
    TOO_OLD = "too_old"
    TOO_EARLY = "too_early"
    LEDGER_MOVED = "ledger_moved"
    REFUSED_SINCE = "refused_since"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, in a word and in a sentence that names nobody."""

    trouble: Trouble
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What to verify, and as of when. `is_quick`: a ledger that moved at all is reason enough to scrub again."""

    directory: Path
    read: ReadManifest
    now_ms: int
    is_quick: bool = False
    business_domains: Path | None = None

    @property
    def document(self) -> Mapping[str, Any]:
        return self.read.manifest.document

    @property
    def has_report(self) -> bool:
        """Scrubs on a cluster write none."""
        return bool(self.document["format"] == MANIFEST_FORMAT)

    @property
    def kept(self) -> list[Path]:
        """The files that hold kept rows; a scrub on a cluster writes a part after the other."""
        names = self.document["outputs"]
        return [self.directory / name for name in names if name.partition(".")[0] == Output.KEPT]


FORGED = Finding(Trouble.FORGED, "manifest.json was changed, or made with another keyring")
"""Nothing else of such a manifest is worth looking at, not even whose it says that it is."""

HoldsHeads = Callable[[tuple[Head, ...]], Awaitable[bool]]
EngineFor = Callable[[ScrubPlan], Awaitable[RowEngine | None]]
"""The engine that answers about a list; None: the decider itself."""


async def no_engine(_: ScrubPlan) -> None:
    """Every answer comes from the decider itself."""


async def verify(
    asked: Verification, decider: Decider, holds_heads: HoldsHeads, engine_for: EngineFor = no_engine
) -> list[Finding]:
    """Everything that is wrong with the outputs of a genuine manifest; nothing: they may be sent to now.

    Raises InvalidInput where the employers' domains are not those of the scrub.
    """
    findings = [*_files(asked), *_times(asked, decider.policy.decision_ttl_hours)]
    if asked.document["policyVersion"] != decider.policy.version:
        findings.append(Finding(Trouble.OTHER_POLICY, "another version of the policy is in force by now"))
    if not await holds_heads(asked.read.heads):
        findings.append(Finding(Trouble.OTHER_LEDGER, "the ledger does not hold what the scrub saw; was it put back?"))
    return findings or await _refused_since(asked, decider, engine_for)


def _files(asked: Verification) -> Iterator[Finding]:
    """What is wrong with the files themselves."""
    for name, expected in asked.document["outputs"].items():
        path = asked.directory / name
        if not path.is_file():
            yield Finding(Trouble.MISSING, f"{name} is missing")
        elif written_file(path) != WrittenFile(expected["sha256"], expected["bytes"]):
            yield Finding(Trouble.CHANGED, f"{name} is not what the scrub wrote")
    for name in _parts_besides(asked):
        yield Finding(Trouble.CHANGED, f"{name} is not of the scrub")
    if asked.has_report and not (asked.directory / REPORT_NAME).is_file():
        yield Finding(Trouble.MISSING, f"{REPORT_NAME} is missing")
    if not asked.document["outputs"]:
        yield Finding(Trouble.MISSING, "the manifest is that of a dry run, which wrote no rows")


def _parts_besides(asked: Verification) -> Iterator[str]:
    """Parts that lie among those of a cluster's scrub: whoever reads the directory reads them too."""
    directories = [] if asked.has_report else [asked.directory / f"{output}.parquet" for output in Output]
    parts = (part for directory in directories for part in sorted(directory.glob("*")) if is_part(part))
    names = (str(part.relative_to(asked.directory)) for part in parts)
    return (name for name in names if name not in asked.document["outputs"])


def is_part(path: Path) -> bool:
    """Whether a file in a directory of parts is one: readers pass over those that begin so."""
    return not path.name.startswith(("_", "."))


def _times(asked: Verification, policy_hours: int) -> Iterator[Finding]:
    """What is wrong with when the scrub was."""
    document = asked.document
    at_ms, valid_until_ms = (parse_time(document[key], end_of_day=False) for key in ("at", "validUntil"))
    oldest_ms = at_ms + min(policy_hours, OLDEST_HOURS) * MS_PER_HOUR
    if document["stale"]:
        yield Finding(Trouble.MARKED_STALE, "a refusal came in while the scrub ran")
    if asked.now_ms >= min(valid_until_ms, oldest_ms):
        yield Finding(Trouble.TOO_OLD, f"the scrub was as of {document['at']}, and its answers are no longer valid")
    if at_ms > asked.now_ms + EQUAL_WITHIN_MS:
        yield Finding(Trouble.TOO_EARLY, f"the scrub was as of {document['at']}, which is yet to come")


async def _refused_since(asked: Verification, decider: Decider, engine_for: EngineFor) -> list[Finding]:
    """What happened since the scrub to those who were kept."""
    if await decider.heads() == asked.read.heads:
        return []
    if asked.is_quick:
        return [Finding(Trouble.LEDGER_MOVED, "preferences changed since the scrub; whose was not looked at")]
    refused = await _kept_rows_refused(asked, decider, engine_for)
    if not refused:
        return []
    told = "address in kept is refused" if refused == 1 else "addresses in kept are refused"
    return [Finding(Trouble.REFUSED_SINCE, f"{refused:,} {told} by now")]


async def _kept_rows_refused(asked: Verification, decider: Decider, engine_for: EngineFor) -> int:
    """How many addresses in `kept` may not be used any more, by the answers of now."""
    if not asked.kept:
        return 0
    plan, employers = plan_of(asked.document, asked.kept), _employers(asked)
    try:
        return await _refused_rows(asked, plan, decider, employers, await engine_for(plan))
    except HandedBack:
        return await _refused_rows(asked, plan, decider, employers, None)


async def _refused_rows(
    asked: Verification, plan: ScrubPlan, decider: Decider, employers: EmployerDomains | None, engine: RowEngine | None
) -> int:
    found, refused = _found(asked.document), 0
    answers = answers_of(engine, decider, plan.purpose, asked.now_ms)
    for path in plan.paths:
        with reopen_list(path, found, asked.document["list"]) as kept:
            rows = RowDecider(plan, kept.found, decider.policy, answers, employers, asked.now_ms)
            refused += _not_kept((await decide_rows(kept, rows, NoFiles())).tally)
    return refused


def _not_kept(tally: Tally) -> int:
    suppressed = (count for (_, _, output), count in tally.cells.items() if output is Output.SUPPRESSED)
    return sum(suppressed) + tally.written[Output.REJECTED]


def plan_of(document: Mapping[str, Any], kept: Sequence[Path]) -> ScrubPlan:
    """The scrub of what was kept that asks what the first one asked."""
    choices = tuple(map(_choice, document["addresses"]))
    is_plain = len(choices) == 1 and choices[0].address_class is None
    return ScrubPlan(
        path=kept[0],
        further=tuple(kept[1:]),
        purpose=document["purpose"],
        channel=choices[0].channel,
        audience=document["audience"],
        dry_run=True,
        addresses=() if is_plain else choices,
    )


def _choice(column: Mapping[str, Any]) -> AddressChoice:
    stated = None if column["class"] is None else AddressClass(column["class"])
    return AddressChoice(Channel(column["channel"]), address_class=stated)


def _found(document: Mapping[str, Any]) -> Found:
    """The columns of the list, which in `kept` stand where they stood."""
    described = document["list"]
    others = (described["classColumn"], described["audienceColumn"])
    addresses = tuple(Column(column["column"] - 1) for column in document["addresses"])
    return Found(addresses, *(None if number is None else Column(number - 1) for number in others))


def _employers(asked: Verification) -> EmployerDomains | None:
    """The employers' domains of the scrub; without them its rows count as nobody's employer's, which only refuses."""
    attested = asked.document.get("businessDomains")
    if asked.business_domains is None:
        return None
    employers = read_employer_domains(asked.business_domains)
    if attested is None or attested["sha256"] != employers.sha256:
        raise InvalidInput("--business-domain: not the file that the scrub was given")
    return employers
