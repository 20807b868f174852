"""The sealers of a store: one a controller, and one for what belongs to the whole store."""

from __future__ import annotations

from collections.abc import Collection

from prefcenter.security.keyring import Keyring
from prefcenter.security.seals import Sealer

TERM_NUMBER_BYTES = 4

WHOLE_STORE = ""
"""Stands where a controller's name would, for seals that say only whose store it is; no controller is called so."""


class SealerByController:
    """Sealers are made once a controller; making one derives a subkey for each key."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._sealers: dict[str, Sealer] = {}

    def __getitem__(self, controller: str) -> Sealer:
        if controller not in self._sealers:
            self._sealers[controller] = Sealer(self._keyring, controller)
        return self._sealers[controller]


def new_term_number(sealer: Sealer, controller_id: int, text: str, *, taken: Collection[int]) -> int:
    """The number of a text that has none yet.

    Numbers come from a keyed hash of the text and do not count up: the number of a deleted text must never fall to
    another one, for every scope that names it would then say something else, and no MAC would tell.
    """
    seal = sealer.seal(sealer.active_key_id, "term number", controller_id, text)
    number = int.from_bytes(seal[:TERM_NUMBER_BYTES], "big")
    while number in taken:
        number += 1
    return number
