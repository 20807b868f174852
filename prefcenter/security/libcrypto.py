"""The libcrypto that Python's own `hashlib` is linked with, for code that hashes millions of short texts."""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache

DIGEST_FUNCTIONS = ("SHA256_Init", "SHA256_Update", "SHA256_Final")
HASH_FUNCTIONS = tuple(
    f"{name}_{step}" for name in ("MD5", "SHA1", "SHA256", "SHA512") for step in ("Init", "Update", "Final")
)
SHA256_STATE_BYTES = 112
"""`SHA256_CTX` of OpenSSL 1.1 and 3: eight words of state, two of length, sixteen of data, two more."""

LARGEST_STATE_BYTES = 216
"""`SHA512_CTX`; those of MD5, SHA-1 and SHA-256 are smaller."""


@cache
def register_functions(names: tuple[str, ...] = DIGEST_FUNCTIONS) -> bool:
    """Make hash functions known to compiled code, by name; False where no libcrypto with all of them can be found.

    A Python whose OpenSSL is linked in statically may show none of its functions; then the system's is looked for.
    """
    from llvmlite import binding

    library = _library(names)
    if library is None:
        return False
    for name in names:
        binding.add_symbol(name, ctypes.cast(getattr(library, name), ctypes.c_void_p).value)
    return True


def _library(names: tuple[str, ...]) -> ctypes.CDLL | None:
    candidates = (_linked_by_python(), ctypes.util.find_library("crypto"))
    for name in filter(None, candidates):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        if all(hasattr(library, function) for function in names):
            return library
    return None


def _linked_by_python() -> str | None:
    """The extension module behind `hashlib`: through it the functions of what it is linked with are found."""
    try:
        import _hashlib
    except ImportError:
        return None
    return getattr(_hashlib, "__file__", None)
