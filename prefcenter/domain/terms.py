"""The field's standard words, as closed lists. Every value is a lower-case word, on the wire too."""

from __future__ import annotations

from enum import StrEnum


class Channel(StrEnum):
    """A way of reaching a person. `sms` and `voice` share phone numbers."""

    EMAIL = "email"
    SMS = "sms"
    VOICE = "voice"
    POST = "post"
    PUSH = "push"


class AddressKind(StrEnum):
    """What a channel sends to; `Channel.address_kind` of every channel is one of these."""

    EMAIL = "email"
    PHONE = "phone"
    POST = "post"
    PUSH = "push"


KIND_OF_CHANNEL = {
    Channel.EMAIL: AddressKind.EMAIL,
    Channel.SMS: AddressKind.PHONE,
    Channel.VOICE: AddressKind.PHONE,
    Channel.POST: AddressKind.POST,
    Channel.PUSH: AddressKind.PUSH,
}


class AddressClass(StrEnum):
    """Whose address it is. A home address and a free-mail address are always personal (OC-3)."""

    BUSINESS = "business"
    PERSONAL = "personal"


class PurposeClass(StrEnum):
    """The kind of message a purpose is, which decides what may stop it."""

    PROMOTIONAL = "promotional"
    INFORMATIONAL = "informational"
    RECRUITMENT = "recruitment"
    ADMINISTRATIVE = "administrative"


class Basis(StrEnum):
    """The one legal basis of a purpose for a class of addresses (OCC-14)."""

    CONSENT = "consent"
    LEGITIMATE_INTERESTS = "legitimate_interests"
    CONTRACT = "contract"


class RefusalReason(StrEnum):
    """Why an address is suppressed, weakest first; the order is the strength."""

    BOUNCED = "bounced"
    ON_REGISTRY = "on_registry"
    MANUAL = "manual"
    OPTED_OUT = "opted_out"
    COMPLAINED = "complained"
    ERASED = "erased"
    MINOR = "minor"
    RESTRICTED = "restricted"
    LEGAL = "legal"


STRENGTH = {reason: rank for rank, reason in enumerate(RefusalReason)}
"""Strength of each refusal reason: the larger number is reported when several stand."""


class Reason(StrEnum):
    """What a decision says: `permitted`, or the one test that refused."""

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
    ERASED = "erased"
    MINOR = "minor"
    RESTRICTED = "restricted"
    LEGAL = "legal"
    PAUSED = "paused"
    NO_CONSENT = "no_consent"
    CONSENT_EXPIRED = "consent_expired"
    FREQUENCY_CAP = "frequency_cap"
    CHECK_FAILED = "check_failed"
