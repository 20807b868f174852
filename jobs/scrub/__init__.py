"""The scrub: decide every row of a list, and put it with the kept, the suppressed or the rejected ones (DESIGN §7)."""

from __future__ import annotations

from jobs.scrub.deciding import Decider
from jobs.scrub.engine import Progress, scrub
from jobs.scrub.manifest import Manifest, manifest_heads
from jobs.scrub.plan import AddressChoice, ScrubPlan

__all__ = ["AddressChoice", "Decider", "Manifest", "Progress", "ScrubPlan", "manifest_heads", "scrub"]
