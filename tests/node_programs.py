"""Programs in node: the interpreter and the packages that `make setup` put into the environment."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

SOURCES = Path(__file__).parent / "node"
ENVIRONMENT = Path(sys.prefix) / "node"
SECONDS_MAX = 60


async def run_in_node(program: str | Path, *arguments: str) -> str:
    """What a program prints, one of tests/node where only a name is given. It must end well and complain of nothing."""
    assert (ENVIRONMENT / ".installed").is_file(), "the packages for node are not there: run `make setup`"
    process = await asyncio.create_subprocess_exec(
        Path(sys.prefix) / "bin" / "node",
        "--input-type=module",
        "--eval",
        (SOURCES / program).read_text(encoding="utf-8"),
        "--",
        *arguments,
        cwd=ENVIRONMENT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SECONDS_MAX):
        out, err = await process.communicate()
    assert (process.returncode, err.decode()) == (0, "")
    return out.decode()
