"""The preference page: what one person gets, and every way to change it (OCC-1, CC1-1, OC-1, TCC-1).

`GET` shows, `POST` acts and shows the page again with what came of it; there is no redirect, cookie or login. The page
has no rule of its own: what is on comes from decisions, and what is done goes through the services.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from aiohttp import web
from multidict import MultiDict

from prefcenter.domain.errors import ActRefused, InvalidAddress, InvalidInput, InvalidTime, MailUnavailable
from prefcenter.domain.terms import Channel
from prefcenter.domain.time import format_time
from prefcenter.security.tokens import LinkKind
from prefcenter.services.acts import Outcome
from prefcenter.services.brand import Brand, brand_of
from prefcenter.services.controller import ControllerServices
from prefcenter.services.link_desk import LinkHome, open_link
from prefcenter.services.preferences import PreferenceSheet
from prefcenter.services.visits import Saved, Visit
from prefcenter.web.data_signals import refuse_signalled
from prefcenter.web.errors import Unauthenticated
from prefcenter.web.keys import AUTHENTICATOR, METRICS
from prefcenter.web.link_pages import Form, read_form, tell_methods, with_link_page
from prefcenter.web.page_form import moved, pause_days, pause_end_ms, said
from prefcenter.web.page_history import PastChoice, past_choices
from prefcenter.web.page_rows import RowMaker, cell_value
from prefcenter.web.page_words import LEAVING_REASONS, word
from prefcenter.web.rendering import SCRIPTED_PAGE_FIELDS, page
from prefcenter.web.translations import language_of
from prefcenter.web.wordings import page_wording

PATH = "/p/{token}"
PORTAL_PATH = "/p"
TOKEN_FIELD = "token"
ADDRESS_FIELD = "address"
DOWNLOAD_NAME = "my-choices.json"


@dataclass(frozen=True, slots=True)
class Notice:
    """What came of an act, in words that are translated where they are shown."""

    text: str
    is_problem: bool = False
    until_ms: int | None = None
    undo_token: str | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """One person at the page of one controller, and the fields that every form has to send again."""

    request: web.Request
    services: ControllerServices
    visit: Visit
    form: Form
    carried: Mapping[str, str]

    @property
    def language(self) -> str:
        return language_of(self.request)

    @property
    def brand(self) -> Brand:
        return brand_of(self.services.policy)

    @property
    def may_open(self) -> bool:
        """Whether something can be switched on here: at once, or by a mail that confirms it."""
        return self.visit.consents_at_once or self.can_be_mailed

    @property
    def can_be_mailed(self) -> bool:
        """Whether letters can go to the address: a telephone or a house gets none."""
        return self.services.site.sends_mail and self.visit.channel is Channel.EMAIL


NOTHING_CHANGED = Notice(word("Nothing was changed."))
NOT_UNDERSTOOD = Notice(word("We did not understand that. Nothing was changed."), is_problem=True)
OTHER_ADDRESS = Notice(word("This is not the address that the message went to."), is_problem=True)
NO_SUCH_DAY = Notice(word("Please choose a day from tomorrow on, within a year."), is_problem=True)
NO_MAIL = Notice(
    word("This can only be switched on through a confirmation by email, which is not set up here."), is_problem=True
)
TOO_LATE = Notice(word("It is too late to undo that, or it was undone already."), is_problem=True)
ENOUGH_MAIL = Notice(word("You have had several emails from us within the hour. Please look there."), is_problem=True)
NOT_HERE = Notice(word("This link does not allow that. Ask for a new one below."), is_problem=True)


class Pages:
    """The handlers. Hand `routes` to the application as open ones."""

    def __init__(self, home: LinkHome) -> None:
        self._home = home

    @property
    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get(PATH, with_link_page(self.show)),
            web.post(PATH, with_link_page(self.act)),
            web.options(PATH, tell_methods),
            web.post(PORTAL_PATH, with_link_page(self.act_signed_in)),
            web.options(PORTAL_PATH, tell_methods),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """The page as it stands."""
        return await shown(await self._by_link(request, MultiDict()))

    async def act(self, request: web.Request) -> web.Response:
        """Do what a form of the page says, and show what came of it."""
        form = await read_form(request)
        arrival, notice = await self._by_typed_address(request, MultiDict() if form is None else form)
        if notice is None:
            return await acted(arrival, said(arrival.form, "do"))
        await _refuse_signalled(arrival)
        return await shown(arrival, notice)

    async def act_signed_in(self, request: web.Request) -> web.Response:
        """The same for who signed in at a portal, which hands their token over in a form, never in a URL."""
        form = await read_form(request)
        form = MultiDict() if form is None else form
        token = said(form, TOKEN_FIELD)
        try:
            caller = await request.app[AUTHENTICATOR].caller(f"Bearer {token}")
        except Unauthenticated:
            return page(request, "signed_out.html", 401)
        person = caller.person
        if person is None or caller.link is not None:
            return page(request, "signed_out.html", 401)
        services = await self._home.controller(person.controller)
        visit = await services.visits.of_person(person.address, person.channel)
        arrival = Arrival(request, services, visit, form, {TOKEN_FIELD: token})
        return await acted(arrival, said(form, "do") or "show")

    async def _by_link(self, request: web.Request, form: Form, address: str | None = None) -> Arrival:
        kinds = LinkKind.MANAGE, LinkKind.FRESH
        services, link = await open_link(self._home, request.match_info["token"], *kinds)
        visit = await services.visits.of_link(link, address)
        return Arrival(request, services, visit, form, {} if address is None else {ADDRESS_FIELD: address})

    async def _by_typed_address(self, request: web.Request, form: Form) -> tuple[Arrival, Notice | None]:
        """Who comes by a link, with the address that they typed where they had to."""
        try:
            return await self._by_link(request, form, said(form, ADDRESS_FIELD) or None), None
        except InvalidAddress:
            return await self._by_link(request, form), OTHER_ADDRESS


async def acted(arrival: Arrival, deed: str) -> web.Response:
    """Do what a button says and then, whatever came of that, what the browser says for its person; show the page."""
    notice = None if deed == "download" else await _done(arrival, deed)
    await _refuse_signalled(arrival)
    return await (_download(arrival) if deed == "download" else shown(arrival, notice))


async def _done(arrival: Arrival, deed: str) -> Notice | None:
    try:
        return await DEEDS[deed](arrival) if deed in DEEDS else NOT_UNDERSTOOD
    except MailUnavailable:
        return NO_MAIL
    except InvalidTime:
        return NO_SUCH_DAY
    except ActRefused:
        return NOT_HERE
    except InvalidInput:
        return NOT_UNDERSTOOD


async def _refuse_signalled(arrival: Arrival) -> None:
    await refuse_signalled(arrival.request, arrival.services, arrival.visit.target)


async def shown(arrival: Arrival, notice: Notice | None = None) -> web.Response:
    """The page with all that the visit may see."""
    visit = arrival.visit
    context = {
        "visit": visit,
        "carried": arrival.carried,
        "notice": notice,
        "leaving_reasons": LEAVING_REASONS,
        "can_be_mailed": arrival.can_be_mailed,
        **({} if visit.needs_address else await _sheet(arrival)),
    }
    status = 400 if notice is not None and notice.is_problem else 200
    return page(
        arrival.request, "preferences.html", status, brand=arrival.brand, fields=SCRIPTED_PAGE_FIELDS, **context
    )


async def _sheet(arrival: Arrival) -> Mapping[str, Any]:
    """Groups and switches. In a pause they show what will hold after it, for that is what they change."""
    services, visit = arrival.services, arrival.visit
    now_ms = services.clock()
    sheet = await services.visits.sheet(visit, now_ms)
    paused_until_ms = _future(sheet.paused_until_ms, now_ms)
    after: PreferenceSheet = sheet if paused_until_ms is None else await services.visits.sheet(visit, paused_until_ms)
    rows = RowMaker(services.policy, arrival.brand, arrival.language, arrival.may_open)
    first_day, last_day, offered_day = pause_days(now_ms)
    return {
        "groups": list(rows.message_groups(after)),
        "data_uses": rows.data_uses(after),
        "paused_until_ms": paused_until_ms,
        "days": {"first": first_day, "last": last_day, "offered": offered_day},
        "wording": page_wording(arrival.language).text.format(name=arrival.brand.name),
        "may_open": arrival.may_open,
        "history": await _history(arrival) if visit.sees_all else [],
    }


def _future(time_ms: int | None, now_ms: int) -> int | None:
    return time_ms if time_ms is not None and time_ms > now_ms else None


async def _history(arrival: Arrival) -> Sequence[tuple[PastChoice, str | None, str | None]]:
    """The lines of the history, each with the label of what it is about and the language of that."""
    policy, brand = arrival.services.policy, arrival.brand
    past = past_choices(policy, await arrival.services.visits.history(arrival.visit))
    return [
        (one, *(brand.label(one.about.id, one.about.label, arrival.language) if one.about else (None, None)))
        for one in past
    ]


async def _stop(arrival: Arrival) -> Notice:
    saved = await arrival.services.visits.stop_everything(arrival.visit)
    why = said(arrival.form, "why")
    if why in LEAVING_REASONS:
        arrival.request.app[METRICS].left(arrival.services.policy.controller, why)
    text = word("Done. %(name)s will send you nothing more, apart from what your account or contract needs.")
    return Notice(text, undo_token=saved.undo_token)


async def _save(arrival: Arrival) -> Notice:
    saved = await arrival.services.visits.save(
        arrival.visit, moved(arrival.form), page_wording(arrival.language).id, arrival.language
    )
    return _notice_of(saved)


def _notice_of(saved: Saved) -> Notice:
    if Outcome.PENDING in saved.outcomes and not saved.is_mailed:
        return replace(ENOUGH_MAIL, undo_token=saved.undo_token)
    if Outcome.PENDING in saved.outcomes:
        text = word("Saved. What you switched on waits for you: please confirm it in the email that we sent you.")
        return Notice(text, undo_token=saved.undo_token)
    if Outcome.RECORDED in saved.outcomes:
        return Notice(word("Saved. It holds from now on."), undo_token=saved.undo_token)
    return NOTHING_CHANGED


async def _pause(arrival: Arrival) -> Notice:
    until_ms = pause_end_ms(arrival.form, arrival.services.clock())
    await arrival.services.visits.pause(arrival.visit, until_ms)
    return Notice(word("All quiet until %(day)s."), until_ms=until_ms)


async def _resume(arrival: Arrival) -> Notice:
    await arrival.services.visits.pause(arrival.visit, None)
    return Notice(word("The pause is over."))


async def _undo(arrival: Arrival) -> Notice:
    outcome = await arrival.services.visits.undo(arrival.visit, said(arrival.form, "undo"))
    return Notice(word("Taken back.")) if outcome is Outcome.RECORDED else TOO_LATE


async def _mail_link(arrival: Arrival) -> Notice:
    is_sent = await arrival.services.visits.mail_fresh_link(arrival.visit, arrival.language)
    return Notice(word("We have sent you a link. It works for 24 hours.")) if is_sent else ENOUGH_MAIL


async def _show(_arrival: Arrival) -> None:
    return None


async def _download(arrival: Arrival) -> web.Response:
    """The choices of one person in a form that programs read (CC1-3, TCC-3)."""
    services, visit = arrival.services, arrival.visit
    try:
        past = list(past_choices(services.policy, await services.visits.history(visit)))
    except ActRefused:
        return await shown(arrival, NOT_HERE)
    sheet = await services.visits.sheet(visit, services.clock())
    rows = (*sheet.rows, *sheet.data_uses)
    document = {
        "controller": services.policy.name,
        "address": visit.masked,
        "policy_version": services.policy.version,
        "paused_until": None if sheet.paused_until_ms is None else format_time(sheet.paused_until_ms),
        "choices": [
            {"about": cell_value(row.cell), "label": row.label, "allowed": row.decision.is_allowed} for row in rows
        ],
        "history": [
            {"at": format_time(one.at_ms), "what": one.said, "about": one.about.id if one.about else None}
            for one in past
        ],
    }
    head = {"Content-Disposition": f'attachment; filename="{DOWNLOAD_NAME}"'}
    body = msgspec.json.format(msgspec.json.encode(document))
    return web.Response(body=body, content_type="application/json", charset="utf-8", headers=head)


DEEDS: Mapping[str, Callable[[Arrival], Awaitable[Notice | None]]] = {
    "show": _show,
    "stop": _stop,
    "save": _save,
    "pause": _pause,
    "resume": _resume,
    "undo": _undo,
    "fresh": _mail_link,
}
"""What the buttons of the page are called, and what each does."""
