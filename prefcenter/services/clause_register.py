"""The clauses that a policy may cite, read from the register `docs/clauses.md` or from one beside a policy."""

from __future__ import annotations

import re
from pathlib import Path

from prefcenter.domain.errors import Fault, InvalidPolicy

REGISTER_NAME = "clauses.md"
CLAUSE_LINE = re.compile(r"- \*\*([A-Z][A-Z0-9]*-[1-9][0-9]*)\*\*: \S")


def clauses_file() -> Path:
    """The register that ships: the wheel carries a copy in this package, a checkout has only docs/clauses.md."""
    packaged = Path(__file__).with_name(REGISTER_NAME)
    return packaged if packaged.is_file() else Path(__file__).parents[2] / "docs" / REGISTER_NAME


def known_clauses(clauses_md: Path) -> frozenset[str]:
    """The ids of the lines `- **OC-1**: what must hold` of a register. Raises InvalidPolicy with every fault."""
    try:
        text = clauses_md.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        unreadable = Fault(clauses_md.name, "file", "a register of clauses that can be read as UTF-8")
        raise InvalidPolicy((unreadable,)) from error
    line_of_clause: dict[str, int] = {}
    faults = []
    for number, line in enumerate(text.splitlines(), start=1):
        if match := CLAUSE_LINE.match(line):
            first = line_of_clause.setdefault(match[1], number)
            if first != number:
                faults.append(Fault(clauses_md.name, f"line {number}", f"a clause that line {first} does not define"))
    if not line_of_clause:
        faults.append(Fault(clauses_md.name, "file", "at least one line such as `- **OC-1**: what must hold`"))
    if faults:
        raise InvalidPolicy(tuple(faults))
    return frozenset(line_of_clause)
