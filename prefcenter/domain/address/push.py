"""Push tokens: opaque to us, so the bytes are the address and their case counts."""

from __future__ import annotations

import re

from prefcenter.domain.address.blanks import stripped
from prefcenter.domain.address.forms import Address, same_under_every_version
from prefcenter.domain.errors import InvalidAddress
from prefcenter.domain.terms import AddressKind

PUSH = "push:"
PUSH_MASK = "push:***"
TOKEN = re.compile(r"push:[\x21-\x7e]{1,512}")


def parse_push(text: str) -> Address:
    token = stripped(text)
    if not TOKEN.fullmatch(token):
        raise InvalidAddress("is not a push token of 1 to 512 printable ASCII characters")
    return Address(kind=AddressKind.PUSH, forms=same_under_every_version(token, token), masked=PUSH_MASK)


def looks_like_push(text: str) -> bool:
    return stripped(text)[: len(PUSH)].lower() == PUSH
