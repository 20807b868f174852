"""The files that pages ask for: one stylesheet, one script, and a controller's own colour and logo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files

from aiohttp import web

from prefcenter.domain.errors import InvalidInput
from prefcenter.services.brand import Brand, brand_of
from prefcenter.services.link_desk import LinkHome

CONTENT_TYPES: Mapping[str, str] = {"page.css": "text/css", "page.js": "text/javascript"}

LOGO_FIELDS: Mapping[str, str] = {"Content-Security-Policy": "default-src 'none'; sandbox"}
"""A logo is a picture: whatever else somebody writes into it is neither run nor fetched, even where it is opened."""


class PageAssets:
    """The handlers. Hand `routes` to the application as open ones."""

    def __init__(self, home: LinkHome) -> None:
        self._home = home

    @property
    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/static/{file}", self.file),
            web.get("/brand/{controller}/colour.css", self.colour),
            web.get("/brand/{controller}/logo.svg", self.logo),
        ]

    async def file(self, request: web.Request) -> web.Response:
        """A file that comes with the program."""
        name = request.match_info["file"]
        if name not in CONTENT_TYPES:
            raise web.HTTPNotFound
        body = (files("prefcenter.web") / "static" / name).read_bytes()
        return web.Response(body=body, content_type=CONTENT_TYPES[name], charset="utf-8")

    async def colour(self, request: web.Request) -> web.Response:
        """The controller's colour as a stylesheet, for a page may hold no style of its own."""
        return web.Response(text=colour_sheet(await self._brand(request)), content_type="text/css", charset="utf-8")

    async def logo(self, request: web.Request) -> web.Response:
        logo = (await self._brand(request)).logo
        if logo is None:
            raise web.HTTPNotFound
        return web.Response(text=logo, content_type="image/svg+xml", charset="utf-8", headers=LOGO_FIELDS)

    async def _brand(self, request: web.Request) -> Brand:
        try:
            return brand_of((await self._home.controller(request.match_info["controller"])).policy)
        except InvalidInput:
            raise web.HTTPNotFound from None


def colour_sheet(brand: Brand) -> str:
    """The accent in light and in dark; empty where the controller has no colour."""
    if brand.colour is None:
        return ""
    light, dark = f":root{{--accent:{brand.colour}}}", f":root{{--accent:{brand.dark_colour}}}"
    return f"{light}@media(prefers-color-scheme:dark){{{dark}}}"
