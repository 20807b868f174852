"""What a scrub needs of a store, exported once and kept up to date: digests and choices, never verdicts."""

from __future__ import annotations
