"""Which acts a policy admits: a refusal that would bind nothing and a consent that would open nothing are errors."""

from __future__ import annotations

from dataclasses import dataclass, replace

from prefcenter.domain.decision import STOPS_ADMINISTRATIVE
from prefcenter.domain.errors import ActRefused, InvalidInput
from prefcenter.domain.events import Cell, Scope
from prefcenter.domain.policy import Policy
from prefcenter.domain.terms import AddressKind, Channel, PurposeClass, RefusalReason
from prefcenter.services.ports import Clock
from prefcenter.services.reach import CHANNEL_REASONS
from prefcenter.services.slugs import check_slug


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent as it comes in: for one cell of one exact address, with its evidence. Times in UTC milliseconds."""

    cell: Cell
    wording: str
    method: str
    actor: str
    given_ms: int | None = None
    expires_ms: int | None = None


class Admission:
    """The checks of one policy. They raise InvalidInput or ActRefused."""

    def __init__(self, policy: Policy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock

    def checked_scope(self, reason: RefusalReason, scope: Scope, kind: AddressKind | None) -> Scope:
        """The scope with the channel that a reason implies, for messages. A `kind` of None: of a whole contact.

        Raises where the refusal could not take effect.
        """
        if reason in CHANNEL_REASONS:
            scope = _of_one_channel(reason, scope, kind)
        self._check_names(scope)
        if reason not in STOPS_ADMINISTRATIVE and self._is_administrative(scope):
            raise ActRefused(f"administrative messages are not stopped by {reason.value}; they rest on the contract")
        return scope

    def check_consent(self, consent: Consent) -> None:
        """Raises where a consent is for no cell of the policy, or has no proper evidence (OCC-15)."""
        check_slug(consent.wording, "wording", may_have_version=True)
        check_slug(consent.method, "method")
        check_slug(consent.actor, "actor")
        given_ms = self._clock() if consent.given_ms is None else consent.given_ms
        if consent.expires_ms is not None and consent.expires_ms <= given_ms:
            raise InvalidInput("expires: a consent must end after it was given")
        if consent.cell.data_use is not None:
            if consent.cell != Cell(None, None, consent.cell.data_use):
                raise InvalidInput("data use: a consent is for a data use, or for a purpose on a channel")
            self._check_data_use(consent.cell.data_use)
            return
        purpose = self._policy.purpose_by_id.get(consent.cell.purpose or "")
        if purpose is None:
            raise InvalidInput("purpose: not one of this policy")
        if consent.cell.channel not in purpose.channels:
            raise InvalidInput(f"channel: not offered for {purpose.id}")
        if purpose.is_administrative:
            raise ActRefused(f"{purpose.id} is administrative and rests on the contract; consent is not asked for")

    def _check_data_use(self, data_use_id: str) -> None:
        data_use = self._policy.data_use_by_id.get(data_use_id)
        if data_use is None:
            raise InvalidInput("data use: not one of this policy")
        if data_use.basis is None:
            raise ActRefused(f"{data_use_id} is prohibited; no consent allows it")

    def _check_names(self, scope: Scope) -> None:
        """A refusal of a purpose that nobody knows would bind nothing, so a misspelt one is an error."""
        if sum(part is not None for part in (scope.purpose, scope.purpose_class, scope.data_use)) > 1:
            raise InvalidInput("scope: name a purpose, a class or a data use; what is all of them at once is nothing")
        succeeded = {name for purpose in self._policy.purposes for name in purpose.succeeds}
        if scope.purpose is not None and scope.purpose not in self._policy.purpose_by_id.keys() | succeeded:
            raise InvalidInput("purpose: not one of this policy")
        if scope.data_use is not None and scope.data_use not in self._policy.data_use_by_id:
            raise InvalidInput("data use: not one of this policy")

    def _is_administrative(self, scope: Scope) -> bool:
        purpose = self._policy.purpose_by_id.get(scope.purpose or "")
        named = purpose is not None and purpose.is_administrative
        return named or scope.purpose_class is PurposeClass.ADMINISTRATIVE


def _of_one_channel(reason: RefusalReason, scope: Scope, kind: AddressKind | None) -> Scope:
    if kind is None:
        raise InvalidInput(f"contact: {reason.value} speaks of one address; name that address")
    if scope.channel is not None or scope.data_use is not None:
        return scope
    if kind is AddressKind.PHONE:
        raise InvalidInput(f"channel: {reason.value} speaks of one channel; name sms or voice")
    return replace(scope, channel=Channel(kind.value))
