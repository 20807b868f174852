"""A scrub as a process of its own, for tests that kill it or take its disk away.

Arguments: the list, the output directory, what to do. `stall` stops for good in the second batch, once the test has
been told; `full` may write no file beyond 20,000 bytes.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from pathlib import Path

from jobs.scrub import ScrubPlan
from prefcenter.domain.errors import PrefcenterError
from prefcenter.domain.terms import Channel
from tests.factories import NOW
from tests.jobs.scrub.small_home import MeddledDecisions, SmallHome

FILE_LIMIT_BYTES = 20_000


def main(path: Path, out: Path, act: str) -> int:
    home = SmallHome()
    plan = ScrubPlan(path, "candidate-contact", Channel.EMAIL, at_ms=NOW, out=out)
    batches = iter(range(99))

    async def stall_in_the_second_batch() -> None:
        if next(batches) == 1:
            print("stalled", flush=True)
            await asyncio.to_thread(time.sleep, 600)

    if act == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT_BYTES, FILE_LIMIT_BYTES))
    try:
        home.scrub(plan, MeddledDecisions(home, stall_in_the_second_batch if act == "stall" else None))
    except PrefcenterError as error:
        print(error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
