"""An output that is packed as the list was."""

from __future__ import annotations

from pathlib import Path

from jobs.lists.contacts import OutputFile
from jobs.lists.content import Packer


class PackedFile:
    """Packs what is written to it, or hands it on as it is where the list is not packed."""

    def __init__(self, file: OutputFile, packer: Packer | None) -> None:
        self._file = file
        self._packer = packer

    @property
    def directory(self) -> Path:
        return self._file.directory

    def write(self, content: bytes | memoryview) -> None:
        self._file.write(content if self._packer is None else self._packer.compress(content))

    def finish(self) -> None:
        """Write the end of the packed stream."""
        if self._packer is not None:
            self._file.write(self._packer.flush())
