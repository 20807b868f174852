"""What links say, how long they work, and the headers that go with them."""

from __future__ import annotations

import pytest

from prefcenter.domain.errors import ActRefused, InvalidAddress, InvalidInput
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import Channel, PurposeClass
from prefcenter.security.digests import Digester
from prefcenter.security.keyring import Keyring, new_keyring
from prefcenter.security.tokens import LinkCipher, LinkKind, tag
from prefcenter.services.links import CONFIRMED_CELLS_MAX, Link, Links, bare_opt_out, cell_tag
from prefcenter.services.site import Site
from prefcenter.services.targets import Targets
from tests.factories import DAY, HOUR, MINUTE, NOW, POLICY, PURPOSES, a_policy, a_purpose

KEYRING = new_keyring("2026-11-24T00:00:00.000Z")
SITE = Site("https://preferences.example/people")
PAT = "pat@acme.example"
EMAIL = Channel.EMAIL


def links(now_ms: int = NOW, policy: Policy = POLICY, keyring: Keyring = KEYRING) -> Links:
    return Links(policy, Digester(keyring, "acme"), LinkCipher(keyring, "acme"), lambda: now_ms, SITE)


def opened(url: str, by: Links | None = None) -> Link | None:
    return (by or links()).open(url.rpartition("/")[2])


def test_a_message_gets_two_links_that_know_its_address_purpose_and_campaign() -> None:
    made = links().of_message(PAT, "offers", EMAIL, "spring-26")
    target = Targets("GB", Digester(KEYRING, "acme")).of(PAT, EMAIL)
    for url, path, kind in (
        (made.unsubscribe_url, "/u/", LinkKind.UNSUBSCRIBE),
        (made.manage_url, "/p/", LinkKind.MANAGE),
    ):
        assert url.startswith(f"{SITE.base_url}{path}")
        link = opened(url)
        assert link is not None
        assert (link.kind, link.channel, link.issued_ms) == (kind, EMAIL, NOW)
        assert (link.target.write_to, link.target.exact) == (target.write_to, target.exact)
        assert link.target.address is None
        assert link.purpose is POLICY.purpose_by_id["offers"]
        assert link.campaign == tag("campaign", "spring-26")


def test_mail_gets_the_headers_of_one_click_and_of_its_list() -> None:
    made = links().of_message(PAT, "offers", EMAIL)
    assert made.headers == {
        "List-Unsubscribe": f"<{made.unsubscribe_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Id": "<offers.acme.preferences.example>",
    }
    assert links().of_message("+442079460123", "offers", Channel.SMS).headers == {}


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost:8080"])
def test_a_list_on_an_address_of_this_machine_is_one_of_localhost(url: str) -> None:
    assert Site(url).host == "localhost"


def test_links_of_many_stand_in_the_order_of_the_addresses() -> None:
    addresses = [f"person{number}@example.com" for number in range(20)]
    made = links().of_messages(addresses, "offers", EMAIL)
    found = [opened(item.unsubscribe_url) for item in made if item is not None]
    subjects = [link.target.write_to for link in found if link is not None]
    assert subjects == [Targets("GB", Digester(KEYRING, "acme")).of(one, EMAIL).write_to for one in addresses]


def test_text_that_is_no_address_has_no_links_and_harms_no_other() -> None:
    made = links().of_messages(["nobody", PAT, "@acme.example"], "offers", EMAIL)
    assert made == [None, links().of_message(PAT, "offers", EMAIL), None]


