"""The fast engine: the reference engine's answers by compiled code over whole columns (docs/performance.md)."""

from __future__ import annotations
