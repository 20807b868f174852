"""A fast scrub that is killed, or finds the disk full, at any moment: outputs whole or absent, the next run's right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.jobs.scrub.fast.killed_scrubs import CACHES, SUFFIXES
from tests.jobs.scrub.test_outputs import ROOT

BY_FILES, BY_CLOCK, PAIRS = (120, 20, "every") if os.environ.get("PREFCENTER_SOAK") == "1" else (1, 1, "few")
MET = {
    *(f"{cache} {left}" for cache in CACHES for left in ("absent", "stale")),
    *(f"{suffix} {left}" for suffix in SUFFIXES for left in ("absent", "stale")),
    "in the writer",
}


def test_whenever_a_scrub_is_killed_its_outputs_are_whole_or_absent_and_the_next_ones_are_right(tmp_path: Path) -> None:
    script = "tests.jobs.scrub.fast.killed_scrubs"
    started = [sys.executable, "-W", "error", "-m", script, str(tmp_path), str(BY_FILES), str(BY_CLOCK), PAIRS]
    ended = subprocess.run(started, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout).keys() >= MET
