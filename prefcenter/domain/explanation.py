"""Each answer in one plain English sentence; GraphQL has the others, and the page has words of its own."""

from __future__ import annotations

from prefcenter.domain.decision import Decision
from prefcenter.domain.terms import Basis, Reason

_PERMITTED = {
    Basis.CONSENT: "It may be {act}: this very address consented to it, and the consent is in force.",
    Basis.LEGITIMATE_INTERESTS: "It may be {act} on legitimate interests, and nobody has asked for it to stop.",
    Basis.CONTRACT: "It may be {act}: it is an administrative message that the contract needs.",
}
_REFUSED = {
    Reason.INVALID_ADDRESS: "It may not be {act}: this is not an address of that channel.",
    Reason.UNKNOWN_PURPOSE: "It may not be {act}: the policy knows no such purpose, and people were never told of it.",
    Reason.CHANNEL_NOT_OFFERED: "It may not be {act}: the policy does not offer this purpose on that channel.",
    Reason.AUDIENCE_NOT_COVERED: "It may not be {act}: the purpose is not meant for that audience.",
    Reason.PROHIBITED: "It is never done, whoever asks: the policy prohibits this use of data.",
    Reason.BOUNCED: "It may not be {act}: messages to this address came back as undeliverable.",
    Reason.ON_REGISTRY: "It may not be {act}: the address is on a registry of people who want no such messages.",
    Reason.MANUAL: "It may not be {act}: an administrator suppressed this address.",
    Reason.OPTED_OUT: "It may not be {act}: the person opted out, and no later consent for exactly this is in force.",
    Reason.COMPLAINED: "It may not be {act}: the person complained, and no later consent for exactly this is in force.",
    Reason.ERASED: "It may not be {act}: the person had their data erased; all that is kept is that they left.",
    Reason.MINOR: "It may not be {act}: the address belongs to somebody who is too young.",
    Reason.RESTRICTED: "It may not be {act}: use of this person's data is blocked.",
    Reason.LEGAL: "It may not be {act}: a legal ground forbids it.",
    Reason.PAUSED: "It may not be {act} now: the person asked for quiet until a later date.",
    Reason.NO_CONSENT: "It may not be {act}: it needs the consent of this very address, and there is none.",
    Reason.CONSENT_EXPIRED: "It may not be {act}: the consent of this address has expired.",
    Reason.FREQUENCY_CAP: "It may not be {act} now: this person has had as many of these messages as was promised.",
    Reason.CHECK_FAILED: "It may not be {act}: the check failed, and without an answer nothing is sent.",
}


def explain(decision: Decision, *, of_data_use: bool = False) -> str:
    """The sentence for a decision about a message, or about a use of data."""
    sentence = _REFUSED[decision.reason] if decision.basis is None else _PERMITTED[decision.basis]
    return sentence.format(act="done" if of_data_use else "sent")
