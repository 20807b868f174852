"""The plan of a scrub over data frames: forms, digests, the records they find, and the outcome of each row.

Python reads addresses and asks `decide` of the rows of which a record's number does not tell enough; Spark does all
else. The match keys are rows of a small frame and stand in no expression, so no plan, log or event shows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as f

from jobs.scrub.cluster.answering import ADDRESS, EMPTY, INVALID, AddressReader, RowAsker
from jobs.scrub.cluster.exported import SUBJECT, Exported
from jobs.scrub.fast.answers import ASK, LOOK_FOR_CONSENT, VARIANTS, Answers, Asked
from jobs.scrub.snapshot.snapshot import Snapshot
from jobs.scrub.snapshot.table import DigestTable
from jobs.scrub.tally import EMPTY as EMPTY_OUTCOME
from jobs.scrub.tally import Outcome
from prefcenter.domain.digest import DIGEST_BYTES, HASH_KINDS
from prefcenter.domain.policy import Policy
from prefcenter.security.digests import Digester

ROW, OUTPUT, REASON, CLAUSE = "prefcenter_row", "prefcenter_output", "prefcenter_reason", "prefcenter_clause"
VALID_UNTIL_MS = "prefcenter_valid_until_ms"
INNER_PAD, OUTER_PAD, BLOCK_BYTES = 0x36, 0x5C, 64
NO_RECORD = 0
REFUSED, CONSENTS, UNSURE = range(3)
"""What is known of a record's consent by the exact address of a row."""

FORMS_TYPE = "array<struct<kind int, rules int, form binary, exact binary>>"
READ_TYPE = f"holds int, stated int, may_be_business boolean, forms {FORMS_TYPE}"
ANSWER_TYPE = f"{OUTPUT} string, {REASON} string, {CLAUSE} string, {VALID_UNTIL_MS} long"
VERDICT_TYPE = f"holds int, state int, variant int, consent int, {ANSWER_TYPE}"


@dataclass(frozen=True)
class ClusterPlan:
    """Everything that the rows of one list are decided by."""

    policy: Policy
    asked: Asked
    digester: Digester
    exported: Exported
    horizon_ms: int

    @property
    def reader(self) -> AddressReader:
        has_hashes = any(kind in HASH_KINDS for kind, _, _ in self.exported.families)
        return AddressReader(self.asked, self.policy.country, has_hashes)

    def verdicts(self) -> Iterator[tuple[Any, ...]]:
        """A row for each state, variant of an address and consent of which the outcome is told by these alone."""
        answers = Answers(self.policy, self.asked, _snapshot_of(self.exported))
        yield EMPTY, None, None, None, *self._told(EMPTY_OUTCOME)
        yield INVALID, None, None, None, *self._told(answers.outcomes[answers.invalid])
        variants = np.arange(VARIANTS)
        for state in range(len(self.exported.states)):
            states = np.full(VARIANTS, state, np.uint32)
            codes = answers.of(states, variants)
            looks = codes == LOOK_FOR_CONSENT
            for consent in (REFUSED, CONSENTS):
                found = codes.copy()
                found[looks] = answers.of_consent(states[looks], variants[looks], is_given=consent == CONSENTS)
                for variant, code in enumerate(found.tolist()):
                    if code != ASK:
                        yield ADDRESS, state, variant, consent, *self._told(answers.outcomes[code])

    def _told(self, outcome: Outcome) -> tuple[str, str, str, int]:
        return outcome.output.value, outcome.reason, outcome.clause, self.horizon_ms


def decided(rows: DataFrame, address: str, class_column: str | None, plan: ClusterPlan) -> DataFrame:
    """The rows with their output, reason, clause and the moment until which the clock changes nothing.

    `rows` has a column `prefcenter_row` with a number for each, which must not change when it is computed again.
    A row without an outcome, which no plan leaves, has none of the outputs.
    """
    spark = rows.sparkSession
    word = f.lit(None).cast("string") if class_column is None else f.col(_quoted(class_column))
    read = rows.withColumn("read", _read(plan.reader)(f.col(_quoted(address)), word)).persist()
    records = spark.read.parquet(str(plan.exported.path))
    keys = key_frame(spark, plan.digester)
    found = read.join(_found(read, records, keys, plan), ROW, "left")
    told = _told(found, spark.createDataFrame(list(plan.verdicts()), VERDICT_TYPE)).persist()
    asked = _asked(told.where(f.col(OUTPUT).isNull()), records, keys, f.col(_quoted(address)), plan)
    answer = [
        f.coalesce(f.col(name), f.col(f"asked.{name}")).alias(name) for name in (OUTPUT, REASON, CLAUSE, VALID_UNTIL_MS)
    ]
    return told.join(asked, ROW, "left").select(*(f.col(_quoted(name)) for name in rows.columns), *answer)


def _found(read: DataFrame, records: DataFrame, keys: DataFrame, plan: ClusterPlan) -> DataFrame:
    """For each row that any record speaks about: how many do, the state of one, and what it says of consent."""
    may_be_found = [f.lit(f"{kind} {key} {rules}") for kind, key, rules in sorted(plan.exported.families)]
    families = f.concat_ws(" ", "kind", "key", "rules")
    looked_up = digested(read, keys, families.isin(*may_be_found) if may_be_found else f.lit(False))
    consent = (
        f.when(f.array_contains("lasting", f.col("exact_digest")), CONSENTS)
        .when(f.array_contains("consented", f.col("exact_digest")), UNSURE)
        .otherwise(REFUSED)
    )
    hits = looked_up.join(records, [name for name, _ in SUBJECT]).select(ROW, "state", consent.alias("consent"))
    return hits.groupBy(ROW).agg(
        f.count("*").alias("records"), f.max("state").alias("state"), f.max("consent").alias("consent")
    )


