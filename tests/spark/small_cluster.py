"""What Spark is set to where a few thousand rows are all that it is given."""

from __future__ import annotations

SMALL = {
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
    # Plans over few rows are through before a compiler has paid.
    "spark.sql.codegen.wholeStage": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}
