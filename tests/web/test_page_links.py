"""What pages refer to is found, also where a proxy serves them beneath a path of its own."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import pytest

from prefcenter.settings import Settings
from tests.web.serving_home import running
from tests.web.test_pages import bulk_path, fresh_path

BEYOND = "https://acme.example"
BASE = f"{BEYOND}/choices"
"""As `PREFCENTER_BASE_URL` may say it."""

LOGO = """logo = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="4" cy="4" r="4"/></svg>'"""


def give_logo(settings: Settings, controller: str = "one-contact-center") -> None:
    """Put a logo into a controller's policy."""
    file = settings.policies / f"{controller}.toml"
    file.write_text(file.read_text("utf-8").replace("[brand]\n", f"[brand]\n{LOGO}\n"), "utf-8")


@pytest.mark.parametrize(
    "page", ["bulk", "fresh", "/u/x", "/c/x", "/find", "/find/one-contact-center", "/u/half/a/link"]
)
async def test_whatever_a_page_refers_to_lies_beneath_the_base_url_and_is_there(settings: Settings, page: str) -> None:
    give_logo(settings)
    made = {"bulk": bulk_path, "fresh": fresh_path}
    path = await made[page](settings) if page in made else page
    async with running(settings) as server:
        text = (await server.ask(path)).body.decode()
        found = re.findall(r'(?:href|src|action)="(?!mailto:|https:)([^"]+)"', text)
        urls = [urljoin(f"{BASE}{path}", one) for one in found]
        assert len(urls) > 5
        assert [url for url in urls if not url.startswith(f"{BASE}/")] == []
        for url in urls:
            if "?lang=" not in url:
                assert (await server.ask(urlsplit(url).path.removeprefix("/choices"))).status == 200


async def test_a_controller_s_logo_is_shown_under_the_rules_of_the_page(settings: Settings) -> None:
    give_logo(settings)
    path = await bulk_path(settings)
    async with running(settings) as server:
        page = await server.ask(path)
        logo = await server.ask("/brand/one-contact-center/logo.svg")
        other = await server.ask("/brand/opencontact/logo.svg")
    assert '<img src="../brand/one-contact-center/logo.svg" alt="One Contact Center"' in page.body.decode()
    assert "img-src 'self'" in page.headers["Content-Security-Policy"]
    assert (logo.status, logo.headers["Content-Type"]) == (200, "image/svg+xml; charset=utf-8")
    assert logo.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert logo.headers["X-Content-Type-Options"] == "nosniff"
    assert logo.body.startswith(b"<svg")
    assert other.status == 404
