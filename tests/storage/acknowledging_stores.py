"""Stores that acknowledge too early or too lightly: what a durability test that deserves its name must catch."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

from prefcenter.storage.sqlite import SqliteStore
from prefcenter.storage.sqlite_writer import Answer, GroupCommitWriter

PAUSE_BEFORE_COMMIT_S = 0.01


class EarlyWriter(GroupCommitWriter):
    """Says "done" first and commits a moment later."""

    def _finish(self, answers: Sequence[Answer]) -> None:
        self._acknowledge(answers)
        time.sleep(PAUSE_BEFORE_COMMIT_S)
        self._commit()


class EarlyStore(SqliteStore):
    writer_type = EarlyWriter


class LightStore(SqliteStore):
    """Commits without waiting for the disk."""

    def _open(self, *, writable: bool) -> sqlite3.Connection:
        connection = super()._open(writable=writable)
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection


STORES = {"real": SqliteStore, "early": EarlyStore, "light": LightStore}
