"""Logs: one JSON object a line on standard error, of which every word is one that we chose.

Whatever is logged passes through `redacted`: only the fields that are listed here are written, and texts in them lose
what looks like an address, a number or a token. Other libraries' words may quote what a person sent, so of them only
place and kind are told.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path
from traceback import extract_tb
from typing import Any, TextIO

import msgspec
import structlog

FIELDS = frozenset(
    {
        *("timestamp", "level", "event"),
        *("request_id", "method", "route", "status", "ms", "caller", "code"),
        *("controller", "failure", "place", "logger", "worker", "pid", "port", "metrics_port", "file", "requests"),
    }
)
"""The fields that may be written. One that is not here is left out, whatever it holds."""

HIDDEN = "***"
_TOKEN = re.compile(r"pck_\w+|eyJ[\w.-]+|(?i:bearer|basic)\s+\S+")
_ADDRESS = re.compile(r"(?:\"[^\"]*\"|[^\s/'\"(]+)@[^\s/:'\")]*|push:\S+|\+?\d[\d ()./-]{5,}\d")
_TEXTS_OF_OURS = frozenset({"timestamp", "request_id", "caller", "route", "file"})
"""Fields whose texts are never a caller's: ids, templates of paths, names of files of the home."""


def redacted(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What of an event may be written."""
    return {name: _shown(name, value) for name, value in event.items() if name in FIELDS and value is not None}


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, int | float):
        return value
    return str(value) if name in _TEXTS_OF_OURS else _ADDRESS.sub(HIDDEN, _TOKEN.sub(HIDDEN, str(value)))


def place_of(failure: BaseException) -> str:
    """Where a failure was raised, as `file.py:line`; its message may quote what it stumbled over."""
    frames = extract_tb(failure.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"


def kind_of(failure: BaseException) -> str:
    """The names of a failure and of what caused it, outermost first."""
    names = [type(failure).__name__]
    while (failure := failure.__cause__) is not None:  # type: ignore[assignment]
        names.append(type(failure).__name__)
    return " from ".join(names)


def configure_logs(stream: TextIO | None = None) -> None:
    """Send our own events and those of libraries to a stream (standard error), one JSON object a line."""
    target = sys.stderr if stream is None else stream
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redacted,
            _as_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[ForeignHandler()], force=True)


def _as_json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    return msgspec.json.encode(event).decode()


class ForeignHandler(logging.Handler):
    """Tells that a library logged something, where and at which level, and none of its words."""

    def emit(self, record: logging.LogRecord) -> None:
        failure = record.exc_info[1] if record.exc_info else None
        write = structlog.get_logger().error if record.levelno >= logging.ERROR else structlog.get_logger().warning
        write(
            "library_event",
            logger=record.name,
            place=place_of(failure) if failure else f"{record.filename}:{record.lineno}",
            failure=kind_of(failure) if failure else None,
        )
