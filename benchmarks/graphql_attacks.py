"""How long the server takes to refuse a request that means harm (target: under 20 ms each).

    python benchmarks/graphql_attacks.py

The requests are those of the tests. Each goes to a server on loopback in this very process, so the time holds the
making of the request and the reading of the answer as well; the best of a few is shown, because the machine has other
things to do.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

# Python looks for modules beside a script first, where graphql.py would be found instead of graphql-core.
sys.path.remove(str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import structlog

from tests.api.attacks import ATTACKS, Attack
from tests.api.served_api import Served, make_home, serve_api

REFUSED_MS_MAX = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often each is sent (default: %(default)s)")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory() as place:
        slowest = asyncio.run(_time_all(Path(place) / "home", arguments.rounds))
    print(f"the slowest: {slowest:.1f} ms (at most {REFUSED_MS_MAX})")
    if slowest > REFUSED_MS_MAX:
        raise SystemExit(1)


async def _time_all(home: Path, rounds: int) -> float:
    """Print a line an attack; gives the milliseconds of the slowest."""
    await make_home(home)
    slowest = 0.0
    async with serve_api(home) as served:
        await served.graphql("{ __typename }")
        for name, attack in ATTACKS.items():
            milliseconds, code = min([await _time_one(served, attack) for _ in range(rounds)])
            print(f"{name:<36}{len(attack.body()):>12,} B{milliseconds:>8.1f} ms  {code}")
            slowest = max(slowest, milliseconds)
    return slowest


async def _time_one(served: Served, attack: Attack) -> tuple[float, str]:
    body = attack.body()
    began = time.perf_counter()
    answer = await served.post(body)
    milliseconds = (time.perf_counter() - began) * 1e3
    found = answer.body["error"] if "error" in answer.body else answer.body["errors"][0]["extensions"]
    if found["code"] != attack.code:
        raise SystemExit(f"expected {attack.code}, found {found['code']}")
    return milliseconds, str(found["code"])


if __name__ == "__main__":
    main()
