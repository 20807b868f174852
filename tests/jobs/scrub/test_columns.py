"""Columns that no scrub can work with: one asked about twice, one that is called as those it adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.scrub import AddressChoice
from prefcenter.domain.errors import InvalidList
from prefcenter.domain.terms import Channel
from tests.jobs.lists.formats import MAKERS
from tests.jobs.scrub.small_home import SmallHome, a_plan, left_in

TWO_EMAILS = (AddressChoice(Channel.EMAIL, "work"), AddressChoice(Channel.EMAIL, "private"))


@pytest.mark.parametrize("suffix", MAKERS)
@pytest.mark.parametrize("second", ["phone", "2"])
def test_a_column_is_not_asked_about_for_two_channels(tmp_path: Path, suffix: str, second: str) -> None:
    """Its cells would be blank for one channel while their rows are kept for the other."""
    home = SmallHome()
    choices = (AddressChoice(Channel.SMS, "phone"), AddressChoice(Channel.VOICE, second))
    rows = [{"id": 1, "phone": "+447700900123"}, {"id": 2, "phone": "+447700900124"}]
    plan = a_plan(tmp_path, MAKERS[suffix](rows), f"list{suffix}", addresses=choices)
    with pytest.raises(InvalidList, match=r":1: --address: column 2 is asked about more than once; scrub once for"):
        home.scrub(plan)
    assert left_in(tmp_path) == [f"list{suffix}"]


@pytest.mark.parametrize("suffix", MAKERS)
@pytest.mark.parametrize(
    ("taken", "changes"),
    [
        ("prefcenter_reason", {"address_column": "work"}),
        ("prefcenter_clause", {"address_column": "work"}),
        ("prefcenter_private_reason", {"addresses": TWO_EMAILS}),
        ("prefcenter_manage_url", {"links": True, "address_column": "work"}),
    ],
)
def test_a_list_with_the_columns_of_an_output_is_refused(
    tmp_path: Path, suffix: str, taken: str, changes: dict[str, Any]
) -> None:
    """With two columns of one name, readers differ about which of the two counts."""
    rows = [{"work": "pat@acme.example", "private": "kim@acme.example", taken: "permitted"}]
    plan = a_plan(tmp_path, MAKERS[suffix](rows), f"list{suffix}", **changes)
    with pytest.raises(InvalidList, match=rf":1: header: has a column {taken} already; drop it first"):
        SmallHome().scrub(plan)
    assert left_in(tmp_path) == [f"list{suffix}"]


def test_what_only_other_scrubs_add_is_a_column_like_any_other(tmp_path: Path) -> None:
    content = b"email,prefcenter_email_reason,prefcenter_manage_url\npat@acme.example,permitted,\n"
    manifest = SmallHome().scrub(a_plan(tmp_path, content))
    assert manifest.counts["read"] == 1
