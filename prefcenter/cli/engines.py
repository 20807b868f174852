"""Which engine decides the rows of a list, for the commands that have any."""

from __future__ import annotations

import os
import sys

import click

from jobs.lists.content import HeldStream
from jobs.scrub import ScrubPlan
from jobs.scrub.engine import RowEngine
from jobs.scrub.fast.choice import MEMORY_MIB, EngineChoice, octets_at_hand, pays
from prefcenter.services.controller import ControllerServices
from prefcenter.settings import Settings

ONE_THREAD_OF_ALGEBRA = "OPENBLAS_NUM_THREADS", "1"
"""NumPy's library of linear algebra, which nothing here calls, otherwise begins with threads that wait in a loop."""

COMPILING = "compiling the fast engine; this takes some seconds, once"


async def chosen_engine(
    settings: Settings,
    found: ControllerServices,
    plan: ScrubPlan,
    choice: EngineChoice = EngineChoice.AUTO,
    memory_mib: int = MEMORY_MIB,
    standard_input: HeldStream | None = None,
) -> RowEngine | None:
    """The fast engine, if it is asked for or pays for the lists; its libraries take a second to load."""
    if choice is EngineChoice.REFERENCE:
        return None
    if choice is EngineChoice.AUTO:
        octets = octets_at_hand(plan.paths, standard_input)
        if not await pays(octets, found.policy.controller, found.store, settings.snapshots):
            return None
    os.environ.setdefault(*ONE_THREAD_OF_ALGEBRA)
    from jobs.scrub.fast.engine import FastEngine
    from prefcenter.security.compiled import tell_of_compiling

    if sys.stderr.isatty():
        tell_of_compiling(lambda: click.echo(COMPILING, err=True))
    services = (found.decisions, found.digester, found.store, found.sealer)
    return FastEngine(plan, *services, settings.snapshots, memory_mib)
