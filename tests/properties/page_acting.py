"""What people refuse on their own page and take back at once: in the end it is as if nothing had happened."""

from __future__ import annotations

from hypothesis.stateful import rule

from prefcenter.domain.record import PAGE_SOURCE
from prefcenter.domain.terms import RefusalReason
from prefcenter.services.acts import Outcome
from prefcenter.services.targets import Targets
from tests.properties.contact_acting import ContactActing
from tests.properties.model import Place
from tests.properties.world import Step, controllers, picks, places, shapes

OPTED_OUT = RefusalReason.OPTED_OUT


class PageActing(ContactActing):
    """The acts that only the page knows."""

    @rule(controller=controllers, place=places, shape=shapes, pick=picks)
    def refuse_on_the_page_and_take_it_back(self, controller: str, place: Place, shape: str, pick: int) -> None:
        """Whatever was refused before stays so, by whomever, and no consent is worth less for it."""
        services, model, channel = self.home.of(controller), self.models[controller], place.channels[0]
        scope = self._scope(controller, place, OPTED_OUT, shape, pick)
        target = Targets(services.policy.country, services.digester).of(place.written, channel)
        acts = services.own_acts
        chosen = self.home.run(acts.choose(target, [scope], [], "page@1", is_confirmed=False))
        if chosen.versions is not None:
            link = services.links.open(services.links.undo(target, channel, *chosen.versions))
            assert link is not None
            assert self.home.run(acts.undo(target, link)) is Outcome.RECORDED
        before, time_ms = list(model.refusals), self._time(controller, place.subject, None)
        model.refuse(place.subject, self.generation, time_ms, OPTED_OUT, scope, PAGE_SOURCE, stated=False)
        model.refusals = before
        self.step = Step("taken back", controller, frozenset())
