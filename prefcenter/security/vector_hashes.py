"""What vendors hand out instead of addresses, of many addresses at once: the same as `digests.vendors_hash` gives.

All hashing is libcrypto's; where none can be called, `hashlib` makes the hashes one by one.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numba import types
from numpy.typing import NDArray

from prefcenter.domain.digest import HASH_BYTES, DigestKind
from prefcenter.security.compiled import compiled
from prefcenter.security.digests import vendors_hash
from prefcenter.security.libcrypto import HASH_FUNCTIONS, LARGEST_STATE_BYTES, register_functions
from prefcenter.security.vector_digests import Forms, Octets, Offsets

Rows: TypeAlias = NDArray[np.int64]

MD5, SHA1, SHA256, SHA512 = (
    DigestKind.MD5.value,
    DigestKind.SHA1.value,
    DigestKind.SHA256.value,
    DigestKind.SHA512.value,
)
LARGEST_HASH_BYTES = HASH_BYTES[DigestKind.SHA512]
HEX_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
_START, _UPDATE, _FINISH = (
    types.int32(types.intp),
    types.int32(types.intp, types.intp, types.intp),
    types.int32(types.intp, types.intp),
)
_md5_start: Any = types.ExternalFunction("MD5_Init", _START)
_md5_update: Any = types.ExternalFunction("MD5_Update", _UPDATE)
_md5_finish: Any = types.ExternalFunction("MD5_Final", _FINISH)
_sha1_start: Any = types.ExternalFunction("SHA1_Init", _START)
_sha1_update: Any = types.ExternalFunction("SHA1_Update", _UPDATE)
_sha1_finish: Any = types.ExternalFunction("SHA1_Final", _FINISH)
_sha256_start: Any = types.ExternalFunction("SHA256_Init", _START)
_sha256_update: Any = types.ExternalFunction("SHA256_Update", _UPDATE)
_sha256_finish: Any = types.ExternalFunction("SHA256_Final", _FINISH)
_sha512_start: Any = types.ExternalFunction("SHA512_Init", _START)
_sha512_update: Any = types.ExternalFunction("SHA512_Update", _UPDATE)
_sha512_finish: Any = types.ExternalFunction("SHA512_Final", _FINISH)


def vendors_hashes(kind: DigestKind, forms: Forms, rows: Rows) -> Forms:
    """The forms of the hashes of some texts: what follows the kind byte of a form is hashed, and told in hex."""
    if not register_functions(HASH_FUNCTIONS):
        return one_by_one(kind, forms, rows)
    size = 1 + 2 * HASH_BYTES[kind]
    octets = np.empty((len(rows), size), np.uint8)
    _hash_all(kind.value, HASH_BYTES[kind], forms.octets, forms.offsets, rows, octets)
    return Forms(octets.reshape(-1), np.arange(len(rows) + 1, dtype=np.int64) * size)


def one_by_one(kind: DigestKind, forms: Forms, rows: Rows) -> Forms:
    """The same forms by `hashlib`."""
    octets, offsets = forms.octets.tobytes(), forms.offsets.tolist()
    texts = (octets[offsets[row] + 1 : offsets[row + 1]].decode() for row in rows.tolist())
    return Forms.of([bytes((kind,)) + vendors_hash(kind, text).encode() for text in texts])


@compiled
def _hash_all(kind: int, size: int, octets: Octets, offsets: Offsets, rows: Rows, out: Octets) -> None:
    state, hashed = np.empty(LARGEST_STATE_BYTES, np.uint8), np.empty(LARGEST_HASH_BYTES, np.uint8)
    first, at_state, at_hashed = octets.ctypes.data, state.ctypes.data, hashed.ctypes.data
    for index in range(rows.size):
        start, end = offsets[rows[index]] + 1, offsets[rows[index] + 1]
        _hash(kind, first + start, end - start, at_state, at_hashed)
        out[index, 0] = kind
        for place in range(size):
            out[index, 1 + 2 * place] = HEX_DIGITS[hashed[place] >> 4]
            out[index, 2 + 2 * place] = HEX_DIGITS[hashed[place] & 15]


@compiled
def _hash(kind: int, text: int, size: int, state: int, hashed: int) -> None:
    if kind == MD5:
        _md5_start(state)
        _md5_update(state, text, size)
        _md5_finish(hashed, state)
    elif kind == SHA1:
        _sha1_start(state)
        _sha1_update(state, text, size)
        _sha1_finish(hashed, state)
    elif kind == SHA256:
        _sha256_start(state)
        _sha256_update(state, text, size)
        _sha256_finish(hashed, state)
    else:
        _sha512_start(state)
        _sha512_update(state, text, size)
        _sha512_finish(hashed, state)
