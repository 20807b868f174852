"""The shape of a policy file (CONTRACTS "Policy"), table by table, and what each key expects in words.

Each table is read on its own, so that a fault in one never hides those of another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from prefcenter.domain.errors import Fault
from prefcenter.domain.terms import AddressClass, Basis, Channel, PurposeClass, RefusalReason
from prefcenter.services.policy_document import (
    DEFAULT_BARE_OPT_OUT,
    DEFAULT_DECISION_TTL_HOURS,
    DEFAULT_UNKNOWN_CLASS,
)

SLUG = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
AUDIENCE = r"^[a-z][a-z0-9]*([_-][a-z0-9]+)*$"
CLAUSE = r"^[A-Z][A-Z0-9]*-[1-9][0-9]*$"
ONE_LINE = r"^\S(.*\S)?$"
PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")

MAX_ID_LENGTH_CHARACTERS = 40
MAX_LABEL_LENGTH_CHARACTERS = 200
MAX_DECISION_TTL_HOURS = 24
MAX_CAP_COUNT_MESSAGES = 1000
MAX_CAP_PERIOD_DAYS = 366

COUNTRIES_IN_ORDER = """
    AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP
    KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS
    MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO RS RU
    RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TG TH TJ TK TL TM TN TO TR TT TV TW TZ
    UA UG US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
"""
COUNTRIES = frozenset(COUNTRIES_IN_ORDER.split())
"""The countries that have telephone numbers, since a policy's country gives the default phone region.
They stand here because the phone library takes longer to import than a whole policy takes to read."""


def _country_with_telephones(country: str) -> str:
    if country not in COUNTRIES:
        raise ValueError
    return country


ShortId = Annotated[str, Field(pattern=SLUG, max_length=MAX_ID_LENGTH_CHARACTERS)]
Audience = Annotated[str, Field(pattern=AUDIENCE, max_length=MAX_ID_LENGTH_CHARACTERS)]
Label = Annotated[str, Field(pattern=ONE_LINE, max_length=MAX_LABEL_LENGTH_CHARACTERS)]
ClauseId = Annotated[str, Field(pattern=CLAUSE, max_length=MAX_ID_LENGTH_CHARACTERS)]
# Strict mode would want the enum's members themselves, which a TOML file cannot hold.
OneChannel = Annotated[Channel, Field(strict=False)]
OneBasis = Annotated[Basis, Field(strict=False)]
OneAddressClass = Annotated[AddressClass, Field(strict=False)]
OnePurposeClass = Annotated[PurposeClass, Field(strict=False)]


class Table(BaseModel):
    """A table of a policy file: every key known, every value of exactly the type that is asked for."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ControllerTable(Table):
    id: ShortId
    name: Label
    country: Annotated[str, AfterValidator(_country_with_telephones)]
    unknown_class: OneAddressClass = DEFAULT_UNKNOWN_CLASS
    decision_ttl_hours: Annotated[int, Field(ge=1, le=MAX_DECISION_TTL_HOURS)] = DEFAULT_DECISION_TTL_HOURS
    bare_opt_out: Literal["everything", "class"] = DEFAULT_BARE_OPT_OUT


class ReasonClauseTable(Table):
    default: ClauseId
    promotional: ClauseId | None = None
    informational: ClauseId | None = None
    recruitment: ClauseId | None = None
    administrative: ClauseId | None = None


class ClausesTable(Table):
    bounced: ReasonClauseTable
    on_registry: ReasonClauseTable
    manual: ReasonClauseTable
    opted_out: ReasonClauseTable
    complained: ReasonClauseTable
    erased: ReasonClauseTable
    minor: ReasonClauseTable
    restricted: ReasonClauseTable
    legal: ReasonClauseTable


class BasisTable(Table):
    business: OneBasis
    personal: OneBasis


class ClauseTable(Table):
    business: ClauseId
    personal: ClauseId


class CapTable(Table):
    count: Annotated[int, Field(ge=1, le=MAX_CAP_COUNT_MESSAGES)]
    days: Annotated[int, Field(ge=1, le=MAX_CAP_PERIOD_DAYS)]
    clause: ClauseId


class PurposeTable(Table):
    id: ShortId
    label: Label
    purpose_class: Annotated[OnePurposeClass, Field(alias="class")]
    audiences: Annotated[list[Audience], Field(min_length=1)]
    channels: Annotated[list[OneChannel], Field(min_length=1)]
    basis: BasisTable
    clause: ClauseTable
    succeeds: Annotated[list[ShortId], Field(default_factory=list)]
    cap: CapTable | None = None


class DataUseTable(Table):
    id: ShortId
    label: Label
    default: Literal["on", "off", "prohibited"]
    basis: OneBasis | None = None
    audiences: Annotated[list[Audience], Field(min_length=1)]
    clause: ClauseId


def _one_of(values: Iterable[str]) -> str:
    return "one of " + ", ".join(f"`{value}`" for value in values)


_SLUG_IN_WORDS = (
    "lower-case letters and digits, a letter first, single hyphens between words, "
    f"at most {MAX_ID_LENGTH_CHARACTERS} characters"
)
_AUDIENCES_IN_WORDS = "a list of at least one audience, in lower-case letters, digits, `_` and `-`, or of `all` alone"
_LABEL_IN_WORDS = f"one line of text, no blanks around it, at most {MAX_LABEL_LENGTH_CHARACTERS} characters"
_CLAUSE_IN_WORDS = "the id of a clause, such as `OC-1`"

