"""A pytest plugin for `run.py`: one failing example is enough, so hypothesis does not look for the smallest."""

from __future__ import annotations

from hypothesis import Phase, settings

settings.register_profile(
    "first-failure", derandomize=True, deadline=None, max_examples=100, phases=(Phase.explicit, Phase.generate)
)
