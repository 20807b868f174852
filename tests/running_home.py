"""A real home in a temporary place, open on a real SQLite store, with a clock that the test turns."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from prefcenter.bootstrap import Services, audit, init_home, open_services, rotate_keys
from prefcenter.domain.address import Address, parse
from prefcenter.domain.decision import Decision, Request, decide
from prefcenter.security.digests import AddressDigests, Digester
from prefcenter.services.controller import ControllerServices
from prefcenter.services.decisions import Question, address_kind
from prefcenter.settings import read_settings

T = TypeVar("T")


class RunningHome:
    """Close it when done; between steps it can be closed and opened again like any other home."""

    def __init__(self, policies: Mapping[str, str], now_ms: int) -> None:
        self.now_ms = now_ms
        self._place = tempfile.TemporaryDirectory(prefix="prefcenter-")
        self._runner = asyncio.Runner()
        self._controllers: dict[str, ControllerServices] = {}
        self._parsed: dict[tuple[str, str], tuple[Address, AddressDigests]] = {}
        source = Path(self._place.name) / "source"
        source.mkdir()
        for controller, text in policies.items():
            (source / f"{controller}.toml").write_text(text, encoding="utf-8")
        self.settings = read_settings({}, Path(self._place.name) / "home")
        self.run(init_home(self.settings, source, self.clock))
        self._open()

    def clock(self) -> int:
        return self.now_ms

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    @property
    def services(self) -> Services:
        return self._services

    def of(self, controller: str) -> ControllerServices:
        """The services of a controller, under the policy file as it was when they were first asked for."""
        if controller not in self._controllers:
            self._controllers[controller] = self.run(self._services.deciding(controller))
        return self._controllers[controller]

    def adopt(self, controller: str, text: str) -> None:
        """Put a changed policy file in force."""
        (self.settings.policies / f"{controller}.toml").write_text(text, encoding="utf-8")
        self._controllers.pop(controller, None)
        self.of(controller)

    def answer(self, controller: str, questions: Sequence[Question]) -> Sequence[Decision]:
        """The decisions as the service gives them."""
        return self.run(self.of(controller).decisions.decide_many(questions, self.now_ms))

    def answer_quickly(self, controller: str, questions: Sequence[Question]) -> Sequence[Decision]:
        """The same without parsing an address anew for each question; the test holds it against `answer`."""
        policy = self.of(controller).policy
        known = [self._digests(controller, policy.country, question) for question in questions]
        subjects = [subject for _, digests in known for subject in digests.looked_up]
        by_subject = {record.subject: record for record in self.run(self._services.store.load(controller, subjects))}
        decisions = []
        for question, (address, digests) in zip(questions, known, strict=True):
            records = [by_subject[subject] for subject in digests.looked_up if subject in by_subject]
            cell = question.purpose, question.channel, question.data_use
            request = Request(address, digests.exacts, *cell, question.address_class)
            decisions.append(decide(policy, records, request, self.now_ms))
        return decisions

    def _digests(self, controller: str, country: str, question: Question) -> tuple[Address, AddressDigests]:
        text = question.address
        if (controller, text) not in self._parsed:
            address = parse(text, address_kind(text, question.channel), country=country)
            digests = Digester(self._services.keyring, controller).of_address(address)
            self._parsed[controller, text] = address, digests
        return self._parsed[controller, text]

    @contextmanager
    def closed(self) -> Iterator[None]:
        """A while in which nobody holds the home."""
        self._shut()
        yield
        self._open()

    def reopen(self) -> None:
        with self.closed():
            pass

    def rotate_keys(self) -> None:
        with self.closed():
            self.run(rotate_keys(self.settings, self.clock))

    def audit_findings(self) -> list[str]:
        """What an audit of the closed home finds."""
        with self.closed():
            reports = self.run(audit(self.settings, []))
        return [finding for report in reports.values() for finding in report.findings]

    def close(self) -> None:
        self._shut()
        self._runner.close()
        self._place.cleanup()

    def _open(self) -> None:
        self._stack = AsyncExitStack()
        opening = open_services(self.settings, self.clock)
        self._services = self.run(self._stack.enter_async_context(opening))

    def _shut(self) -> None:
        self._controllers.clear()
        self._parsed.clear()
        self.run(self._stack.aclose())
