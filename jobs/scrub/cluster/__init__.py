"""The scrub of a list on a cluster: the plan of the fast engine over data frames (docs/scaling.md)."""

from __future__ import annotations
