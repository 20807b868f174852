"""Lists of contacts as they come out of other systems: any CSV or TSV, read as raw records that lose no byte."""

from __future__ import annotations

from jobs.lists.columns import Column
from jobs.lists.dialect import Dialect
from jobs.lists.encoding import Encoding
from jobs.lists.opening import OpenList, open_list
from jobs.lists.records import RawRecord

__all__ = ["Column", "Dialect", "Encoding", "OpenList", "RawRecord", "open_list"]
