"""Where personal data may be kept: what a policy says of it, held against where the store is declared to be (OC-10)."""

from __future__ import annotations

from dataclasses import dataclass

from prefcenter.domain.errors import InvalidInput
from prefcenter.services.policy_document import LoadedPolicy


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """The regions that the store lies in, as its operator declares them; and whether it is on another machine."""

    regions: frozenset[str] = frozenset()
    is_elsewhere: bool = False


def require_region(policy: LoadedPolicy, location: StoreLocation) -> None:
    """Raise InvalidInput where a policy keeps data in regions that the store is not declared to lie in.

    A store in a file of this machine is where its operator runs the program, so there a declaration may be missing;
    where one stands, it has to fit there too.
    """
    allowed = policy.tables.get("region", {}).get("data_stays_in", [])
    allowed = [allowed] if isinstance(allowed, str) else allowed
    if not allowed or {name.casefold() for name in allowed} & {name.casefold() for name in location.regions}:
        return
    if location.regions or location.is_elsewhere:
        raise InvalidInput(
            f"{policy.controller}: its policy keeps data in {', '.join(allowed)}, and PREFCENTER_STORE_REGION"
            f" {'names another region' if location.regions else 'does not say where the store is'}; nothing was done"
        )
