"""A scrub on a cluster: the plan of the fast engine by PySpark, for lists that no single machine reads in time.

The list is Parquet, and so are the outputs, each a directory of parts. All nodes see the directories of both.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from jobs.lists.parquet import PARQUET_FORMAT
from jobs.scrub.cluster.exported import export_records
from jobs.scrub.cluster.frames import CLAUSE, OUTPUT, REASON, ROW, VALID_UNTIL_MS, ClusterPlan, decided
from jobs.scrub.deciding import Decider
from jobs.scrub.fast.answers import Asked
from jobs.scrub.manifest import MANIFEST_NAME, SPARK_MANIFEST_FORMAT, Manifest, signed
from jobs.scrub.outputs import PartialDirectory, require_free, written_file
from jobs.scrub.plan import ScrubPlan, require_offered
from jobs.scrub.rows import ADDED_HEADINGS
from jobs.scrub.tally import Output, Tally
from jobs.scrub.verifying import is_part
from prefcenter.domain.errors import InvalidInput, InvalidList, PrefcenterError
from prefcenter.domain.ledger import Head
from prefcenter.domain.time import MS_PER_HOUR, format_time
from prefcenter.security.digests import Digester
from prefcenter.security.seals import Sealer
from prefcenter.services.checkpoint import heads_as_json
from prefcenter.services.ports import Clock, Store

RECORDS_NAME = "records.parquet"
SPARK_ERRORS = (PySparkException, Py4JError)
"""What the JVM throws, as far as PySpark knows what it means, and as it came."""

SETTINGS = {
    # What is spilled, shuffled or kept on the disks of nodes holds addresses and keys.
    "spark.io.encryption.enabled": "true",
    # Rules that would compute digests and read addresses twice, to look for nulls among them.
    "spark.sql.optimizer.excludedRules": ",".join(
        f"org.apache.spark.sql.catalyst.optimizer.{rule}"
        for rule in ("InferFiltersFromConstraints", "InferFiltersFromGenerate")
    ),
    "spark.ui.showConsoleProgress": "false",
}


@dataclass(frozen=True)
class ClusterServices:
    """What a scrub on a cluster is handed."""

    decider: Decider
    digester: Digester
    store: Store
    sealer: Sealer
    clock: Clock


def cluster_session(master: str | None, more: Mapping[str, str]) -> SparkSession:
    """A session on a cluster; None: the one that spark-submit or Spark's own configuration names."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("prefcenter scrub")
    if master is not None:
        builder = builder.master(master)
    for name, value in {**SETTINGS, **more}.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


async def scrub_on_cluster(plan: ScrubPlan, services: ClusterServices, spark: SparkSession) -> Manifest:
    """Decide every row of a Parquet list and write the outputs, all of them or none; returns the manifest.

    Raises InvalidInput, with nothing written, for what the policy does not have, and for a list that cannot be read.
    A refusal that comes in meanwhile makes the manifest say that it is stale; then scrub again. What Spark keeps of the
    rows it lets go of with the session.
    """
    policy, started_ms = services.decider.policy, services.clock()
    require_offered(plan, policy)
    if plan.out is None or plan.address_column is None:
        raise InvalidInput("--out, --address-column: both are needed")
    require_free(plan.out)
    rows = _rows(spark, plan)
    at_ms = started_ms if plan.at_ms is None else plan.at_ms
    asked = Asked(plan.purpose, plan.channel, plan.audience, at_ms)
    horizon_ms = at_ms + policy.decision_ttl_hours * MS_PER_HOUR
    with PartialDirectory(plan.out) as partial:
        heads = await services.decider.heads()
        records = partial.place / RECORDS_NAME
        exported = await export_records(services.store, policy, asked, records)
        cluster = ClusterPlan(policy, asked, services.digester, exported, horizon_ms)
        tally, ends = _written(decided(rows, plan.address_column, plan.class_column, cluster), rows, partial)
        records.unlink()
        document = {
            **_asked_document(plan, cluster, tally, heads),
            **_columns_document(plan, rows.columns, tally.read),
            "outputs": _outputs_document(partial.place),
            "at": format_time(at_ms),
            "validUntil": format_time(min(horizon_ms, *ends)),
            "stale": await services.decider.heads() != heads,
            "run": {"startedAt": format_time(started_ms), "finishedAt": format_time(services.clock())},
        }
        manifest = signed(document, services.sealer)
        partial.write_whole(MANIFEST_NAME, manifest.to_json())
        partial.publish()
        return manifest


