"""Stores as a whole: made, completed, and moved to another place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prefcenter.security.keyring import load_keyring
from prefcenter.settings import Settings
from prefcenter.storage import copy_between, make_store

if TYPE_CHECKING:
    from prefcenter.storage.copying import Copied


def make_store_of(settings: Settings) -> bool:
    """Make the store of a home, or what is missing of it; gives whether all of it was there."""
    return make_store(settings.store_url)


def copy_store(settings: Settings, source: str, target: str) -> Sequence[Copied]:
    """Copy a store to another URL with the keyring of a home. Raises StoreError where they are not the same then."""
    return copy_between(source, target, load_keyring(settings.keyring))
