"""Whether the outputs of a scrub may still be sent to: a check that a send script runs right before it sends.

Every question is asked, and every no is a finding. A refusal since the scrub counts where it concerns somebody in
`kept`: the ledger's heads tell whether anything happened at all, and only then are the kept rows decided anew, as of
now and by the same function as ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from jobs.lists import Column
from jobs.lists.contacts import Found
from jobs.lists.content import CHUNK_BYTES
from jobs.lists.inputs import reopen_list
from jobs.scrub.deciding import Decider, RowDecider
from jobs.scrub.employers import EmployerDomains, read_employer_domains
from jobs.scrub.engine import REPORT_NAME, RowEngine, answers_of, decide_rows
from jobs.scrub.manifest import ReadManifest
from jobs.scrub.plan import AddressChoice, ScrubPlan
from jobs.scrub.rows import NoFiles
from jobs.scrub.tally import Output
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
    for name, expected in {**asked.document["outputs"], REPORT_NAME: None}.items():
        path = asked.directory / name
        if not path.is_file():
            yield Finding(Trouble.MISSING, f"{name} is missing")
        elif expected is not None and _identity(path) != (expected["bytes"], expected["sha256"]):
            yield Finding(Trouble.CHANGED, f"{name} is not what the scrub wrote")
    if not asked.document["outputs"]:
        yield Finding(Trouble.MISSING, "the manifest is that of a dry run, which wrote no rows")


def _identity(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


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
    document = asked.document
    (name,) = (name for name in document["outputs"] if name.partition(".")[0] == Output.KEPT)
    plan, employers = plan_of(document, asked.directory / name), _employers(asked)
    with reopen_list(plan.path, _found(document), document["list"]) as kept:
        answers = answers_of(await engine_for(plan), decider, plan.purpose, asked.now_ms)
        rows = RowDecider(plan, kept.found, decider.policy, answers, employers, asked.now_ms)
        result = await decide_rows(kept, rows, NoFiles())
    suppressed = (count for (_, _, output), count in result.tally.cells.items() if output is Output.SUPPRESSED)
    return sum(suppressed) + result.tally.written[Output.REJECTED]


def plan_of(document: Mapping[str, Any], kept: Path) -> ScrubPlan:
    """The scrub of `kept` that asks what the first one asked."""
    choices = tuple(map(_choice, document["addresses"]))
    is_plain = len(choices) == 1 and choices[0].address_class is None
    return ScrubPlan(
        path=kept,
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
    attested = asked.document["businessDomains"]
    if asked.business_domains is None:
        return None
    employers = read_employer_domains(asked.business_domains)
    if attested is None or attested["sha256"] != employers.sha256:
        raise InvalidInput("--business-domain: not the file that the scrub was given")
    return employers