EXPECTED_OF_KEY = {
    "controller": "a table `[controller]`",
    "controller.id": _SLUG_IN_WORDS,
    "controller.name": _LABEL_IN_WORDS,
    "controller.country": "a country's two capital letters in ISO 3166, such as `GB` (not `UK`) or `US`",
    "controller.unknown_class": _one_of(AddressClass),
    "controller.decision_ttl_hours": f"a whole number from 1 to {MAX_DECISION_TTL_HOURS}",
    "controller.bare_opt_out": _one_of(("everything", "class")),
    "clauses": "a table `[clauses]` with a clause for each refusal reason",
    "clauses.*": "a clause, or a table with `default` and clauses for classes of purposes",
    "clauses.*.*": _CLAUSE_IN_WORDS,
    "purpose": "a table `[[purpose]]`",
    "purpose.id": _SLUG_IN_WORDS,
    "purpose.label": _LABEL_IN_WORDS,
    "purpose.class": _one_of(PurposeClass),
    "purpose.audiences": _AUDIENCES_IN_WORDS,
    "purpose.channels": "a list of at least one channel, each " + _one_of(Channel),
    "purpose.basis": "a table with the basis for `business` and for `personal` addresses",
    "purpose.basis.*": _one_of(Basis),
    "purpose.clause": "a table with the clause for `business` and for `personal` addresses",
    "purpose.clause.*": _CLAUSE_IN_WORDS,
    "purpose.succeeds": f"a list of ids of removed purposes: {_SLUG_IN_WORDS}",
    "purpose.cap": "a table with `count`, `days` and `clause`",
    "purpose.cap.count": f"a whole number of messages from 1 to {MAX_CAP_COUNT_MESSAGES}",
    "purpose.cap.days": f"a whole number of days from 1 to {MAX_CAP_PERIOD_DAYS}",
    "purpose.cap.clause": _CLAUSE_IN_WORDS,
    "data_use": "a table `[[data_use]]`",
    "data_use.id": _SLUG_IN_WORDS,
    "data_use.label": _LABEL_IN_WORDS,
    "data_use.default": _one_of(("on", "off", "prohibited")),
    "data_use.basis": _one_of(Basis),
    "data_use.audiences": _AUDIENCES_IN_WORDS,
    "data_use.clause": _CLAUSE_IN_WORDS,
}
"""What each key of the format expects; a list's entries expect what the list says, `*` is any key of the table."""


@dataclass(frozen=True, slots=True)
class FaultReport:
    """The faults found so far in one file; one fault a key is enough."""

    file: str
    fault_of_key: dict[str, Fault] = field(default_factory=dict)

    def add(self, key: str, expected: str) -> None:
        self.fault_of_key.setdefault(key, Fault(self.file, key, expected))

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(self.fault_of_key.values())


TableT = TypeVar("TableT", bound=Table)


def read_table(model: type[TableT], raw: object, key: str, report: FaultReport) -> TableT | None:
    """The table in its shape, or None with every fault of its shape in the report."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=False, include_input=False):
            _report_shape_fault(model, key, detail["loc"], detail["type"], report)
        return None


def key_in_words(key: str) -> str:
    """The key as a fault may print it; a key that is no plain word might hold somebody's data and is not quoted."""
    return key if PLAIN_KEY.fullmatch(key) else "?"


def known_keys_in_words(keys: Iterable[str]) -> str:
    return "no such key here; known are " + ", ".join(f"`{key}`" for key in keys)


def _report_shape_fault(
    model: type[Table], key: str, location: tuple[int | str, ...], fault_type: str, report: FaultReport
) -> None:
    # An entry of a list is counted from one, as a person counts the tables of a file.
    steps = [f"[{step + 1}]" if isinstance(step, int) else f".{key_in_words(step)}" for step in location]
    faulty_key = key + "".join(steps)
    if fault_type == "extra_forbidden":
        report.add(faulty_key, known_keys_in_words(_keys_at(model, location[:-1])))
    else:
        required = "required: " if fault_type == "missing" else ""
        report.add(faulty_key, required + expected_at(faulty_key))


def _keys_at(model: type[Table], location: tuple[int | str, ...]) -> list[str]:
    for step in location:
        model = NESTED_TABLES[model][str(step)]
    return [info.alias or name for name, info in model.model_fields.items()]


NESTED_TABLES: dict[type[Table], dict[str, type[Table]]] = {
    ClausesTable: dict.fromkeys(RefusalReason, ReasonClauseTable),
    PurposeTable: {"basis": BasisTable, "clause": ClauseTable, "cap": CapTable},
}


def expected_at(key: str) -> str:
    """What a key of the format expects, in words; the place of an entry in a list makes no difference."""
    words = re.sub(r"\[\d+\]", "", key).split(".")
    patterns = (words, [*words[:-1], "*"], [words[0], *("*" for _ in words[1:])])
    return next(EXPECTED_OF_KEY[".".join(pattern)] for pattern in patterns if ".".join(pattern) in EXPECTED_OF_KEY)
