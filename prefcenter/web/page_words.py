"""Decisions, classes and channels in words that people use. Each is English here and translated where it is shown."""

from __future__ import annotations

from collections.abc import Mapping

from prefcenter.domain.terms import Basis, Channel, PurposeClass, Reason


def word(text: str) -> str:
    """Marks a text for the catalogues."""
    return text


CHANNELS: Mapping[Channel, str] = {
    Channel.EMAIL: word("by email"),
    Channel.SMS: word("by text message"),
    Channel.VOICE: word("by phone call"),
    Channel.POST: word("by post"),
    Channel.PUSH: word("in the app"),
}

CLASSES: Mapping[PurposeClass, str] = {
    PurposeClass.PROMOTIONAL: word("News and offers"),
    PurposeClass.INFORMATIONAL: word("Invitations, publications and surveys"),
    PurposeClass.RECRUITMENT: word("Jobs and careers"),
    PurposeClass.ADMINISTRATIVE: word("What your account or contract needs"),
}
"""The groups of the page, in their order."""

MESSAGES: Mapping[PurposeClass | None, str] = {
    None: word("marketing messages"),
    PurposeClass.PROMOTIONAL: word("promotional messages"),
    PurposeClass.INFORMATIONAL: word("informational messages"),
    PurposeClass.RECRUITMENT: word("recruitment messages"),
}
"""What a bare opt-out stops; None stands for all classes that can be stopped."""

ALLOWED_BECAUSE: Mapping[Basis, str] = {
    Basis.CONSENT: word("You agreed to this."),
    Basis.LEGITIMATE_INTERESTS: word("We have a legitimate interest in this. You can say no at any time."),
    Basis.CONTRACT: word("Your account or contract needs this, so it goes on."),
}

STOPPED_BECAUSE: Mapping[Reason, str] = {
    Reason.OPTED_OUT: word("You said no to this."),
    Reason.COMPLAINED: word("You said no to this."),
    Reason.NO_CONSENT: word("You have not agreed to this."),
    Reason.CONSENT_EXPIRED: word("You agreed to this once; that has expired."),
    Reason.FREQUENCY_CAP: word("For now you have had as many as we promised at most."),
    Reason.BOUNCED: word("Our messages to you came back."),
    Reason.ON_REGISTRY: word("Your address is on a register of people who want no such messages."),
    Reason.PROHIBITED: word("We never do this."),
}
OTHERWISE_STOPPED = word("This is stopped. Please write to us if you wonder why.")
"""For reasons that a page does not tell, such as a legal one: whoever holds the link may not be the person."""

LEAVING_REASONS: Mapping[str, str] = {
    "too_many": word("I get too many messages"),
    "not_relevant": word("They are not relevant to me"),
    "never_asked": word("I never asked for them"),
    "changed_job": word("I have another job or role now"),
    "privacy": word("I do not want my data used"),
    "other": word("Something else"),
}
"""A closed list: no free text gets in, and only counts of these are kept."""
