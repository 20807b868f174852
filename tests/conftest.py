"""Settings that hold for the whole suite: how hypothesis draws its examples."""

from __future__ import annotations

import os

from hypothesis import settings

# The suite says the same thing twice: its examples are derived from each test, not drawn anew. Other profiles search,
# either on request (`pytest --hypothesis-profile=search`) or at length (`make soak`). Shared machines stall now and
# then, so no example has a deadline; pytest's own timeout catches a test that hangs.
settings.register_profile("suite", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("search", deadline=None, print_blob=True)
settings.register_profile("soak", deadline=None, print_blob=True, max_examples=2_000)
settings.load_profile("soak" if os.environ.get("PREFCENTER_SOAK") == "1" else "suite")
