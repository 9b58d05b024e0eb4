"""Every treatment in every language, compiled and tried on sample customers before it goes live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from opportune.catalog.places import Locate, in_data
from opportune.catalog.types import Action, Catalog, Treatment
from opportune.deliver.forms import form_of
from opportune.deliver.render.languages import nearest
from opportune.deliver.render.samples import ORDINARY, samples
from opportune.deliver.render.templates import RenderFailed, is_plain
from opportune.deliver.render.worker import Renderer
from opportune.deliver.types import Failure, Job, Rendered
from opportune.errors import Problem


def check(catalog: Catalog, locate: Locate | None = None) -> list[Problem]:
    """Return the mistakes and warnings in what treatments say, where they are written.

    A mistake is what cannot be compiled, a name or block that does not exist, and what fails for one of the sample
    customers; it is a warning where the text is all right and the form cannot take the data of some. `locate` finds the
    node of a value in its file (`places.in_files`); without it, the path of the field stands for the file. Starts a
    process, unless all content is the same for everybody.
    """
    work = [
        (action, treatment, language)
        for action in catalog.actions
        for treatment in action.treatments
        if not _same_for_everybody(catalog, treatment)
        for language in (catalog.language, *treatment.languages)
    ]
    if not work:
        return []
    locate = locate or in_data(catalog)
    found: set[Problem] = set()
    with Renderer(catalog) as renderer:
        tried = []
        for action, treatment, language in work:
            problems = renderer.inspect(action.name, treatment.name, language)
            found |= {_placed(p, locate, catalog, action, treatment, language) for p in problems}
            if all(p.warning for p in problems):
                tried.append((action, treatment, language))
        for action, treatment, language in tried:
            for problem in _failures(renderer, catalog, action, treatment, language):
                found.add(_placed(problem, locate, catalog, action, treatment, language))
    return sorted(found, key=lambda p: (p.file, p.line, p.column, p.warning, p.what))


def _same_for_everybody(catalog: Catalog, treatment: Treatment) -> bool:
    return _form(catalog, treatment) == "json" and is_plain([treatment.content, *treatment.languages.values()])


def _form(catalog: Catalog, treatment: Treatment) -> str:
    channel = next(c for c in catalog.channels if c.name == treatment.channel)
    return form_of(channel, treatment.content)


def _failures(
    renderer: Renderer, catalog: Catalog, action: Action, treatment: Treatment, language: str
) -> Iterator[Problem]:
    """Yield what fails for sample customers, each place once, and as a mistake where it is one for anybody."""
    told: dict[tuple[str, int, int], Problem] = {}
    for who, person in samples(catalog, action, language, _form(catalog, treatment) == "letter").items():
        [answer] = renderer.render([Job(action.name, treatment.name, language, person)])
        for failure in [answer] if isinstance(answer, Failure) else _unfit(catalog, treatment, answer):
            place = failure.field, failure.line, failure.column
            # what fails for an ordinary customer is the text's fault, but for an address in traits that nobody declared
            lenient = failure.data and (who != ORDINARY or failure.field == "address")
            if place not in told or (told[place].warning and not lenient):
                cure = "customers like that do not get it" if lenient else ""
                told[place] = Problem(f"fails for {who}: {failure.what}", cure, *place[1:], place[0], lenient)
    yield from told.values()


def _unfit(catalog: Catalog, treatment: Treatment, made: Rendered) -> Iterator[Failure]:
    """Yield why finished content does not fit the schema of a placement where it may appear."""
    from opportune.deliver.forms.json import must_fit

    for place in catalog.placements:
        fits = place.channel == treatment.channel and any(fnmatchcase(place.name, p) for p in treatment.placements)
        if fits and place.schema:
            try:
                must_fit(made.content, place.schema)
            except RenderFailed as failed:
                yield failed.failure


def _placed(
    problem: Problem, locate: Locate, catalog: Catalog, action: Action, treatment: Treatment, language: str
) -> Problem:
    """Return a problem of a field where that field is written."""
    if problem.file.startswith("block "):
        name = problem.file.removeprefix("block ")
        spoken = nearest(language, catalog.blocks[name], catalog.language)
        node = locate("blocks", name, spoken)
    else:
        own = treatment.languages.get(language, {})
        steps = _steps(own, problem.file)
        path = ("languages", language, *steps) if steps else ("content", *_steps(treatment.content, problem.file))
        node = locate("actions", action.name, "treatments", treatment.name, *path)
    spot = node.spot if isinstance(node.value, dict | list) else node.inside(problem.line, problem.column)
    what = problem.what if language == catalog.language else f"{problem.what} (in `{language}`)"
    return Problem(what, problem.cure, spot.line, spot.column, spot.file, problem.warning)


def _steps(content: Any, field: str) -> tuple[str | int, ...]:
    """Return the keys and positions that lead to a field of a content; none if it is not there.

    >>> _steps({"data": {"a.b": ["x", "y"]}}, "data.a.b.1")
    ('data', 'a.b', 1)
    """
    if isinstance(content, list | tuple):
        head, _, rest = field.partition(".")
        if not head.isdecimal() or int(head) >= len(content):
            return ()
        return (int(head), *_steps(content[int(head)], rest))
    if isinstance(content, Mapping):
        for key in sorted(map(str, content), key=len, reverse=True):
            if field == key or field.startswith(f"{key}."):
                return (key, *_steps(content[key], field[len(key) + 1 :]))
    return ()
