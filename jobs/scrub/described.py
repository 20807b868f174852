"""What a manifest says of a scrub: what was asked, read, decided and written (docs/scrub.md, The manifest)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.lists import ContactList
from jobs.scrub.deciding import class_of_column
from jobs.scrub.employers import EmployerDomains
from jobs.scrub.manifest import MANIFEST_FORMAT
from jobs.scrub.plan import ScrubPlan
from jobs.scrub.result import RowsResult
from jobs.scrub.tally import Output, Tally
from prefcenter.domain.ledger import Head
from prefcenter.domain.policy import Policy
from prefcenter.services.checkpoint import heads_as_json


def manifest_document(
    plan: ScrubPlan,
    policy: Policy,
    contacts: ContactList,
    employers: EmployerDomains | None,
    result: RowsResult,
    heads: Sequence[Head],
) -> dict[str, Any]:
    """All of a manifest but its times and its signature."""
    tally = result.tally
    return {
        "format": MANIFEST_FORMAT,
        "controller": policy.controller,
        "purpose": plan.purpose,
        "channel": None if plan.has_several_columns else plan.choices[0].channel.value,
        "audience": plan.audience,
        "addresses": _addresses_document(plan, contacts),
        "businessDomains": None if employers is None else _employers_document(employers),
        "dedupe": plan.dedupe,
        "links": plan.links,
        "campaign": plan.campaign,
        "list": _list_document(plan, contacts, tally.read),
        "inputs": [{"name": _shown(entry["name"]), "sha256": entry["sha256"]} for entry in contacts.inputs()],
        "counts": {"read": tally.read, **{output.value: tally.written[output] for output in Output}},
        "reasons": {of.value: tally.reasons_of(of) for of in (Output.SUPPRESSED, Output.REJECTED)},
        "cells": _cells_document(tally),
        "outputs": {_shown(name): {"sha256": file.sha256, "bytes": file.size} for name, file in result.files.items()},
        "policyVersion": policy.version,
        "ledger": {"heads": heads_as_json(heads)},
    }


def _addresses_document(plan: ScrubPlan, contacts: ContactList) -> list[dict[str, Any]]:
    """Columns by number, never by heading, for a row might have been taken for the header."""
    return [
        {"channel": choice.channel.value, "column": column.number, "class": class_of_column(plan, choice, column)}
        for choice, column in zip(plan.choices, contacts.found.addresses, strict=True)
    ]


def _list_document(plan: ScrubPlan, contacts: ContactList, rows: int) -> dict[str, Any]:
    """The list as a whole; where it is one file, its name and hash too."""
    inputs, found = contacts.inputs(), contacts.found
    only = inputs[0] if len(inputs) == 1 else {"name": None, "sha256": None}
    return {
        "name": None if only["name"] is None else _shown(only["name"]),
        "sha256": only["sha256"],
        "rows": rows,
        **contacts.described(),
        "addressColumn": None if plan.has_several_columns else found.addresses[0].number,
        "classColumn": None if found.class_column is None else found.class_column.number,
        "audienceColumn": None if found.audience_column is None else found.audience_column.number,
    }


def _employers_document(employers: EmployerDomains) -> Mapping[str, Any]:
    return {"count": len(employers.domains), "sha256": employers.sha256}


def _cells_document(tally: Tally) -> list[dict[str, Any]]:
    """Addresses by channel and stated class, with what came of them."""
    kinds = dict.fromkeys((channel, word) for channel, word, _ in sorted(tally.cells))
    return [
        {
            "channel": channel.value,
            "class": word,
            **{output.value: tally.cells[channel, word, output] for output in Output},
        }
        for channel, word in kinds
    ]


def _shown(file_name: str) -> str:
    """A file's name as text; one with bytes that are no UTF-8 could be neither signed nor shown."""
    return file_name.encode("utf-8", "replace").decode()
