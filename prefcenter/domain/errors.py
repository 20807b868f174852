"""Everything that can go wrong, as one tree.

    PrefcenterError                    code, exit_code
    ├── InvalidInput                   what was handed in is wrong; nothing was changed
    │   ├── InvalidAddress             never carries the address itself
    │   ├── InvalidTime
    │   ├── InvalidList                a file of rows that cannot be read as one
    │   ├── InvalidPolicy              carries every fault found
    │   ├── InvalidLink                not complete, not ours, not of this kind, or over; which of them is not told
    │   └── UnknownContact             the CRM's own id names no contact here
    ├── ActRefused                     a well-formed act that the rules do not allow
    │   ├── IdempotencyConflict        the key came before, with another input
    │   └── MailUnavailable            it needs a letter to the person, and no mail host is set up
    ├── KeyringError                   the keyring is missing, readable by others, or not this store's
    └── StoreError                     nothing was acknowledged
        ├── VersionConflict            somebody else wrote first; read again and retry
        ├── StoreBusy
        ├── StoreFull
        ├── StoreReadOnly
        ├── StoreTooNew
        └── StoreDamaged

Messages name the file, line and field where there is one, and never a plaintext address.
"""

from __future__ import annotations

from dataclasses import dataclass


class PrefcenterError(Exception):
    """The root of the tree; `code` is stable and goes on the wire, the message is for people."""

    code = "fault"


class InvalidInput(PrefcenterError):
    code = "invalid_input"


class InvalidAddress(InvalidInput):
    """An address that does not parse. `why` is a short fixed phrase that never quotes the input."""

    code = "invalid_address"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class InvalidTime(InvalidInput):
    code = "invalid_time"


class InvalidList(InvalidInput):
    code = "invalid_list"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a policy file: where it is and what was expected there."""

    file: str
    key: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.expected}"


class InvalidPolicy(InvalidInput):
    """A policy that may not come into force, with all its faults at once."""

    code = "invalid_policy"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class InvalidLink(InvalidInput):
    code = "invalid_link"


class UnknownContact(InvalidInput):
    code = "unknown_contact"


class ActRefused(PrefcenterError):
    code = "act_refused"


class IdempotencyConflict(ActRefused):
    code = "idempotency_conflict"


class MailUnavailable(ActRefused):
    code = "mail_unavailable"


class KeyringError(PrefcenterError):
    code = "keyring"


class StoreError(PrefcenterError):
    code = "store"


class VersionConflict(StoreError):
    code = "version_conflict"


class StoreBusy(StoreError):
    code = "store_busy"


class StoreFull(StoreError):
    code = "store_full"


class StoreReadOnly(StoreError):
    code = "store_read_only"


class StoreTooNew(StoreError):
    code = "store_too_new"


class StoreDamaged(StoreError):
    code = "store_damaged"
