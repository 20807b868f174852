"""Where records and ledger live: one `Store` port, backends chosen by URL."""

from __future__ import annotations

from prefcenter.storage.opening import copy_between, create_store, is_distributed, make_store, open_store, store_file

__all__ = ["copy_between", "create_store", "is_distributed", "make_store", "open_store", "store_file"]
