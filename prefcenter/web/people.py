"""Everything that people reach without credentials, by a link or by hand."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from prefcenter.services.link_desk import LinkHome
from prefcenter.web.confirming import Confirming
from prefcenter.web.data_signals import data_signal_routes
from prefcenter.web.find_page import FindPage
from prefcenter.web.one_click import OneClick
from prefcenter.web.page_assets import PageAssets
from prefcenter.web.pages import Pages


def open_routes(home: LinkHome) -> Sequence[web.AbstractRouteDef]:
    """The routes that need no caller."""
    handlers = (OneClick(home), Confirming(home), Pages(home), FindPage(home), PageAssets(home))
    return [*(route for each in handlers for route in each.routes), *data_signal_routes()]
