"""One list scrubbed by both engines, which must write the same."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.scrub import Manifest, ScrubPlan, scrub
from jobs.scrub.fast.engine import MIB, MOST_BLOCK_MIB, FastEngine
from jobs.scrub.snapshot.export import SnapshotKeeper
from prefcenter.domain.policy import Policy
from prefcenter.security.digests import Digester
from prefcenter.security.seals import Sealer
from prefcenter.services.decisions import Decisions
from prefcenter.services.links import Links
from prefcenter.services.ports import Store
from tests.factories import NOW
from tests.jobs.scrub.small_home import SmallHome


class TwoEngines:
    """The services of a controller, and a fast engine over them that keeps its snapshots in a directory."""

    def __init__(
        self,
        policy: Policy,
        digester: Digester,
        store: Store,
        sealer: Sealer,
        cache: Path | None,
        block_octets: int = MOST_BLOCK_MIB * MIB,
        links: Links | None = None,
    ) -> None:
        self.decisions = Decisions(policy, digester, store)
        self._links = links
        self._digester, self._store, self._sealer, self._cache = digester, store, sealer, cache
        self._block_octets = block_octets

    def fast(self, plan: ScrubPlan) -> FastEngine:
        services = (self.decisions, self._digester, self._store, self._sealer)
        return FastEngine(plan, *services, self._cache, block_octets_max=self._block_octets)

    async def scrub(self, plan: ScrubPlan, *, by_fast: bool) -> Manifest:
        engine = self.fast(plan) if by_fast else None
        return await scrub(plan, self.decisions, self._sealer, lambda: NOW, engine=engine, links=self._links)

    def keeper(self, cache: Path | None) -> SnapshotKeeper:
        return SnapshotKeeper(self.decisions.policy.controller, self._store, self._sealer, cache)

    def manifests(self, plan: ScrubPlan, directory: Path) -> tuple[Manifest, Manifest]:
        """The manifests of both engines, the reference's first; the outputs are found to be the same."""
        outs = [directory / "by-reference", directory / "by-fast"]
        made = [asyncio.run(self.scrub(replace(plan, out=out), by_fast=out is outs[1])) for out in outs]
        reference, fast = ({path.name: path.read_bytes() for path in rows_in(out)} for out in outs)
        assert fast == reference
        assert without_run(made[1]) == without_run(made[0])
        return made[0], made[1]


def engines_of_home(home: SmallHome, cache: Path, block_octets: int = MOST_BLOCK_MIB * MIB) -> TwoEngines:
    """Both engines over a small home."""
    digester = Digester(home.keyring, home.policy.controller)
    return TwoEngines(home.policy, digester, home.store, home.sealer, cache, block_octets)


def rows_in(out: Path) -> list[Path]:
    """The row files, which hold nothing of the run itself."""
    return [path for path in sorted(out.iterdir()) if path.name.partition(".")[0] in ("kept", "suppressed", "rejected")]


def without_run(manifest: Manifest) -> Mapping[str, Any]:
    return {key: value for key, value in manifest.document.items() if key != "run"}
