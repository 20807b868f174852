"""Facts about the shape of a policy file: every key says what it expects, and is documented."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import phonenumbers
import pytest

from prefcenter.services import policy_schema

ROOT = Path(__file__).resolve().parents[3]
ROOT_TABLES: dict[str, type[policy_schema.Table]] = {
    "controller": policy_schema.ControllerTable,
    "clauses": policy_schema.ClausesTable,
    "purpose": policy_schema.PurposeTable,
    "data_use": policy_schema.DataUseTable,
}


def keys_of(model: type[policy_schema.Table], key: str) -> Iterator[str]:
    for name, info in model.model_fields.items():
        inner = f"{key}.{info.alias or name}"
        yield inner
        for candidate in (info.annotation, *get_args(info.annotation)):
            if isinstance(candidate, type) and issubclass(candidate, policy_schema.Table):
                yield from keys_of(candidate, inner)


@pytest.mark.parametrize("name", ROOT_TABLES)
def test_every_key_of_the_format_says_what_it_expects_and_is_documented(name: str) -> None:
    documented = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    for key in keys_of(ROOT_TABLES[name], name):
        assert policy_schema.expected_at(key)
        assert key.rpartition(".")[2] in documented


def test_every_country_gives_a_phone_region() -> None:
    assert policy_schema.COUNTRIES <= phonenumbers.SUPPORTED_REGIONS
