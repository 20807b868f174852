"""Lists of contacts as they come out of other systems, read so that their rows come out again as they went in."""

from __future__ import annotations

from jobs.lists.columns import Column
from jobs.lists.contacts import ContactList, Placed, RowBatch, RowSink, Sought, SoughtColumn
from jobs.lists.dialect import Dialect
from jobs.lists.encoding import Encoding
from jobs.lists.opening import OpenList, open_list
from jobs.lists.records import RawRecord

__all__ = [
    "Column",
    "ContactList",
    "Dialect",
    "Encoding",
    "OpenList",
    "Placed",
    "RawRecord",
    "RowBatch",
    "RowSink",
    "Sought",
    "SoughtColumn",
    "open_list",
]
