"""Workbooks as they are written: what can go wrong with a cell, a sheet or a disk."""

from __future__ import annotations

import errno
import gc
import io
from pathlib import Path

import pytest

from jobs.lists.columns import Column
from jobs.lists.contacts import Placed
from jobs.lists.workbook import MAX_ROWS, SheetBatch, Value, WorkbookSink, text_of
from prefcenter.domain.errors import InvalidList


class MemoryFile:
    """An output in memory, on a disk that takes so many bytes and no more."""

    def __init__(self, directory: Path, free_bytes: int = 1 << 20) -> None:
        self.directory = directory
        self.content = io.BytesIO()
        self.free_bytes = free_bytes

    def write(self, content: bytes | memoryview, /) -> int:
        if self.content.tell() + len(content) > self.free_bytes:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.content.write(content)


def test_a_disk_that_is_full_at_the_very_end_is_told_as_the_system_tells_it(tmp_path: Path) -> None:
    file = MemoryFile(tmp_path, free_bytes=100)
    sink = WorkbookSink(file, "People", 1)
    sink.begin(0, ["email"], [])
    with pytest.raises(OSError, match="No space left on device") as error:
        sink.finish()
    assert error.value.errno == errno.ENOSPC
    file.free_bytes = 1 << 20
    del sink, error
    gc.collect()


def test_temporary_files_stand_beside_the_output_and_go_with_it(tmp_path: Path) -> None:
    file = MemoryFile(tmp_path)
    sink = WorkbookSink(file, "People", 1)
    sink.write(SheetBatch([["pat@acme.example"]] * 50), [Placed(place) for place in range(50)])
    assert len(list(tmp_path.iterdir())) == 1
    sink.finish()
    assert list(tmp_path.iterdir()) == []
    assert file.content.getvalue().startswith(b"PK")


def test_a_cell_that_is_too_long_is_a_fault_and_not_a_shorter_cell(tmp_path: Path) -> None:
    sink = WorkbookSink(MemoryFile(tmp_path), "People", 1)
    with pytest.raises(InvalidList, match="People:1: column 1: holds more than a cell can"):
        sink.write(SheetBatch([["x" * 32_768]]), [Placed(0)])
    sink.finish()


def test_more_rows_than_a_sheet_holds_are_a_fault_and_not_fewer_rows(tmp_path: Path) -> None:
    sink = WorkbookSink(MemoryFile(tmp_path), "People", 1)
    sink.begin(MAX_ROWS - 2, ["email"], ["prefcenter_reason"])
    sink.write(SheetBatch([["pat@acme.example"]]), [Placed(0, ("manual",), (Column(0),))])
    with pytest.raises(InvalidList, match="has more rows than a sheet can hold"):
        sink.write(SheetBatch([["kim@acme.example"]]), [Placed(0)])
    sink.finish()


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), (447700900123.0, "447700900123"), (1.5, "1.5"), (7, "7"), (True, "True"), (float("nan"), "nan")],
)
def test_a_value_is_read_as_a_person_reads_it(value: Value, text: str) -> None:
    assert text_of(value) == text
