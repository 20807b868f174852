"""What would be done to a list without prefcenter: suppressed plaintext addresses taken out of it by other tools.

    python benchmarks/plaintext.py "duckdb anti-join" list.csv suppressed.csv kept.csv

Each run loads what the tool needs and nothing of ours, so that it is charged with nothing of ours.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

COPY, JOIN, COMM = "duckdb copy", "duckdb anti-join", "sort and comm"
Contender = Callable[[Path, Path, Path], None]

READ = "read_csv('{}', header=true, all_varchar=true, delim=',', quote='\"', escape='\"', auto_detect=false, {})"
HEADINGS = ("email", "first_name", "last_name", "company", "phone", "country")


def main() -> None:
    if len(sys.argv) == 1:
        print(*PLAIN, sep="\n")
        return
    name, *paths = sys.argv[1:]
    contacts, suppressed, out = map(Path, paths)
    CONTENDERS[name](contacts, suppressed, out)


def plain_command(name: str, contacts: Path, suppressed: Path, out: Path) -> Sequence[str]:
    """The command that one of the contenders is run by."""
    if name != COMM:
        return [sys.executable, __file__, name, *map(str, (contacts, suppressed, out))]
    # The addresses only: `comm` knows no columns. The list's are cut out by `cut`, as far as it can.
    script = "export LC_ALL=C; comm -23 <(cut -d, -f1 {} | sort -u) <(sort -u {}) > {}"
    return ["bash", "-c", script.format(contacts, suppressed, out)]


def _duckdb(query: str) -> Contender:
    def run(contacts: Path, suppressed: Path, out: Path) -> None:
        import duckdb

        columns = ", ".join(f"'{heading}': 'VARCHAR'" for heading in HEADINGS)
        read = READ.format(contacts, f"columns={{{columns}}}")
        read_suppressed = READ.format(suppressed, "columns={'email': 'VARCHAR'}")
        with duckdb.connect() as connection:
            chosen = query.format(contacts=read, suppressed=read_suppressed)
            connection.execute(f"COPY ({chosen}) TO '{out}' (HEADER)")

    return run


def _polars(contacts: Path, suppressed: Path, out: Path) -> None:
    import polars

    read, read_suppressed = (polars.scan_csv(path, infer_schema=False) for path in (contacts, suppressed))
    read.join(read_suppressed, on="email", how="anti", maintain_order="left").sink_csv(out)


CONTENDERS: dict[str, Contender] = {
    COPY: _duckdb("SELECT * FROM {contacts}"),
    JOIN: _duckdb("SELECT * FROM {contacts} c WHERE NOT EXISTS (FROM {suppressed} s WHERE s.email = c.email)"),
    "polars anti-join": _polars,
}
PLAIN = (*CONTENDERS, COMM)

if __name__ == "__main__":
    main()
