"""What the errors of MongoDB's driver mean to us. Their texts may quote values and URLs, so none is passed on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from bson.errors import BSONError
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)

from prefcenter.domain.errors import (
    InvalidInput,
    StoreBusy,
    StoreError,
    StoreFull,
    StoreReadOnly,
    VersionConflict,
)

DUPLICATE_KEY, WRITE_CONFLICT = 11_000, 112
NO_CERTIFICATE = "store: a certificate file that its URL names cannot be read, or holds none"
_UNREACHABLE = "the database cannot be reached; nothing was acknowledged"
_UNTRUSTED = re.compile("certificate verify failed|hostname mismatch|IP address mismatch", re.IGNORECASE)
"""What the driver's error for a server that cannot be reached quotes of the handshake."""
_BY_CODE: dict[int, tuple[type[StoreError], str]] = {
    DUPLICATE_KEY: (VersionConflict, "another writer was first"),
    WRITE_CONFLICT: (StoreBusy, "other writers hold the store; nothing was acknowledged"),
    251: (StoreBusy, "the transaction was taken back; nothing was acknowledged"),
    50: (StoreBusy, "the database took too long; nothing was acknowledged"),
    64: (StoreError, "no majority confirmed in time; nothing was acknowledged"),
    13: (StoreReadOnly, "the database refuses this user; nothing was acknowledged"),
    18: (StoreError, "the database does not know this user or password"),
    8000: (StoreError, "the database does not know this user or password"),
    121: (StoreError, "the database's validator refused a document; nothing was acknowledged"),
    14_031: (StoreFull, "the database's disk is full; nothing was acknowledged"),
    **dict.fromkeys(
        (85, 86),
        (StoreError, "an index stands there that was made otherwise; drop it, and run `prefcenter store init`"),
    ),
    20: (StoreError, "the database is no replica set, so it has no transactions"),
    **dict.fromkeys(
        (91, 189, 10_107, 11_600, 11_602, 13_435, 13_436),
        (StoreError, "the database has no primary at the moment; nothing was acknowledged"),
    ),
}
_BY_TYPE: tuple[tuple[type[PyMongoError], type[StoreError], str], ...] = (
    (ServerSelectionTimeoutError, StoreError, _UNREACHABLE),
    (WaitQueueTimeoutError, StoreBusy, "all connections to the database are in use; nothing was acknowledged"),
    (ConnectionFailure, StoreError, _UNREACHABLE),
)


@contextmanager
def mongo_errors() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except ConfigurationError:
        raise InvalidInput(
            "store: the options of its URL do not fit together, or a key not to its certificate"
        ) from None
    except OSError:  # of the network the driver makes errors of its own; what is left is of files
        raise InvalidInput(NO_CERTIFICATE) from None
    except (PyMongoError, BSONError, OverflowError) as error:
        raise as_store_error(error) from None


def as_store_error(error: Exception) -> StoreError:
    """The error of ours that an error of the driver is."""
    code = error_code(error)
    if code in _BY_CODE:
        error_type, message = _BY_CODE[code]
        return error_type(f"{message} (MongoDB code {code})")
    if _UNTRUSTED.search(str(error)):
        return StoreError("the database's certificate is not trusted, so nothing was said to it")
    for their_type, our_type, message in _BY_TYPE:
        if isinstance(error, their_type):
            return our_type(f"{message} ({type(error).__name__})")
    detail = type(error).__name__ if code is None else f"MongoDB code {code}"
    return StoreError(f"the database failed; nothing was acknowledged ({detail})")


def error_code(error: Exception) -> int | None:
    """The server's code; of a bulk write, that of its first error."""
    if isinstance(error, BulkWriteError):
        first = next(iter((error.details or {}).get("writeErrors", ())), None)
        return first["code"] if first else error.code
    if isinstance(error, DuplicateKeyError):
        return DUPLICATE_KEY
    return error.code if isinstance(error, OperationFailure) else None
