"""Which policy is in force: a changed file, once it is shown to reopen nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefcenter.domain.errors import InvalidInput, InvalidPolicy, VersionConflict
from prefcenter.domain.events import EVERYTHING, Scope
from prefcenter.security.keyring import load_keyring
from prefcenter.services.policies import ATTEMPTS_MAX, PolicyBook
from prefcenter.storage.sqlite import SqliteStore
from tests.running_home import RunningHome
from tests.unit.services.asking import BUSINESS, CONTROLLER, reason, recording_of
from tests.unit.services.contested import store_path

RENAMED = ('id = "client-marketing"', 'id = "business-news"\nsucceeds = ["client-marketing"]')
DROPPED = ('id = "client-marketing"', 'id = "business-news"')


def file_of(home: RunningHome) -> Path:
    return home.settings.policies / f"{CONTROLLER}.toml"


def changed(home: RunningHome, old: str, new: str) -> str:
    text = file_of(home).read_text("utf-8")
    assert text.count(old) == 1
    return text.replace(old, new)


def in_force(home: RunningHome) -> str | None:
    return home.run(home.services.store.policy_in_force(CONTROLLER))


def test_a_changed_file_comes_into_force_when_it_is_first_used(home: RunningHome) -> None:
    before, version = in_force(home), home.of(CONTROLLER).policy.version
    home.adopt(CONTROLLER, changed(home, *RENAMED))
    assert home.of(CONTROLLER).policy.version != version
    assert in_force(home) != before


def test_an_unchanged_file_is_not_adopted_again(home: RunningHome) -> None:
    before = in_force(home)
    home.reopen()
    home.of(CONTROLLER)
    assert in_force(home) == before


def test_a_successor_inherits_refusals_and_can_be_refused_by_the_old_name(home: RunningHome) -> None:
    home.run(recording_of(home).opt_out(BUSINESS, Scope("client-marketing"), "page"))
    home.adopt(CONTROLLER, changed(home, *RENAMED))
    assert reason(home, purpose="business-news") == "opted_out"
    home.run(recording_of(home).opt_out("kim@acme.example", Scope("client-marketing"), "page"))
    assert reason(home, "kim@acme.example", purpose="business-news") == "opted_out"


def test_a_file_that_would_reopen_a_refusal_is_refused_with_its_fault(home: RunningHome) -> None:
    before = in_force(home)
    with pytest.raises(InvalidPolicy) as raised:
        home.adopt(CONTROLLER, changed(home, *DROPPED))
    (fault,) = raised.value.faults
    assert (fault.file, fault.key) == ("opencontact.toml", "purpose[client-marketing]")
    assert in_force(home) == before


def test_a_basis_may_change_and_a_refusal_outlives_it(home: RunningHome) -> None:
    to_consent = 'basis = { business = "legitimate_interests", personal = "consent" }'
    original = file_of(home).read_text("utf-8")
    home.run(recording_of(home).opt_out("kim@acme.example", EVERYTHING, "page"))
    home.adopt(CONTROLLER, changed(home, to_consent, 'basis = { business = "consent", personal = "consent" }'))
    assert (reason(home), reason(home, "kim@acme.example")) == ("no_consent", "opted_out")
    home.adopt(CONTROLLER, original)
    assert (reason(home), reason(home, "kim@acme.example")) == ("permitted", "opted_out")


def test_an_unknown_controller_is_an_error_that_names_the_known_ones(home: RunningHome) -> None:
    with pytest.raises(InvalidInput, match=r"\(contact-center-1, opencontact\)"):
        home.run(home.services.policies.in_force("openscape"))


def test_an_empty_home_knows_no_controller(home: RunningHome, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"\(none\)"):
        home.run(PolicyBook(tmp_path, home.services.store).in_force(CONTROLLER))


def test_no_controller_is_a_path_to_somewhere_else(home: RunningHome) -> None:
    with pytest.raises(InvalidInput, match=r"^controller: "):
        home.run(home.services.policies.in_force("../policies/opencontact"))


def test_a_read_only_store_decides_by_a_changed_file_without_adopting_it(home: RunningHome) -> None:
    before = in_force(home)
    file_of(home).write_text(changed(home, *RENAMED), "utf-8")
    store = SqliteStore(store_path(home), load_keyring(home.settings.keyring), read_only=True)
    policy = home.run(PolicyBook(home.settings.policies, store).in_force(CONTROLLER))
    assert "business-news" in policy.purpose_by_id
    home.run(store.close())
    assert in_force(home) == before


def test_a_read_only_store_still_refuses_a_file_that_would_reopen_a_refusal(home: RunningHome) -> None:
    file_of(home).write_text(changed(home, *DROPPED), "utf-8")
    store = SqliteStore(store_path(home), load_keyring(home.settings.keyring), read_only=True)
    with pytest.raises(InvalidPolicy):
        home.run(PolicyBook(home.settings.policies, store).in_force(CONTROLLER))
    home.run(store.close())


class ContestedPolicies(SqliteStore):
    """A store in which somebody else adopts another policy first, for a while."""

    conflicts = 0

    async def adopt_policy(self, controller: str, document: str, *, instead_of: str | None) -> None:
        if self.conflicts:
            self.conflicts -= 1
            raise VersionConflict("another policy came into force meanwhile")
        await super().adopt_policy(controller, document, instead_of=instead_of)


@pytest.mark.parametrize("conflicts", [1, ATTEMPTS_MAX])
def test_an_adoption_is_tried_again_a_few_times(home: RunningHome, conflicts: int) -> None:
    file_of(home).write_text(changed(home, *RENAMED), "utf-8")
    store = ContestedPolicies(store_path(home), load_keyring(home.settings.keyring))
    store.conflicts = conflicts
    book = PolicyBook(home.settings.policies, store)
    if conflicts < ATTEMPTS_MAX:
        assert "business-news" in home.run(book.in_force(CONTROLLER)).purpose_by_id
    else:
        with pytest.raises(VersionConflict, match="keep changing"):
            home.run(book.in_force(CONTROLLER))
    home.run(store.close())


def test_a_policy_is_not_adopted_over_one_that_nobody_compared_it_with(home: RunningHome) -> None:
    with pytest.raises(VersionConflict):
        home.run(home.services.store.adopt_policy(CONTROLLER, "{}", instead_of="something else"))
