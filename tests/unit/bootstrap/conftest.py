"""Lets the tests of a live home be coroutines."""

from __future__ import annotations

from tests.contract.coroutine_tests import pytest_pyfunc_call

__all__ = ["pytest_pyfunc_call"]
