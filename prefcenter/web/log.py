"""What the server writes about requests: a line each, with the template of the path and never the path itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import structlog

from prefcenter.logs import kind_of, place_of
from prefcenter.web.errors import HttpError


@dataclass(frozen=True, slots=True)
class Answered:
    """One request, as its log line and the metrics show it."""

    request_id: str
    method: str
    route: str
    status: int
    seconds: float
    caller: str | None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class WebLog:
    """The lines of one server."""

    logger: Any

    def answered(self, request: Answered) -> None:
        self.logger.info(
            "request",
            request_id=request.request_id,
            method=request.method,
            route=request.route,
            status=request.status,
            ms=round(request.seconds * 1_000, 1),
            caller=request.caller,
            code=request.code,
        )

    def refused(self, error: HttpError, request_id: str, failure: BaseException | None = None) -> None:
        """A connection was told of an error before there was a request that the application saw."""
        self.logger.info("refused", request_id=request_id, status=error.status, code=error.code)
        if failure is not None:
            self.failed(failure, request_id)

    def failed(self, failure: BaseException | None, request_id: str | None = None) -> None:
        """Something unforeseen: its kind and place, for its message may quote what it stumbled over."""
        self.logger.error(
            "failed",
            request_id=request_id,
            failure=kind_of(failure) if failure else "unknown",
            place=place_of(failure) if failure else None,
        )

    def listening(self, port: int | None, metrics_port: int | None) -> None:
        self.logger.info("listening", pid=os.getpid(), port=port, metrics_port=metrics_port)

    def stopping(self) -> None:
        self.logger.info("stopping", pid=os.getpid())

    def cut_off(self, requests: int) -> None:
        """The time for stopping ran out while requests were being answered."""
        self.logger.warning("drain_cut_off", requests=requests)


def web_log() -> WebLog:
    """The log of a server, by the configuration of the process."""
    return WebLog(structlog.get_logger())
