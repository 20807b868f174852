"""Addresses of all channels: parsing, match forms, class and mask. The rules in words are in docs/addresses.md."""

from __future__ import annotations

from prefcenter.domain.address.address_class import classify, read_address_class
from prefcenter.domain.address.domains import parse_domain
from prefcenter.domain.address.forms import RULES_VERSIONS, Address, Forms
from prefcenter.domain.address.mask import mask
from prefcenter.domain.address.parsing import infer_kind, parse

__all__ = [
    "RULES_VERSIONS",
    "Address",
    "Forms",
    "classify",
    "infer_kind",
    "mask",
    "parse",
    "parse_domain",
    "read_address_class",
]
