"""Where records and ledger live: one `Store` port, backends chosen by URL."""

from __future__ import annotations

from prefcenter.storage.opening import create_store, open_store, store_file

__all__ = ["create_store", "open_store", "store_file"]
