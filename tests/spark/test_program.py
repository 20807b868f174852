"""The program `prefcenter-scrub-spark`, on a home of its own and a cluster of one process."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from prefcenter.bootstrap import init_home
from prefcenter.settings import read_settings
from tests.jobs.scrub.small_home import POLICIES
from tests.spark.small_cluster import SMALL

QUESTION = ("--controller", "opencontact", "--channel", "email")


def run(directory: Path, main: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of the programs, with Spark set up by a file in the directory, as a cluster's is."""
    settings = (f"{name} {value}\n" for name, value in SMALL.items())
    (directory / "spark-defaults.conf").write_text("".join(settings), encoding="utf-8")
    start = f"from prefcenter.cli.{main} import main; main()"
    command = [sys.executable, "-c", start, *map(str, arguments)]
    environ = {**os.environ, "SPARK_CONF_DIR": str(directory)}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300, check=False)


def test_a_list_is_sorted_by_the_store_of_a_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    asyncio.run(init_home(read_settings({}, home), POLICIES))
    refused = run(tmp_path, "program", "--home", home, "opt-out", "pat@acme.example", *QUESTION[:2])
    assert refused.returncode == 0, refused.stderr
    people = ["kim@acme.example", "Pat+news@ACME.example", "broken", "lee@gmail.com"]
    parquet.write_table(pa.table({"email": people, "kind": ["work"] * len(people)}), tmp_path / "people.parquet")
    options = ("--purpose", "client-marketing", "--address-column", "email", "--class-column", "kind", "--json")
    places = ("--home", home, "--out", tmp_path / "out", "--master", "local[1]")
    ran = run(tmp_path, "cluster", tmp_path / "people.parquet", *QUESTION, *options, *places)
    assert ran.returncode == 0, ran.stderr[-2_000:]
    manifest = json.loads(ran.stdout)
    assert manifest["counts"] == {"read": 4, "kept": 1, "suppressed": 2, "rejected": 1}
    assert manifest["reasons"]["suppressed"] == {"no_consent": 1, "opted_out": 1}
    assert parquet.read_table(tmp_path / "out" / "kept.parquet").to_pylist() == [{"email": people[0], "kind": "work"}]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "kept.parquet",
        "manifest.json",
        "rejected.parquet",
        "suppressed.parquet",
    ]


def test_what_the_policy_does_not_have_is_one_line_and_writes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    asyncio.run(init_home(read_settings({}, home), POLICIES))
    options = ("--purpose", "no-such", "--address-column", "email", "--master", "local[1]")
    ran = run(
        tmp_path, "cluster", tmp_path / "people.parquet", *QUESTION, *options, "--home", home, "--out", tmp_path / "out"
    )
    assert (ran.returncode, ran.stderr.splitlines()[-1][:11]) == (2, "--purpose: ")
    assert not (tmp_path / "out").exists()
