"""One Spark in this process for all tests of the folder; `make test-spark` brings it and the Java that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_socket
from pyspark.sql import SparkSession

from jobs.scrub_spark import cluster_session
from tests.spark.small_cluster import SMALL


@pytest.fixture(scope="session")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Spark notes plans and settings, as it does for the pages that show them."""
    return tmp_path_factory.mktemp("events")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory, events: Path) -> Iterator[SparkSession]:
    """A cluster of two threads. Python talks to the JVM, which is on this machine, through sockets."""
    pytest_socket.enable_socket()
    noted = {"enabled": "true", "compress": "false", "dir": events.as_uri()}
    more = {**SMALL, **{f"spark.eventLog.{name}": value for name, value in noted.items()}}
    more["spark.local.dir"] = str(tmp_path_factory.mktemp("local"))
    session = cluster_session("local[2]", more)
    yield session
    session.stop()
