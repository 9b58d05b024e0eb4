"""What is said, made for one person: the contents of an answer, rendered for whom it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from opportune.catalog.types import Action, Catalog
from opportune.deliver import person
from opportune.deliver.forms.json import must_fit
from opportune.deliver.render.templates import RenderFailed, is_plain
from opportune.deliver.render.worker import Renderer
from opportune.deliver.types import Failure, Job, Rendered
from opportune.profiles.people import View
from opportune.wire import Answered, Offer


class Contents(NamedTuple):
    """What has to be rendered of an answer, by the catalog that it was made with."""

    personal: Personal
    jobs: list[Job]


class Personal:
    """The contents of one catalog. What is the same for everybody never costs anything."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._actions = {action.name: action for action in catalog.actions}
        self._varied = {
            (action.name, treatment.name)
            for action in catalog.actions
            for treatment in action.treatments
            if treatment.languages or not is_plain(treatment.content)
        }
        self.renderer = Renderer(catalog)

    def job(
        self, view: View, now: int, zone: str, action: Action, treatment: str, value: float, decision_id: str | None
    ) -> Job:
        """Return what to render of an action for a customer as they are now; without links yet."""
        traits = {name: value for name, (value, _, _) in view.state.traits.items()}
        values = view.values(now)
        language = person.language_of(traits, self.catalog.language)
        told = person.context(
            view.customer, traits, values, self.catalog, now, zone, action, value, decision_id
        )
        return Job(action.name, treatment, language, told)

    def varies(self, answer: Answered) -> bool:
        """Return whether an answer has contents that are not the same for everybody."""
        return any((offer.action, offer.treatment) in self._varied for offer in answer.actions)

    def jobs(self, answer: Answered, view: View, now: int, zone: str) -> list[Job]:
        """Return what to render of an answer."""
        return [
            self.job(view, now, zone, self._actions[offer.action], offer.treatment, offer.value, answer.decision_id)
            for offer in answer.actions
            if (offer.action, offer.treatment) in self._varied
        ]

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