def _rows(spark: SparkSession, plan: ScrubPlan) -> DataFrame:
    """The rows of a list, numbered."""
    try:
        rows = spark.read.parquet(str(plan.path.resolve()))
    except SPARK_ERRORS:
        raise InvalidList(f"{plan.path}: list: cannot be read as Parquet") from None
    types = dict(rows.dtypes)
    for option, name in (("--address-column", plan.address_column), ("--class-column", plan.class_column)):
        if name is not None and types.get(name) != "string":
            raise InvalidList(f"{plan.path}: {option}: expected the name of a column of text")
    taken = {ROW, OUTPUT, VALID_UNTIL_MS, *ADDED_HEADINGS} & set(rows.columns)
    if taken:
        raise InvalidList(f"{plan.path}: header: has a column {min(taken)} already; drop it first")
    return rows.withColumn(ROW, f.monotonically_increasing_id())


def _written(decided_rows: DataFrame, rows: DataFrame, partial: PartialDirectory) -> tuple[Tally, list[int]]:
    """Write the outputs. Counts that add up to the rows read, and when the clock changes answers of each."""
    try:
        frame = decided_rows.persist()
        tally, ends = _tallied(frame, rows.count())
        _write(frame, partial.place)
    except SPARK_ERRORS:
        # Its message may quote what it stumbled over; Spark's own log says where that was.
        raise PrefcenterError("scrub: Spark could not finish; nothing was written") from None
    return tally, ends


def _tallied(frame: DataFrame, read: int) -> tuple[Tally, list[int]]:
    tally, ends = Tally(read), list[int]()
    counts = frame.groupBy(OUTPUT, REASON).agg(f.count("*").alias("rows"), f.min(VALID_UNTIL_MS).alias("until_ms"))
    for row in counts.where(f.col(OUTPUT).isNotNull()).collect():
        output = Output(row[OUTPUT])
        tally.written[output] += row["rows"]
        tally.reasons[output, row[REASON]] += row["rows"]
        ends.append(row["until_ms"])
    tally.require_balance()
    return tally, ends


def _write(frame: DataFrame, place: Path) -> None:
    for output in Output:
        added: Sequence[str] = () if output is Output.KEPT else (REASON, CLAUSE)
        dropped = {ROW, OUTPUT, REASON, CLAUSE, VALID_UNTIL_MS} - set(added)
        chosen = frame.where(f.col(OUTPUT) == output.value).sort(ROW).drop(*dropped)
        chosen.write.parquet(str(place / f"{output}.parquet"))


def _asked_document(plan: ScrubPlan, cluster: ClusterPlan, tally: Tally, heads: Sequence[Head]) -> dict[str, Any]:
    return {
        "format": SPARK_MANIFEST_FORMAT,
        "controller": cluster.policy.controller,
        "purpose": plan.purpose,
        "channel": plan.channel.value,
        "audience": plan.audience,
        "counts": {"read": tally.read, **{output.value: tally.written[output] for output in Output}},
        "reasons": {of.value: tally.reasons_of(of) for of in (Output.SUPPRESSED, Output.REJECTED)},
        "policyVersion": cluster.policy.version,
        "ledger": {"heads": heads_as_json(heads)},
    }


def _columns_document(plan: ScrubPlan, names: Sequence[str], read: int) -> dict[str, Any]:
    """Where in the list, and so in `kept`, addresses and classes stand, from 1."""
    address, of_class = (
        None if name is None else names.index(name) + 1 for name in (plan.address_column, plan.class_column)
    )
    described = {"format": PARQUET_FORMAT, "addressColumn": address, "classColumn": of_class, "audienceColumn": None}
    return {
        "addresses": [{"channel": plan.channel.value, "column": address, "class": None}],
        "list": {"name": plan.path.name, "rows": read, **described},
    }


def _outputs_document(place: Path) -> dict[str, Any]:
    """Size and hash of each part, which the driver reads once more for it."""
    parts = [part for output in Output for part in sorted((place / f"{output}.parquet").iterdir()) if is_part(part)]
    written = ((part, written_file(part)) for part in parts)
    return {str(part.relative_to(place)): {"sha256": file.sha256, "bytes": file.size} for part, file in written}
