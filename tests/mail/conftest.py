"""Homes with an outbox, and mail hosts on this machine to send its letters to."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from prefcenter.logs import configure_logs
from prefcenter.services.site import Site
from prefcenter.settings import Settings, read_settings
from tests.mail.mail_host import Certificate, make_certificate
from tests.web.conftest import untouched_home

__all__ = ["untouched_home"]


@pytest.fixture
def settings(untouched_home: Path, tmp_path: Path) -> Settings:
    """Those of a fresh home that has a mail host."""
    home = tmp_path / "home"
    shutil.copytree(untouched_home, home)
    return replace(read_settings({}, home), site=Site(sends_mail=True))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def trusted(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    """A certificate that this process trusts, as an operator's own authority would be."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    return certificate


@pytest.fixture(autouse=True)
def logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure_logs(stream)
    yield stream
    configure_logs()
