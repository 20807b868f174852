"""Which policy of a controller is in force: the file's, once it is shown to reopen nothing (promise 4)."""

from __future__ import annotations

from pathlib import Path

from prefcenter.domain.errors import InvalidInput, InvalidPolicy, StoreReadOnly, VersionConflict
from prefcenter.domain.policy import Policy
from prefcenter.domain.succession import succession_faults
from prefcenter.services.clause_register import clauses_file, known_clauses
from prefcenter.services.policy_document import LoadedPolicy, policy_from_document
from prefcenter.services.policy_files import load_policy
from prefcenter.services.ports import Store
from prefcenter.services.regions import StoreLocation, require_region

ATTEMPTS_MAX = 10
_ANYWHERE = StoreLocation()


class PolicyBook:
    """The policies of a home. A changed file comes into force when it is first used, or not at all."""

    def __init__(self, directory: Path, store: Store, location: StoreLocation = _ANYWHERE) -> None:
        self._directory = directory
        self._store = store
        self._location = location

    async def in_force(self, controller: str) -> Policy:
        """The policy of a controller. Raises InvalidInput for an unknown one or a store that is not
        where the policy keeps data, InvalidPolicy for a faulty file."""
        path = self._path(controller)
        for _ in range(ATTEMPTS_MAX):
            document = await self._store.policy_in_force(controller)
            loaded = load_policy(path, known_clauses=known_clauses(clauses_file()), in_force_document=document)
            require_region(loaded, self._location)
            if document == loaded.document:
                return loaded
            self._check_succession(document, loaded)
            try:
                await self._store.adopt_policy(controller, loaded.document, instead_of=document)
                return loaded
            except StoreReadOnly:
                return loaded
            except VersionConflict:
                continue
        raise VersionConflict("policies of this controller keep changing; try again")

    def _path(self, controller: str) -> Path:
        if controller not in self.controllers():
            known = ", ".join(self.controllers()) or "none"
            raise InvalidInput(f"controller: not one of this home's policies ({known})")
        return self._directory / f"{controller}.toml"

    def controllers(self) -> list[str]:
        """The controllers that have a policy file."""
        return sorted(path.stem for path in self._directory.glob("*.toml") if path.name[0] != ".")

    def _check_succession(self, document: str | None, loaded: LoadedPolicy) -> None:
        if document is None:
            return
        faults = succession_faults(policy_from_document(document), loaded, f"{loaded.controller}.toml")
        if faults:
            raise InvalidPolicy(faults)
