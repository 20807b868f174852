"""The people, domains and registries of the state machine, and what one of its steps is entitled to change."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st

from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.terms import AddressClass, AddressKind, Channel, PurposeClass, RefusalReason
from prefcenter.services.decisions import Question
from prefcenter.services.targets import Addressee, ContactId
from tests.properties.model import SILENCES_ADMINISTRATIVE, Model, Place
from tests.properties.promises import DATA_USES, Promises

SECOND, MINUTE, DAY = 1_000, 60_000, 86_400_000
START = 1_795_000_000_000
CONTROLLERS = ("north", "south")
PHONE = AddressKind.PHONE
ACME = "@acme.example"
SALES = "@sales.acme.example"
PLACES = (
    Place("pat@gmail.com", "pat", "PAT@gmail.com"),
    Place("p.a.t@gmail.com", "pat", "P.A.T@Gmail.com"),
    Place("pat+news@googlemail.com", "pat", "mailto:pat+news@googlemail.com"),
    Place("sam@icloud.com", "sam", " sam@icloud.com "),
    Place("sam@me.com", "sam", "sam@me.com."),
    Place("sam+x@mac.com", "sam", "Sam <sam+x@mac.com>"),
    Place("kim@acme.example", "kim", "Kim@ACME.example", domains=(ACME,)),
    Place("kim+a@acme.example", "kim", "kim+a@acme.example", domains=(ACME,)),
    Place("kim+b@acme.example", "kim", "KIM+B@acme.example", domains=(ACME,)),
    Place("lee@sales.acme.example", "lee", "lee@sales.acme.example", domains=(SALES, ACME)),
    Place("+44 20 7946 0018", "desk", "020 7946 0018", PHONE),
    Place("+44 20 7946 0018 ext 7", "desk", "tel:+442079460018;ext=7", PHONE),
    Place("+44 7700 900123", "mobile", "07700 900123", PHONE),
)
DOMAINS = (Place(ACME, ACME, "@ACME.example"), Place(SALES, SALES, SALES))
TARGETS = (*PLACES, *DOMAINS)
WITHOUT_ERASURE = tuple(reason for reason in RefusalReason if reason is not RefusalReason.ERASED)
REGISTRIES = ("preference-service", "robinson-list")

CROWDED = (PLACES[6], PLACES[6], PLACES[7], PLACES[0])
"""Where most acts go, so that they meet: acts on addresses far apart say little about each other."""

controllers = st.sampled_from(("north",) * 7 + ("south",))
places = st.sampled_from((*CROWDED * 10, *PLACES))
targets = st.sampled_from((*CROWDED * 10, *DOMAINS[:1] * 6, *TARGETS))
picks = st.sampled_from((0, 0, 0, 0, 1, 1, *range(2, 12)))
shapes = st.sampled_from(("everything", "everything", "purpose", "purpose", "channel", "class", "cell", "data use"))
around = st.sampled_from((0, 1, -1, 30 * SECOND, MINUTE - 1, MINUTE, MINUTE + 1, -MINUTE, -MINUTE - 1, DAY, -DAY))
times = st.tuples(st.integers(0, 40), around)
live_or_stated = st.none() | times
whole_lists = st.tuples(
    st.sampled_from(REGISTRIES), st.sampled_from((*[Channel.EMAIL] * 3, Channel.SMS, Channel.VOICE))
)
durations = st.none() | st.sampled_from((SECOND, MINUTE, MINUTE + 1, DAY, 30 * DAY))

Key = tuple[str, Place, Cell]
Whom = Place | str
"""An address or domain, or a contact by its id."""

CONTACTS = ("crm-1", "crm-2")
HELD = (PLACES[6], PLACES[7], PLACES[0], PLACES[9], PLACES[10])
contact_ids = st.sampled_from(CONTACTS)
held_places = st.sampled_from(HELD)
holdings = st.dictionaries(held_places, st.sampled_from((False, False, True)), max_size=4)


def name_of(whom: Whom) -> str:
    return whom if isinstance(whom, str) else whom.subject


def addressee(whom: Whom) -> Addressee:
    return ContactId(whom) if isinstance(whom, str) else whom.written


@dataclass(frozen=True)
class Step:
    """What was done last: to which controller and mailboxes (none named: to all), and what it was entitled to open."""

    kind: str
    controller: str | None = None
    subjects: frozenset[str] | None = None
    granted: frozenset[tuple[str, Cell]] = frozenset()
    reported: frozenset[tuple[str, Cell]] = frozenset()
    reason: RefusalReason | None = None
    channel: Channel | None = None
    clock_before_ms: int = 0

    def may_touch(self, key: Key) -> bool:
        controller, place, _ = key
        is_about = self.subjects is None or not self.subjects.isdisjoint((place.subject, *place.domains))
        return self.controller in (None, controller) and is_about

    def may_open(self, key: Key, before: str, model: Model, now_ms: int) -> bool:
        """Whether a refusal for this reason may have become a permission by this step."""
        _, place, cell = key
        is_granted = (place.text, cell) in self.granted
        is_reported = (place.text, cell) in self.reported
        is_timely = self.kind == "clock" and model.begins_to_count(place, cell, self.clock_before_ms, now_ms)
        match before:
            case "erased" if self.kind == "described":
                return cell.purpose == "service"
            case "opted_out" | "complained" | "erased":
                return is_granted or is_timely
            case "on_registry":
                is_replaced = self.kind == "registry replaced" and cell.channel in (None, self.channel)
                return is_granted or is_timely or is_replaced
            case "bounced" if self.kind == "delivered":
                return cell.channel in (None, self.channel)
            case "bounced" | "manual" | "minor" | "restricted" | "legal":
                return self.kind == "lifted" and self.reason == before
            case "no_consent" | "consent_expired":
                return is_granted or is_timely or is_reported or self.kind in ("policy", "described")
            case "paused":
                return self.kind in ("clock", "paused")
        return False


def question_of(key: Key) -> Question:
    """Every caller says that an address is a business one; what its domain says is stronger."""
    _, place, cell = key
    return Question(place.text, cell.purpose, cell.channel, cell.data_use, AddressClass.BUSINESS)


def scope_of(promises: Promises, place: Place, reason: RefusalReason, shape: str, pick: int) -> Scope:
    """A scope of a shape that the reason may have; purposes that were succeeded can still be refused."""
    purposes = [*promises, *(name for promise in promises.values() for name in promise.succeeds)]
    classes = list(PurposeClass)
    if reason not in SILENCES_ADMINISTRATIVE:
        purposes.remove("service")
        classes.remove(PurposeClass.ADMINISTRATIVE)
    purpose, channel = purposes[pick % len(purposes)], place.channels[pick % len(place.channels)]
    scope = {
        "everything": EVERYTHING,
        "purpose": Scope(purpose),
        "channel": Scope(channel=channel),
        "class": Scope(purpose_class=classes[pick % len(classes)]),
        "cell": Scope(purpose, channel=channel),
        "data use": Scope(data_use=list(DATA_USES)[pick % len(DATA_USES)]),
    }[shape]
    if reason in (RefusalReason.BOUNCED, RefusalReason.ON_REGISTRY):
        return replace(scope, channel=channel)
    return scope


def cells_of(promises: Promises, place: Place) -> list[Cell]:
    """Everything that may be asked of an address."""
    kept = [(name, channel) for name, promise in promises.items() for channel in promise.channels]
    messages = [Cell(name, channel) for name, channel in kept if channel in place.channels]
    return [*messages, *(Cell(None, None, name) for name in DATA_USES)]
