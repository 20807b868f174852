"""The policy of a made-up controller as the state machine changes it, and the same as a policy file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from prefcenter.domain.terms import Basis, Channel, PurposeClass, RefusalReason

CONSENT, INTERESTS, CONTRACT = Basis.CONSENT, Basis.LEGITIMATE_INTERESTS, Basis.CONTRACT
EMAIL, SMS, VOICE = Channel.EMAIL, Channel.SMS, Channel.VOICE
DATA_USES: Mapping[str, Basis] = {"profiling": INTERESTS, "tracking": CONSENT}


@dataclass(frozen=True)
class Promise:
    """One purpose."""

    purpose_class: PurposeClass
    channels: tuple[Channel, ...]
    business: Basis
    personal: Basis
    succeeds: tuple[str, ...] = ()


Promises = Mapping[str, Promise]

FIRST_PROMISES: Promises = {
    "offers": Promise(PurposeClass.PROMOTIONAL, (EMAIL, SMS, VOICE), INTERESTS, CONSENT),
    "tips": Promise(PurposeClass.INFORMATIONAL, (EMAIL,), CONSENT, CONSENT),
    "jobs": Promise(PurposeClass.RECRUITMENT, (EMAIL, SMS), INTERESTS, INTERESTS),
    "service": Promise(PurposeClass.ADMINISTRATIVE, (EMAIL, VOICE), CONTRACT, CONTRACT),
}


def with_renamed(promises: Promises, old: str, new: str) -> Promises:
    """The new purpose succeeds the old one and everything that the old one succeeded."""
    changed = {name: promise for name, promise in promises.items() if name != old}
    return {**changed, new: replace(promises[old], succeeds=(old, *promises[old].succeeds))}


def with_other_basis(promises: Promises, name: str) -> Promises:
    """Consent in the place of legitimate interests towards businesses, and the other way round."""
    promise = promises[name]
    other = CONSENT if promise.business is INTERESTS else INTERESTS
    return {**promises, name: replace(promise, business=other)}


def with_surveys(promises: Promises) -> Promises:
    surveys = Promise(PurposeClass.INFORMATIONAL, (EMAIL, SMS), INTERESTS, CONSENT)
    return {**promises, "surveys": surveys}


def policy_text(controller: str, promises: Promises) -> str:
    """The policy file that makes these promises."""
    head = (
        f'[controller]\nid = "{controller}"\nname = "{controller.title()}"\ncountry = "GB"\n'
        'unknown_class = "personal"\ndecision_ttl_hours = 24\nbare_opt_out = "everything"\n'
    )
    clauses = "[clauses]\n" + "".join(f'{reason.value} = "OC-1"\n' for reason in RefusalReason)
    purposes = [_purpose_text(name, promise) for name, promise in promises.items()]
    data_uses = [_data_use_text(name, basis) for name, basis in DATA_USES.items()]
    return "\n".join([head, clauses, *purposes, *data_uses])


def _purpose_text(name: str, promise: Promise) -> str:
    return (
        f'[[purpose]]\nid = "{name}"\nlabel = "{name.title()}"\nclass = "{promise.purpose_class.value}"\n'
        f'audiences = ["all"]\nchannels = {_listed(channel.value for channel in promise.channels)}\n'
        f'basis = {{ business = "{promise.business.value}", personal = "{promise.personal.value}" }}\n'
        'clause = { business = "OC-1", personal = "OC-3" }\n'
        f"succeeds = {_listed(promise.succeeds)}\n"
    )


def _listed(words: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


def _data_use_text(name: str, basis: Basis) -> str:
    default = "off" if basis is CONSENT else "on"
    return (
        f'[[data_use]]\nid = "{name}"\nlabel = "{name.title()}"\ndefault = "{default}"\n'
        f'audiences = ["all"]\nbasis = "{basis.value}"\nclause = "OC-5"\n'
    )
