"""Letters to people: queued in the store, encrypted, until they are sent, so that a crash loses none (TCC-2, OC-5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from prefcenter.domain.digest import Digest
from prefcenter.domain.errors import MailUnavailable
from prefcenter.domain.policy import Policy
from prefcenter.security.fields import FieldCipher
from prefcenter.services.ports import Clock, Store, WaitingLetter
from prefcenter.services.site import Site

LETTERS_AN_HOUR_MAX = 6
"""To one address of one controller: a form that anybody can fill in must not fill anybody's mailbox."""


class LetterKind(StrEnum):
    """What a letter is for."""

    FRESH_LINK = "fresh_link"
    CONFIRMATION = "confirmation"


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter before it is worded. `url` is what its reader is to open, `labels` the choices that it is about.

    `address` is the plain address of one mailbox. `headers` are those of one click, where the letter is one that its
    reader may not have asked for.
    """

    kind: LetterKind
    address: str
    language: str
    url: str
    name: str
    labels: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Letter).decode


class Outbox:
    """The outbox of one controller."""

    def __init__(self, policy: Policy, cipher: FieldCipher, store: Store, clock: Clock, site: Site) -> None:
        self._controller = policy.controller
        self._cipher = cipher
        self._store = store
        self._clock = clock
        self._site = site

    @property
    def is_open(self) -> bool:
        """Whether what is queued will go out."""
        return self._site.sends_mail

    def require_mail(self) -> None:
        """Raise MailUnavailable where nothing queued would ever go out."""
        if not self.is_open:
            raise MailUnavailable("no mail host is set up here, so nothing can be sent to this address")

    async def queue(
        self, subject: Digest, letter: Letter, *, is_sent: bool = True, letters_max: int = LETTERS_AN_HOUR_MAX
    ) -> bool:
        """Queue a letter; False where its address had too many in the last hour.

        One that is not to be sent is only counted, and costs what the others do. Raises MailUnavailable, StoreError.
        """
        self.require_mail()
        now_ms = self._clock()
        sealed = self._cipher.encrypt(subject, now_ms, _encode(letter))
        content = sealed if is_sent else None
        return await self._store.queue_letter(self._controller, subject, content, now_ms, letters_max=letters_max)

    def open(self, waiting: WaitingLetter) -> Letter:
        """The letter that somebody claimed to send it. Raises StoreDamaged for one that cannot be read."""
        return _decode(self._cipher.decrypt(waiting.subject, waiting.queued_ms, waiting.content))
