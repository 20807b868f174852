"""How many requests a minute a key and an address of origin may make.

Counted in a sliding window in this process's memory: each worker counts for itself, and a restart forgets.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from prefcenter.settings import ServingLimits
from prefcenter.web.errors import TooManyRequests

WINDOW_SECONDS = 60

COUNTERS_MAX = 50_000
"""Two a caller. Beyond that all are forgotten, for the library looks through every counter that it keeps."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit after a request."""

    fields: Mapping[str, str]
    """`RateLimit-*` as draft-ietf-httpapi-ratelimit-headers-06 has them, `RateLimit-Policy` included."""


class RateLimits:
    """The limits of one process."""

    def __init__(self, limits: ServingLimits) -> None:
        self._storage = MemoryStorage()
        self._window = SlidingWindowCounterRateLimiter(self._storage)
        self._of_key = RateLimitItemPerMinute(limits.key_requests_per_minute_max)
        self._of_find = RateLimitItemPerMinute(limits.find_requests_per_minute_max)
        self._of_origin = RateLimitItemPerMinute(limits.origin_requests_per_minute_max)

    async def take_for_origin(self, origin: str) -> Allowance:
        """Count a request of an address. Raises TooManyRequests where none is left."""
        return await self._take(self._of_origin, "origin", origin)

    async def take_for_caller(self, caller_id: str) -> Allowance:
        """Count a request of a key or person. Raises TooManyRequests where none is left."""
        return await self._take(self._of_key, "caller", caller_id)

    async def take_for_find(self, origin: str) -> Allowance:
        """Count somebody's search for their link. Raises TooManyRequests where none is left."""
        return await self._take(self._of_find, "find", origin)

    async def _take(self, limit: RateLimitItemPerMinute, kind: str, name: str) -> Allowance:
        if len(self._storage.storage) > COUNTERS_MAX:
            await self._storage.reset()
        is_allowed = await self._window.hit(limit, kind, name)
        stats = await self._window.get_window_stats(limit, kind, name)
        reset_s = max(1, math.ceil(stats.reset_time - time.time()))
        fields = {
            "RateLimit-Limit": str(limit.amount),
            "RateLimit-Remaining": str(stats.remaining),
            "RateLimit-Reset": str(reset_s),
            "RateLimit-Policy": f"{limit.amount};w={WINDOW_SECONDS}",
        }
        if not is_allowed:
            raise TooManyRequests(fields, reset_s)
        return Allowance(fields)
