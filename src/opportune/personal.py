"""What is said, made for one person: the contents of an answer, rendered for whom it is about."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict, replace

from opportune.catalog.types import Action, Catalog
from opportune.decide.plan import VARIANTS
from opportune.deliver import person
from opportune.deliver.forms.json import must_fit
from opportune.deliver.render.templates import RenderFailed, is_plain
from opportune.deliver.render.worker import Renderer
from opportune.deliver.types import Failure, Job, Rendered
from opportune.profiles.people import View
from opportune.wire import Answered, CarriedCoupon, Offer

Items = Sequence[Mapping[str, Any]]
"""Items as templates read them."""


class Contents(NamedTuple):
    """What has to be rendered of an answer, by the catalog that it was made with."""

    personal: Personal
    jobs: list[Job]


class Personal:
    """The contents of one catalog. What is the same for everybody never costs anything."""

    def __init__(self, catalog: Catalog, of: Personal | None = None) -> None:
        """Take the contents of a catalog, or of a variant `of` the one whose renderer it shares."""
        self.catalog = catalog
        self._edition = None if of is None else catalog
        self._variants: OrderedDict[str, Personal] = OrderedDict()
        self._actions = {action.name: action for action in catalog.actions}
        self._varied = {
            (action.name, treatment.name)
            for action in catalog.actions
            for treatment in action.treatments
            if treatment.languages or not is_plain(treatment.content)
        }
        self.renderer: Renderer = Renderer(catalog) if of is None else of.renderer

    def under(self, catalog: Catalog) -> Personal:
        """Return the contents of a variant of the catalog; of the catalog itself these. The last ones are kept."""
        if catalog.hash == self.catalog.hash:
            return self
        found = self._variants.get(catalog.hash)
        if found is None:
            found = self._variants[catalog.hash] = Personal(catalog, self)
            if len(self._variants) > VARIANTS:
                self._variants.popitem(last=False)
        self._variants.move_to_end(catalog.hash)
        return found

    def job(
        self, view: View, now: int, zone: str, action: Action, treatment: str, value: float, decision_id: str | None,
        items: Items = (), coupon: CarriedCoupon | UnsetType = UNSET,
    ) -> Job:  # fmt: skip
        """Return what to render of an action for a customer as they are now, with what it carries; no links yet."""
        traits = {name: value for name, (value, _, _) in view.state.traits.items()}
        values = view.values(now)
        language = person.language_of(traits, self.catalog.language)
        told = person.context(
            view.customer, traits, values, self.catalog, now, zone, action, value, decision_id, items,
            coupon=None if coupon is UNSET else asdict(coupon),
        )  # fmt: skip
        return Job(action.name, treatment, language, told, self._edition)

    def varies(self, answer: Answered) -> bool:
        """Return whether an answer has contents that are not the same for everybody."""
        return any((offer.action, offer.treatment) in self._varied for offer in answer.actions)

    def jobs(
        self, answer: Answered, view: View, now: int, zone: str, look: Callable[[Sequence[tuple[str, str]]], Items]
    ) -> list[Job]:
        """Return what to render of an answer; `look` gives items with their reasons as templates read them."""
        return [
            self.job(
                view, now, zone, self._actions[offer.action], offer.treatment, offer.value, answer.decision_id,
                look([(item.id, item.reason) for item in offer.items]) if offer.items else (), offer.coupon,
            )
            for offer in answer.actions
            if (offer.action, offer.treatment) in self._varied
        ]  # fmt: skip

    def filled(self, answer: Answered, jobs: Sequence[Job]) -> tuple[Answered, list[tuple[Offer, Failure]]]:
        """Render, and return the answer with its contents, and the offers that could not be made: they are left out.

        Blocks for as long as the worker takes; call it outside of any lock.
        """
        made = {(job.action, job.treatment): one for job, one in zip(jobs, self.renderer.render(jobs), strict=True)}
        schemas = {place.name: place.schema for place in self.catalog.placements}
        offers, failed = list[Offer](), list[tuple[Offer, Failure]]()
        for offer in answer.actions:
            told = made.get((offer.action, offer.treatment))
            if isinstance(told, Rendered):
                told = _fitting(told, schemas.get(offer.placement))
            match told:
                case Rendered(content=content):
                    offers.append(replace(offer, content=content))
                case Failure() as failure:
                    failed.append((offer, failure))
                case None:
                    offers.append(offer)
        silence = answer.silence
        if failed and not offers:
            offer, failure = failed[0]
            silence = f"{offer.action} could not be rendered: {failure.field} {failure.what}"
        return replace(answer, actions=offers, silence=silence), failed

    def close(self) -> None:
        """End the worker."""
        self.renderer.close()



def _fitting(made: Rendered, schema: Mapping[str, Any] | None) -> Rendered | Failure:
    """Return what was rendered, if it is what its placement takes."""
    try:
        must_fit(made.content, schema)
    except RenderFailed as why:
        return why.failure
    return made
