"""Where a reader of the change feed stopped: a position in each partition, as a text that only its feed can make.

A cursor of another controller, or one that was put together by hand, would skip events and nobody would notice. So it
carries a MAC by the key that stays for good, and works across rotations and restarts.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec

from prefcenter.domain.errors import InvalidInput
from prefcenter.domain.ledger import PARTITIONS
from prefcenter.security.seals import MAC_BYTES, Sealer

LABEL = "feed-cursor"
CHARACTERS_MAX = 200
_START = (0,) * PARTITIONS
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, int, int, int, int, int, int, int]).decode


class FeedCursors:
    """The cursors of one controller's feed."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def text(self, positions: Sequence[int]) -> str:
        """The cursor after those positions."""
        content = _encode(list(positions))
        mac = self._sealer.seal(self._sealer.first_key_id, LABEL, content)
        return base64.urlsafe_b64encode(mac + content).rstrip(b"=").decode()

    def positions(self, text: str | None) -> Sequence[int]:
        """What a cursor says; None is the beginning. Raises InvalidInput for one that this feed did not give."""
        if text is None:
            return _START
        try:
            mac, content = _parts(text)
            if self._sealer.holds(self._sealer.first_key_id, mac, LABEL, content):
                return _decode(content)
        except (ValueError, binascii.Error):
            pass
        raise InvalidInput("after: not a cursor that this feed gave")


def _parts(text: str) -> tuple[bytes, bytes]:
    if len(text) > CHARACTERS_MAX:
        raise ValueError("too long")
    octets = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    return octets[:MAC_BYTES], octets[MAC_BYTES:]
