"""The links of messages: to refuse with one click, to manage one's choices, to confirm, to undo (CC1-1, TCC-1, OCC-2).

A link knows the address by its digests only. What is refused through it is written to the very record that they name,
whatever keys were made since, so an old link works for good.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from prefcenter.domain.errors import ActRefused, InvalidAddress, InvalidInput
from prefcenter.domain.events import EVERYTHING, Cell, Scope
from prefcenter.domain.policy import Policy, Purpose
from prefcenter.domain.terms import KIND_OF_CHANNEL, Channel
from prefcenter.domain.time import MS_PER_DAY
from prefcenter.security.digests import Digester
from prefcenter.security.tokens import ABOUT_BYTES_MAX, TAG_BYTES, LinkCipher, LinkKind, LinkToken, tag
from prefcenter.services.ports import Clock
from prefcenter.services.site import Site
from prefcenter.services.targets import Target, Targets

UNDO_LIFE_MS = 10 * 60 * 1_000
LIFE_MS: Mapping[LinkKind, int] = {
    LinkKind.FRESH: MS_PER_DAY,
    LinkKind.CONFIRM: 7 * MS_PER_DAY,
    LinkKind.UNDO: UNDO_LIFE_MS,
}
"""How long links of a kind work; those of the other kinds do for good."""

ISSUED_END_MS = (1 << 32) * 1_000
"""A token holds when it was made as seconds in 32 bits."""

CELL_TAG_BYTES = 4
CONFIRMED_CELLS_MAX = ABOUT_BYTES_MAX // CELL_TAG_BYTES
"""How many choices one confirmation can be about."""

_CAMPAIGN = re.compile(r"[!-~]{1,100}", re.ASCII)
_NO_CAMPAIGN = bytes(TAG_BYTES)
_VERSION_BYTES = 4


@dataclass(frozen=True, slots=True)
class MailLinks:
    """What goes into one message. `headers` are for mail only, and empty on the other channels."""

    unsubscribe_url: str
    manage_url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Link:
    """A link that was opened. `target` has no address.

    `purpose` and `campaign` (its digest): of the message that it came in; None for a purpose that is no more.
    `confirms` are the tags of the choices that a confirmation is about; `undoes` the first and last version of the
    refusals that an undo takes back.
    """

    kind: LinkKind
    channel: Channel
    target: Target
    issued_ms: int
    purpose: Purpose | None = None
    campaign: bytes = b""
    confirms: frozenset[bytes] = frozenset()
    undoes: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Stamps:
    """Stamps the links of one message on one address after the other, as of one time.

    `like` is a token of it: all that differs from address to address are the digests.
    """

    site: Site
    _targets: Targets
    _cipher: LinkCipher
    _like: LinkToken

    def of(self, address: str) -> tuple[str, str]:
        """The URLs to unsubscribe at and of the page. Raises InvalidAddress."""
        ((to_unsubscribe, to_manage),) = self.tokens([self.digests(address)])
        return self.site.unsubscribe_url(to_unsubscribe), self.site.page_url(to_manage)

    def digests(self, address: str) -> tuple[bytes, bytes]:
        """The digests of an address and of its exact form, as new acts are written under. Raises InvalidAddress."""
        target = self._targets.of(address, self._like.channel)
        if target.exact is None:
            raise InvalidAddress("is a whole domain, which gets no message")
        return target.write_to.value, target.exact.value

    def tokens(self, digests: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
        """The tokens of both links for each address, all of the same length."""
        kinds = (LinkKind.UNSUBSCRIBE, LinkKind.MANAGE)
        made = (self._cipher.seal_each(replace(self._like, kind=kind), digests) for kind in kinds)
        return list(zip(*made, strict=True))


class Links:
    """Makes and opens the links of one controller."""

    def __init__(self, policy: Policy, digester: Digester, cipher: LinkCipher, clock: Clock, site: Site) -> None:
        self._policy = policy
        self._digester = digester
        self._targets = Targets(policy.country, digester)
        self._cipher = cipher
        self._clock = clock
        self._site = site
        self._purposes = dict(_tagged(policy))

    def of_message(self, address: str, purpose: str, channel: Channel, campaign: str | None = None) -> MailLinks:
        """The links of one message of a purpose. Raises InvalidAddress, InvalidInput, ActRefused.

        `campaign` is the tool's own name of what is sent.
        """
        named, about = self._about(purpose, channel, campaign)
        return self._of_address(address, channel, named, about)

    def of_messages(
        self, addresses: Sequence[str], purpose: str, channel: Channel, campaign: str | None = None
    ) -> Sequence[MailLinks | None]:
        """The links of one message to each address, in their order; None for text that is no address."""
        named, about = self._about(purpose, channel, campaign)
        made: list[MailLinks | None] = []
        for address in addresses:
            try:
                made.append(self._of_address(address, channel, named, about))
            except InvalidAddress:
                made.append(None)
        return made

    def stamps(self, purpose: str, channel: Channel, campaign: str | None = None) -> Stamps:
        """What makes the same links for millions of addresses. Raises InvalidInput, ActRefused."""
        _, about = self._about(purpose, channel, campaign)
        subject, exact = self._digester.written_under(KIND_OF_CHANNEL[channel])
        like = LinkToken(LinkKind.UNSUBSCRIBE, channel, subject, exact, self._clock() // 1_000, about)
        return Stamps(self._site, self._targets, self._cipher, like)

    def as_of(self, at_ms: int) -> Links:
        """The same, as if it were that time: what is made again has the same links.

        Raises InvalidInput for a time that a token cannot hold.
        """
        if not 0 <= at_ms < ISSUED_END_MS:
            raise InvalidInput("at: expected a time from 1970 to 2105, for links hold it")
        return Links(self._policy, self._digester, self._cipher, lambda: at_ms, self._site)

    def fresh(self, target: Target, channel: Channel) -> str:
        """The URL of the page for somebody who just asked for it by their address."""
        return self._site.page_url(self._seal(LinkKind.FRESH, target, channel))

    def confirmation(self, target: Target, channel: Channel, cells: Iterable[Cell]) -> str:
        """The URL at which a person confirms choices, of which there are CONFIRMED_CELLS_MAX at most."""
        about = b"".join(sorted(cell_tag(cell) for cell in cells))
        return self._site.confirm_url(self._seal(LinkKind.CONFIRM, target, channel, about))

    def undo(self, target: Target, channel: Channel, first_version: int, last_version: int) -> str:
        """A token that takes back what was refused in those versions of the target's record."""
        versions = (first_version.to_bytes(_VERSION_BYTES, "big"), last_version.to_bytes(_VERSION_BYTES, "big"))
        return self._seal(LinkKind.UNDO, target, channel, b"".join(versions))

    def open(self, text: str) -> Link | None:
        """The link behind a token; None for one that is not this controller's, was altered, or worked for a time."""
        token = self._cipher.open(text)
        if token is None:
            return None
        issued_ms, life_ms = token.issued_s * 1_000, LIFE_MS.get(token.kind)
        if life_ms is not None and self._clock() - issued_ms > life_ms:
            return None
        target = Target(token.subject, (token.subject,), token.exact, frozenset({token.exact}))
        return self._read(token, target, issued_ms)

    def _read(self, token: LinkToken, target: Target, issued_ms: int) -> Link:
        about = token.about
        match token.kind:
            case LinkKind.UNSUBSCRIBE | LinkKind.MANAGE:
                purpose = self._purposes.get(about[:TAG_BYTES])
                return Link(token.kind, token.channel, target, issued_ms, purpose, about[TAG_BYTES:])
            case LinkKind.CONFIRM:
                steps = range(0, len(about), CELL_TAG_BYTES)
                confirms = frozenset(about[step : step + CELL_TAG_BYTES] for step in steps)
                return Link(token.kind, token.channel, target, issued_ms, confirms=confirms)
            case LinkKind.UNDO:
                first, last = about[:_VERSION_BYTES], about[_VERSION_BYTES:]
                undoes = int.from_bytes(first, "big"), int.from_bytes(last, "big")
                return Link(token.kind, token.channel, target, issued_ms, undoes=undoes)
        return Link(token.kind, token.channel, target, issued_ms)

    def _about(self, purpose: str, channel: Channel, campaign: str | None) -> tuple[Purpose, bytes]:
        """The purpose of a message, and what its links are about."""
        named = self._checked_purpose(purpose, channel)
        if campaign is not None and not _CAMPAIGN.fullmatch(campaign):
            raise InvalidInput("campaign: expected 1 to 100 printable ASCII characters without spaces")
        return named, _purpose_tag(named.id) + (_NO_CAMPAIGN if campaign is None else tag("campaign", campaign))

    def _of_address(self, address: str, channel: Channel, purpose: Purpose, about: bytes) -> MailLinks:
        target = self._targets.of(address, channel)
        if target.exact is None:
            raise InvalidAddress("is a whole domain, which gets no message")
        unsubscribe_url = self._site.unsubscribe_url(self._seal(LinkKind.UNSUBSCRIBE, target, channel, about))
        manage_url = self._site.page_url(self._seal(LinkKind.MANAGE, target, channel, about))
        headers = self._headers(unsubscribe_url, purpose) if channel is Channel.EMAIL else {}
        return MailLinks(unsubscribe_url, manage_url, headers)

    def _headers(self, unsubscribe_url: str, purpose: Purpose) -> Mapping[str, str]:
        """One click (RFC 8058 section 3.1, RFC 2369 section 3.2), and which list a mail is of (RFC 2919)."""
        return {
            "List-Unsubscribe": f"<{unsubscribe_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "List-Id": f"<{purpose.id}.{self._policy.controller}.{self._site.host}>",
        }

    def _seal(self, kind: LinkKind, target: Target, channel: Channel, about: bytes = b"") -> str:
        if target.exact is None:
            raise InvalidInput("address: only an address has links")
        return self._cipher.seal(LinkToken(kind, channel, target.write_to, target.exact, self._clock() // 1_000, about))

    def _checked_purpose(self, purpose_id: str, channel: Channel) -> Purpose:
        purpose = self._policy.purpose_by_id.get(purpose_id)
        if purpose is None:
            raise InvalidInput("purpose: not one of this policy")
        if channel not in purpose.channels:
            raise InvalidInput(f"channel: not offered for {purpose.id}")
        if purpose.is_administrative:
            raise ActRefused(f"{purpose.id} is administrative; nobody can unsubscribe from what rests on the contract")
        return purpose


def cell_tag(cell: Cell) -> bytes:
    """How a confirmation calls a choice; that it also waits for the person is looked up in the record."""
    words = (cell.purpose or "", cell.channel or "", cell.data_use or "")
    return tag("cell", "/".join(words))[:CELL_TAG_BYTES]


def bare_opt_out(policy: Policy, purpose: Purpose | None) -> Scope:
    """What an opt-out that names nothing refuses: the class of the message it came from (CC1-1), or everything.

    Where the policy wants the class and the message's purpose is no more, it is everything: broadly, then.
    """
    if policy.bare_opt_out == "class" and purpose is not None:
        return Scope(purpose_class=purpose.purpose_class)
    return EVERYTHING


def _tagged(policy: Policy) -> Iterable[tuple[bytes, Purpose]]:
    """Purposes by their tags; a removed one is the one that succeeds it."""
    for purpose in policy.purposes:
        for name in (*purpose.succeeds, purpose.id):
            yield _purpose_tag(name), purpose


def _purpose_tag(purpose_id: str) -> bytes:
    return tag("purpose", purpose_id)