@pytest.mark.parametrize(
    ("address", "purpose", "channel", "campaign", "error"),
    [
        ("no address", "offers", EMAIL, None, InvalidAddress),
        ("@acme.example", "offers", EMAIL, None, InvalidInput),
        (PAT, "unheard-of", EMAIL, None, InvalidInput),
        (PAT, "news", Channel.SMS, None, InvalidInput),
        (PAT, "service", EMAIL, None, ActRefused),
        (PAT, "offers", EMAIL, "with a blank", InvalidInput),
        (PAT, "offers", EMAIL, "", InvalidInput),
        (PAT, "offers", EMAIL, "x" * 101, InvalidInput),
    ],
)
def test_what_can_have_no_link_gets_none(
    address: str, purpose: str, channel: Channel, campaign: str | None, error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        links().of_message(address, purpose, channel, campaign)
    assert PAT not in str(raised.value)


def test_links_of_messages_work_for_good() -> None:
    made = links().of_message(PAT, "offers", EMAIL)
    later = links(NOW + 40 * 365 * DAY, keyring=KEYRING.rotated("2030-01-01T00:00:00.000Z").with_retired(1))
    assert opened(made.unsubscribe_url, later) is not None
    assert opened(made.manage_url, later) is not None


def test_other_links_work_for_their_time_and_no_longer() -> None:
    target = Targets("GB", Digester(KEYRING, "acme")).of(PAT, EMAIL)
    cells = [Cell("offers", EMAIL), Cell(None, None, "tracking")]
    made = {
        DAY: links().fresh(target, EMAIL),
        7 * DAY: links().confirmation(target, EMAIL, cells),
        10 * MINUTE: links().undo(target, EMAIL, 3, 5),
    }
    for life_ms, url in made.items():
        assert opened(url, links(NOW + life_ms)) is not None
        assert opened(url, links(NOW + life_ms + 1)) is None


def test_a_confirmation_knows_its_choices_and_an_undo_its_versions() -> None:
    target = Targets("GB", Digester(KEYRING, "acme")).of(PAT, EMAIL)
    cells = [Cell(f"purpose-{number}", EMAIL) for number in range(CONFIRMED_CELLS_MAX)]
    confirmation = opened(links().confirmation(target, EMAIL, cells))
    assert confirmation is not None
    assert confirmation.confirms == {cell_tag(cell) for cell in cells}
    undo = opened(links().undo(target, EMAIL, 3, 2**32 - 1))
    assert undo is not None
    assert undo.undoes == (3, 2**32 - 1)


def test_a_link_of_a_purpose_that_was_succeeded_is_one_of_its_successor() -> None:
    before = a_policy([*PURPOSES, a_purpose("old-tips")])
    made = links(policy=before).of_message(PAT, "old-tips", EMAIL)
    link = opened(made.unsubscribe_url)
    assert link is not None
    assert link.purpose is POLICY.purpose_by_id["tips"]


def test_a_link_of_a_purpose_that_is_no_more_still_opens() -> None:
    before = a_policy([*PURPOSES, a_purpose("gone")])
    made = links(policy=before).of_message(PAT, "gone", EMAIL)
    link = opened(made.unsubscribe_url)
    assert link is not None
    assert link.purpose is None


def test_a_bare_opt_out_is_of_what_the_policy_says_and_broad_where_it_cannot_tell() -> None:
    by_class = a_policy(bare_opt_out="class")
    surveys = by_class.purpose_by_id["surveys"]
    assert bare_opt_out(POLICY, surveys) == EVERYTHING
    assert bare_opt_out(by_class, surveys) == Scope(purpose_class=PurposeClass.INFORMATIONAL)
    assert bare_opt_out(by_class, None) == EVERYTHING


def test_links_made_an_hour_apart_differ_and_at_once_do_not() -> None:
    made = links().of_message(PAT, "offers", EMAIL)
    assert links().of_message(PAT, "offers", EMAIL) == made
    assert links(NOW + HOUR).of_message(PAT, "offers", EMAIL).unsubscribe_url != made.unsubscribe_url


def test_links_as_of_a_time_are_the_same_whenever_they_are_made() -> None:
    made = links(NOW + DAY).as_of(NOW).of_message(PAT, "offers", EMAIL)
    assert made == links(NOW).of_message(PAT, "offers", EMAIL) != links(NOW + DAY).of_message(PAT, "offers", EMAIL)


@pytest.mark.parametrize("at_ms", [-1, (1 << 32) * 1_000])
def test_a_token_holds_no_time_before_1970_or_after_2105(at_ms: int) -> None:
    with pytest.raises(InvalidInput, match=r"^at: expected a time from 1970 to 2105"):
        links().as_of(at_ms)
