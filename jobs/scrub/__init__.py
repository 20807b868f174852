"""The scrub: decide every row of a list, and put it with the kept, the suppressed or the rejected ones (DESIGN §7)."""

from __future__ import annotations

from jobs.scrub.engine import Decider, Progress, scrub
from jobs.scrub.manifest import Manifest, manifest_heads
from jobs.scrub.plan import ScrubPlan

__all__ = ["Decider", "Manifest", "Progress", "ScrubPlan", "manifest_heads", "scrub"]
