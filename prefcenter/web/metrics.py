"""Prometheus metrics: counts and times of the server. They identify nobody (TCC-6, CC1-12)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from prefcenter.domain.decision import Decision
from prefcenter.domain.errors import PrefcenterError
from prefcenter.web.log import Answered

SHARED_DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where several workers put their numbers, so that each of them can tell those of all. The library reads it."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
STORE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 10.0)


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of one server; every label is of a closed list."""

    registry: CollectorRegistry
    requests: Counter
    request_seconds: Histogram
    decisions: Counter
    store_seconds: Histogram
    store_failures: Counter
    home_failures: Counter
    waiting_writes: Gauge
    open_requests: Gauge
    leaving_reasons: Counter

    def answered(self, request: Answered) -> None:
        self.requests.labels(request.route, request.method, str(request.status)).inc()
        self.request_seconds.labels(request.route).observe(request.seconds)

    def decided(self, controller: str, decisions: Sequence[Decision]) -> None:
        counts: dict[str, int] = {}
        for decision in decisions:
            counts[decision.reason.value] = counts.get(decision.reason.value, 0) + 1
        for reason, count in counts.items():
            self.decisions.labels(controller, reason).inc(count)

    def failed_to_decide(self, controller: str, questions: int) -> None:
        self.decisions.labels(controller, "check_failed").inc(questions)

    def left(self, controller: str, reason: str) -> None:
        """Somebody stopped everything and said why, in a word of a closed list."""
        self.leaving_reasons.labels(controller, reason).inc()

    def home_failed(self, error: PrefcenterError) -> None:
        self.home_failures.labels(error.code).inc()

    def exposition(self) -> bytes:
        """All numbers in the text format, those of the other workers included."""
        if SHARED_DIRECTORY_VARIABLE not in os.environ:
            return generate_latest(self.registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call] # the library has no types here
        return generate_latest(shared)


def new_metrics() -> Metrics:
    """Metrics that start at nothing."""
    registry = CollectorRegistry()
    within: dict[str, Any] = {"namespace": "prefcenter", "registry": registry}
    return Metrics(
        registry,
        Counter("requests", "Requests answered.", ["route", "method", "status"], **within),
        Histogram("request_seconds", "Time until the answer.", ["route"], buckets=REQUEST_SECONDS, **within),
        Counter("decisions", "Decisions by what they said.", ["controller", "reason"], **within),
        Histogram("store_seconds", "Time that the store took.", ["operation"], buckets=STORE_SECONDS, **within),
        Counter("store_failures", "Calls that the store did not answer.", ["operation", "code"], **within),
        Counter("home_failures", "Times that the home gave no decisions at all.", ["code"], **within),
        Gauge("waiting_writes", "Acts that wait for the store.", multiprocess_mode="livesum", **within),
        Gauge("open_requests", "Requests being answered.", multiprocess_mode="livesum", **within),
        Counter("leaving_reasons", "Why people stopped everything.", ["controller", "reason"], **within),
    )
