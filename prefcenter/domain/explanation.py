"""Each answer in one plain English sentence; the page and GraphQL translate from these keys later."""

from __future__ import annotations

from prefcenter.domain.decision import Decision
from prefcenter.domain.terms import Basis, Reason

_PERMITTED = {
    Basis.CONSENT: "It may be sent: this very address consented to it, and the consent is in force.",
    Basis.LEGITIMATE_INTERESTS: "It may be sent on legitimate interests, and nobody has asked for it to stop.",
    Basis.CONTRACT: "It may be sent: it is an administrative message that the contract needs.",
}
_REFUSED = {
    Reason.INVALID_ADDRESS: "It may not be sent: this is not an address of that channel.",
    Reason.UNKNOWN_PURPOSE: "It may not be sent: the policy knows no such purpose, and people were never told of it.",
    Reason.CHANNEL_NOT_OFFERED: "It may not be sent: the policy does not offer this purpose on that channel.",
    Reason.AUDIENCE_NOT_COVERED: "It may not be sent: the purpose is not meant for that audience.",
    Reason.PROHIBITED: "It is never done, whoever asks: the policy prohibits this use of data.",
    Reason.BOUNCED: "It may not be sent: messages to this address came back as undeliverable.",
    Reason.ON_REGISTRY: "It may not be sent: the address is on a registry of people who want no such messages.",
    Reason.MANUAL: "It may not be sent: an administrator suppressed this address.",
    Reason.OPTED_OUT: "It may not be sent: the person opted out, and no later consent for exactly this is in force.",
    Reason.COMPLAINED: "It may not be sent: the person complained, and no later consent for exactly this is in force.",
    Reason.ERASED: "It may not be sent: the person had their data erased; all that is kept is that they left.",
    Reason.MINOR: "It may not be sent: the address belongs to somebody who is too young.",
    Reason.RESTRICTED: "It may not be sent: use of this person's data is blocked.",
    Reason.LEGAL: "It may not be sent: a legal ground forbids it.",
    Reason.PAUSED: "It may not be sent now: the person asked for quiet until a later date.",
    Reason.NO_CONSENT: "It may not be sent: it needs the consent of this very address, and there is none.",
    Reason.CONSENT_EXPIRED: "It may not be sent: the consent of this address has expired.",
    Reason.FREQUENCY_CAP: "It may not be sent now: this person has had as many of these messages as was promised.",
    Reason.CHECK_FAILED: "It may not be sent: the check failed, and without an answer nothing is sent.",
}


def explain(decision: Decision) -> str:
    """The sentence for a decision."""
    if decision.basis is not None:
        return _PERMITTED[decision.basis]
    return _REFUSED[decision.reason]
