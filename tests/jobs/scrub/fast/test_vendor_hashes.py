"""Vendors' hashes of addresses are looked up by compiled code, as written and as mailboxes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from jobs.scrub import ScrubPlan
from prefcenter.domain.digest import DigestKind
from prefcenter.domain.events import EVERYTHING
from prefcenter.domain.terms import AddressKind, Channel, RefusalReason
from prefcenter.security.digests import Digester, vendors_hash
from prefcenter.services.importing import Importing, RefusalRow
from tests.factories import DAY, NOW
from tests.jobs.scrub.fast.two_engines import engines_of_home
from tests.jobs.scrub.small_home import SmallHome


def test_hashes_of_a_vendor_suppress_addresses_and_mailboxes(tmp_path: Path) -> None:
    home = SmallHome()
    digester = Digester(home.keyring, home.policy.controller)
    importing = Importing(home.policy, digester, home.store, lambda: NOW - DAY, home.recording)
    written = {
        DigestKind.MD5: "pat@acme.example",
        DigestKind.SHA512: "leedoe@gmail.com",
        DigestKind.SHA1: "a+b@acme.example",
    }
    for kind, text in written.items():
        rows = [RefusalRow(vendors_hash(kind, text), NOW - 5 * DAY)]
        asyncio.run(importing.refuse(rows, RefusalReason.MANUAL, EVERYTHING, "vendor", AddressKind.EMAIL, kind))
    home.opt_out("kim@acme.example")
    emails = ["PAT@acme.example", "Lee.Doe+x@googlemail.com", "a+B@acme.example", "a@acme.example", "kim@acme.example"]
    (tmp_path / "list.csv").write_text("\n".join(["email", *emails, "sam@acme.example"]), encoding="utf-8")
    plan = ScrubPlan(tmp_path / "list.csv", "candidate-contact", Channel.EMAIL, at_ms=NOW)
    _, fast = engines_of_home(home, tmp_path / "cache").manifests(plan, tmp_path)
    assert fast.document["reasons"]["suppressed"] == {"manual": 3, "opted_out": 1}
    assert fast.counts["kept"] == 2