def _told(found: DataFrame, verdicts: DataFrame) -> DataFrame:
    """The outcomes that are told by numbers alone; of several records only `decide` knows what they come to."""
    is_address = f.col("read.holds") == ADDRESS
    variant = 2 * f.col("read.stated") + f.col("read.may_be_business").cast("int")
    numbered = found.select(
        "*",
        f.col("read.holds").alias("holds"),
        f.when(is_address, variant).alias("variant"),
    ).withColumns(
        {
            "state": f.when(is_address, f.coalesce("state", f.lit(NO_RECORD))),
            "consent": f.when(
                is_address, f.when(f.col("records") > 1, UNSURE).otherwise(f.coalesce("consent", f.lit(0)))
            ),
        }
    )
    same = [numbered[name].eqNullSafe(verdicts[name]) for name in ("holds", "state", "variant", "consent")]
    outcome = [verdicts[name] for name in (OUTPUT, REASON, CLAUSE, VALID_UNTIL_MS)]
    return numbered.join(f.broadcast(verdicts), same, "left").select(
        *(numbered[name] for name in numbered.columns), *outcome
    )


def _asked(rows: DataFrame, records: DataFrame, keys: DataFrame, address: Column, plan: ClusterPlan) -> DataFrame:
    """The answers of `decide` to the rows that need it, from all records that there are about each."""
    looked_up = digested(rows, keys)
    exact = f.when(f.col("exact_digest").isNotNull(), f.struct("key", "rules", "exact_digest"))
    known = (
        looked_up.join(records, [name for name, _ in SUBJECT], "left")
        .groupBy(ROW)
        .agg(
            f.collect_list("record").alias("records"),
            f.collect_set(exact).alias("exacts"),
            f.flatten(f.collect_list("sends_ms")).alias("sends_ms"),
        )
    )
    asking = rows.select(ROW, address.alias("address"), f.col("read.stated").alias("stated")).join(known, ROW)
    ask = _ask(RowAsker(plan.reader, plan.policy))
    return asking.select(ROW, ask("address", "stated", "exacts", "records", "sends_ms").alias("asked"))


def digested(rows: DataFrame, keys: DataFrame, is_wanted: Column | None = None) -> DataFrame:
    """The digests that records about each row stand under, and those of its exact address, under every key."""
    forms = rows.select(ROW, f.explode("read.forms").alias("form")).select(ROW, "form.*")
    pairs = forms.crossJoin(f.broadcast(keys))
    wanted = pairs if is_wanted is None else pairs.where(is_wanted)
    return wanted.select(
        ROW,
        "kind",
        "key",
        "rules",
        _digest(f.col("form")).alias("digest"),
        _digest(f.col("exact")).alias("exact_digest"),
    )


def _digest(content: Column) -> Column:
    """HMAC-SHA-256 (RFC 2104) under the pads of the row's key, its first 16 bytes."""
    inner = f.unhex(f.sha2(f.concat(f.col("inner"), content), 256))
    return f.substring(f.unhex(f.sha2(f.concat(f.col("outer"), inner), 256)), 1, DIGEST_BYTES)


def key_frame(spark: SparkSession, digester: Digester) -> DataFrame:
    """Key ids with the blocks that HMAC begins its two hashes with: key material, so never a literal."""
    rows = [
        (key_id, padded(key.match_key, INNER_PAD), padded(key.match_key, OUTER_PAD))
        for key_id, key in digester.vector_keys().items()
    ]
    return spark.createDataFrame(rows, "key int, inner binary, outer binary")


def padded(match_key: bytes, pad: int) -> bytearray:
    """A block that one of HMAC's two hashes begins with (RFC 2104)."""
    return bytearray(octet ^ pad for octet in match_key.ljust(BLOCK_BYTES, b"\0"))


def _read(reader: AddressReader) -> Any:
    def read(texts: pa.Array, words: pa.Array) -> pa.Array:
        found = [reader.read(*row) for row in zip(texts.to_pylist(), words.to_pylist(), strict=True)]
        return pa.array(found, _READ_ARROW)

    return f.arrow_udf(read, READ_TYPE)


def _ask(asker: RowAsker) -> Any:
    def ask(texts: pa.Array, *others: pa.Array) -> pa.Array:
        columns = [texts.to_pylist(), *(column.to_pylist() for column in others)]
        return pa.array([_answer(*asker.ask(*row)) for row in zip(*columns, strict=True)], _ANSWER_ARROW)

    return f.arrow_udf(ask, ANSWER_TYPE)


def _answer(outcome: Outcome, valid_until_ms: int) -> Mapping[str, Any]:
    told = (outcome.output.value, outcome.reason, outcome.clause, valid_until_ms)
    return dict(zip((OUTPUT, REASON, CLAUSE, VALID_UNTIL_MS), told, strict=True))


_FORM_ARROW = pa.struct([("kind", pa.int32()), ("rules", pa.int32()), ("form", pa.binary()), ("exact", pa.binary())])
_READ_ARROW = pa.struct(
    [("holds", pa.int32()), ("stated", pa.int32()), ("may_be_business", pa.bool_()), ("forms", pa.list_(_FORM_ARROW))]
)
_ANSWER_ARROW = pa.struct(
    [(OUTPUT, pa.string()), (REASON, pa.string()), (CLAUSE, pa.string()), (VALID_UNTIL_MS, pa.int64())]
)


def _snapshot_of(exported: Exported) -> Snapshot:
    """The states alone: the records themselves stand in the frame."""
    return Snapshot((), tuple(exported.states), DigestTable.empty(), {}, 0)


def _quoted(name: str) -> str:
    """A column's name as Spark reads it, whatever stands in it."""
    return "`" + name.replace("`", "``") + "`"
