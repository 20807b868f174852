"""Mutants stay in step with the code: `make mutants` takes minutes, and this a moment."""

from __future__ import annotations

import pytest

from tests.mutants.run import ROOT, Mutant, read_mutants


@pytest.mark.parametrize("mutant", read_mutants(), ids=lambda mutant: mutant.id)
def test_a_mutant_stands_once_in_its_file_and_names_tests_that_are_there(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert mutant.applied_to(text) != text
    for test in mutant.tests:
        path, _, name = test.partition("::")
        content = (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).is_file() else None
        assert (ROOT / path).exists()
        assert not name or (content is not None and f"def {name.partition('[')[0]}(" in content)
