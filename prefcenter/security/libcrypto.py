"""The libcrypto that Python's own `hashlib` is linked with, for code that hashes millions of short texts."""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache

FUNCTIONS = ("SHA256_Init", "SHA256_Update", "SHA256_Final", "MD5", "SHA1", "SHA256", "SHA512")
SHA256_STATE_BYTES = 112
"""`SHA256_CTX` of OpenSSL 1.1 and 3: eight words of state, two of length, sixteen of data, two more."""


@cache
def register_functions() -> bool:
    """Make the hash functions known to compiled code, by name; False where no libcrypto can be found.

    A Python whose OpenSSL is linked in statically may show none of its functions; then the system's is looked for.
    """
    from llvmlite import binding

    library = _library()
    if library is None:
        return False
    for name in FUNCTIONS:
        binding.add_symbol(name, ctypes.cast(getattr(library, name), ctypes.c_void_p).value)
    return True


def _library() -> ctypes.CDLL | None:
    candidates = (_linked_by_python(), ctypes.util.find_library("crypto"))
    for name in filter(None, candidates):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        if all(hasattr(library, function) for function in FUNCTIONS):
            return library
    return None


def _linked_by_python() -> str | None:
    """The extension module behind `hashlib`: through it the functions of what it is linked with are found."""
    try:
        import _hashlib
    except ImportError:
        return None
    return getattr(_hashlib, "__file__", None)
