"""The closed lists on the wire: lower-case words, each with its meaning."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import TypeVar

import strawberry
from strawberry.types.enum import has_enum_definition

from prefcenter.domain import terms
from prefcenter.domain.terms import AddressClass, Basis, Channel, PurposeClass, RefusalReason
from prefcenter.services.acts import Outcome

AnyEnum = TypeVar("AnyEnum", bound=type[Enum])


class Reason(StrEnum):
    """What a decision says: the domain's reasons, and one word for those that are nobody's business."""

    PERMITTED = "permitted"
    INVALID_ADDRESS = "invalid_address"
    UNKNOWN_PURPOSE = "unknown_purpose"
    CHANNEL_NOT_OFFERED = "channel_not_offered"
    AUDIENCE_NOT_COVERED = "audience_not_covered"
    PROHIBITED = "prohibited"
    BOUNCED = "bounced"
    ON_REGISTRY = "on_registry"
    MANUAL = "manual"
    OPTED_OUT = "opted_out"
    COMPLAINED = "complained"
    SUPPRESSED = "suppressed"
    ERASED = "erased"
    MINOR = "minor"
    RESTRICTED = "restricted"
    LEGAL = "legal"
    PAUSED = "paused"
    NO_CONSENT = "no_consent"
    CONSENT_EXPIRED = "consent_expired"
    FREQUENCY_CAP = "frequency_cap"
    CHECK_FAILED = "check_failed"


class ChangeKind(StrEnum):
    """What happened, in the change feed."""

    REFUSED = "refused"
    ANNULLED = "annulled"
    GRANTED = "granted"
    PROPOSED = "proposed"
    LIFTED = "lifted"
    DELIVERED = "delivered"
    DELISTED = "delisted"
    PAUSED = "paused"
    HELD = "held"
    RELEASED = "released"
    DESCRIBED = "described"
    ERASED = "erased"
    WITHHELD = "withheld"


REASON_OF = {reason: Reason(reason.value) for reason in terms.Reason}
"""The word on the wire for each reason of the domain."""


def described(enum: AnyEnum, description: str, meanings: Mapping[str, str], name: str | None = None) -> None:
    """Give an enumeration to the schema, by its values and with a meaning for each."""
    described = strawberry.enum(enum, name=name, description=description, graphql_name_from="value")
    if not has_enum_definition(described):
        raise TypeError(f"{enum.__name__} is no enumeration of the schema")
    for value in described.__strawberry_definition__.values:
        value.description = meanings[value.name]


described(
    Channel,
    "A way of reaching a person.",
    {
        "email": "Email.",
        "sms": "Text messages; shares telephone numbers with `voice`.",
        "voice": "Calls; shares telephone numbers with `sms`.",
        "post": "Letters.",
        "push": "Push messages of an app.",
    },
)
described(
    AddressClass,
    "Whose address it is. A free-mail address and a home address are personal whatever anyone says (OC-3).",
    {
        "business": "An address at an employer.",
        "personal": "A person's own address; promotional and informational messages need its consent (HOUSE-1).",
    },
)
described(
    PurposeClass,
    "The kind of message a purpose is, which decides what may stop it.",
    {
        "promotional": "Offers and advertising.",
        "informational": "News, events and publications.",
        "recruitment": "Positions and careers (OC-2, OCC-12).",
        "administrative": "What the contract needs; an opt-out does not stop it (CC1-2).",
    },
)
described(
    Basis,
    "The one legal basis of a purpose for a class of addresses (OCC-14).",
    {
        "consent": "This very address said yes, and the consent is in force.",
        "legitimate_interests": "Permitted until the person objects.",
        "contract": "Needed for the contract.",
    },
)
_REFUSAL_MEANINGS = {
    "bounced": "Messages came back as undeliverable; stops administrative ones too.",
    "on_registry": "The address is on a registry of people who want no such messages.",
    "manual": "An administrator suppressed it.",
    "opted_out": "The person opted out.",
    "complained": "The person complained about a message.",
    "erased": "The person had their data erased; all that is kept is that they left.",
    "minor": "The address belongs to somebody who is too young (CC1-9).",
    "restricted": "Use of the person's data is blocked (UN-6).",
    "legal": "A legal ground forbids it.",
}
described(RefusalReason, "Why an address is suppressed, the weakest reason first.", _REFUSAL_MEANINGS)
described(
    Reason,
    "Why a decision came out as it did.",
    {
        "permitted": "It may be sent.",
        "invalid_address": "The text is not an address of that channel.",
        "unknown_purpose": "The policy knows no such purpose or data use (OCC-16).",
        "channel_not_offered": "The policy does not offer the purpose on that channel.",
        "audience_not_covered": "The purpose is not meant for that audience.",
        "prohibited": "The policy prohibits this use of data, whoever asks.",
        **_REFUSAL_MEANINGS,
        "suppressed": (
            "Suppressed. Keys without the scope `read` or `admin` see this word for `erased`, `minor`, `restricted` and"
            " `legal`, which are nobody's business."
        ),
        "paused": "The person asked for quiet until a later date.",
        "no_consent": "It needs the consent of this very address, and there is none.",
        "consent_expired": "The consent of this address has expired.",
        "frequency_cap": "The person has had as many of these messages as was promised (TCC-2).",
        "check_failed": "There is no answer, for instance because the store is down; nothing may be sent.",
    },
)
described(
    Outcome,
    "What an act came to.",
    {
        "recorded": "It is on disk and binds the next decision anywhere.",
        "unchanged": "It was on record already.",
        "pending": "It is on record and takes effect when the person confirms it.",
        "absent": "There was nothing to lift or to remove.",
    },
)
described(
    ChangeKind,
    "What happened to a record.",
    {
        "refused": "A refusal arrived; `reason` and `scope` say which.",
        "annulled": "The person took a refusal back on the page, minutes after; what it had replaced stands again.",
        "granted": "A consent arrived for `cell`.",
        "proposed": "A consent arrived over a standing refusal and waits for the person to confirm it.",
        "lifted": "An administrator lifted refusals of `reason`; `source` is the cause.",
        "delivered": "A delivery was verified, so bounces on the channel are over.",
        "delisted": "A registry's list was replaced and no longer names this address.",
        "paused": "The person asked for quiet until `pausedUntil`, or ended it.",
        "held": "A contact took up this address.",
        "released": "A contact gave up this address.",
        "described": "A contact's description changed.",
        "erased": "The person had their data erased.",
        "withheld": "What happened was erased since; only its place in the feed is left.",
    },
)
