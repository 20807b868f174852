"""Facts about the register of clauses that policies may cite."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefcenter.domain.errors import Fault, InvalidPolicy
from prefcenter.services.clause_register import clauses_file, known_clauses

ROOT = Path(__file__).resolve().parents[3]


def test_the_register_that_ships_is_the_checkouts_own() -> None:
    assert clauses_file() == ROOT / "docs" / "clauses.md"


@pytest.mark.parametrize(
    ("content", "key", "expected"),
    [
        (None, "file", "a register of clauses that can be read as UTF-8"),
        (b"\xff", "file", "a register of clauses that can be read as UTF-8"),
        (b"# Clauses\n", "file", "at least one line such as `- **OC-1**: what must hold`"),
        (b"- **A-1**: x\n- **B-1**: y\n- **A-1**: z\n", "line 3", "a clause that line 1 does not define"),
    ],
)
def test_a_register_that_cannot_be_used_is_a_fault(
    content: bytes | None, key: str, expected: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "clauses.md").write_bytes(content)
    with pytest.raises(InvalidPolicy) as raised:
        known_clauses(tmp_path / "clauses.md")
    assert raised.value.faults == (Fault("clauses.md", key, expected),)


def test_a_register_defines_the_clauses_of_its_lines_only(tmp_path: Path) -> None:
    (tmp_path / "clauses.md").write_text("- **A-1**: x\nsee A-2\n- A-3: y\n- **A-4**:\n", encoding="utf-8")
    assert known_clauses(tmp_path / "clauses.md") == {"A-1"}
