"""What a look at a catalog shares: which actions and treatments a standard is about, their texts, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from opportune.catalog.node import Node, Spot
from opportune.catalog.places import Locate
from opportune.catalog.types import Action, Catalog, Standard, Treatment
from opportune.deliver.standards.markup import markup_unclear
from opportune.deliver.standards.reading import Reading, in_small_letters, readings
from opportune.deliver.standards.spoken import (
    Library,
    Piece,
    Unclear,
    View,
    Ways,
    as_it_stands,
    every_branch,
    has_liquid,
    sure,
    ways_of,
)
from opportune.deliver.standards.wording import Source, languages_of, sources
from opportune.errors import Problem

BENEFIT = ("benefit",)
"""The path, from its action, to what an action's benefit is in words."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A treatment in one language: `all` its texts, and those of the fields that a standard is about."""

    action: Action
    treatment: Treatment
    language: str
    all: tuple[Source, ...]
    chosen: tuple[Source, ...]

    def __str__(self) -> str:
        return f"treatment `{self.treatment.name}` of action `{self.action.name}`"


@dataclass(slots=True)
class Looking:
    """One look at a catalog: the problems found so far, and how to find values in the files."""

    catalog: Catalog
    locate: Locate
    problems: list[Problem] = field(default_factory=list)
    _libraries: dict[str, Library] = field(default_factory=dict)
    _said: dict[tuple[str, Source], tuple[tuple[Piece, ...], tuple[Unclear, ...]]] = field(default_factory=dict)
    _ways: dict[tuple[str, Source], Ways] = field(default_factory=dict)
    _read: dict[tuple[str, Source, View, bool], tuple[Reading, ...]] = field(default_factory=dict)

    def tell(self, standard: Standard, spot: Spot, what: str, cure: str, warns: bool = False) -> None:
        told = f"{what} (standard `{standard.name}`)"
        self.problems.append(Problem(told, cure, spot.line, spot.column, spot.file, standard.warns or warns))

    def actions(self, standard: Standard) -> Iterator[Action]:
        """Yield the actions that a standard is about; for a scope of a channel, those that speak in it."""
        for action in self.catalog.actions:
            if standard.kind in (None, action.kind) and any(covers(standard, action, t) for t in action.treatments):
                yield action

    def wordings(self, standard: Standard) -> Iterator[Wording]:
        """Yield what a standard is about, treatment by treatment and language by language."""
        for action in self.actions(standard):
            for treatment in action.treatments:
                if covers(standard, action, treatment):
                    for language in languages_of(self.catalog, treatment):
                        if not standard.languages or any(_is(language, wanted) for wanted in standard.languages):
                            found = tuple(sources(treatment, language))
                            chosen = _with_benefit(action, _chosen(standard, found))
                            yield Wording(action, treatment, language, found, chosen)

    def read(self, language: str, source: Source, view: View, *, case: bool = False) -> tuple[Reading, ...]:
        """Return the ways that a text is read in a language, in small letters unless `case`; each is read once."""
        key = (language, source, view, case)
        if key not in self._read:
            if not case:
                self._read[key] = tuple(map(in_small_letters, self.read(language, source, view, case=True)))
                return self._read[key]
            if view in (View.EVERY, View.SEEN):
                said: Sequence[tuple[Piece, ...]] = [self._spoken(language, source)[0]]
            elif view is View.SURE:
                said = [sure(self._spoken(language, source)[0])]
            else:
                said = self.ways(language, source).ways
            self._read[key] = readings(source, said, view)
        return self._read[key]

    def ways(self, language: str, source: Source) -> Ways:
        """Return the ways that a text can come out in a language."""
        key = (language, source)
        if key not in self._ways:
            plain = not has_liquid(source.text)
            self._ways[key] = Ways((as_it_stands(source),)) if plain else ways_of(source, self._library(language))
        return self._ways[key]

    def tell_unclear(self, standard: Standard, wording: Wording) -> None:
        """Tell what cannot be known of the texts that a standard is about."""
        for source in wording.chosen:
            if has_liquid(source.text):
                for unclear in self._spoken(wording.language, source)[1]:
                    spot = self._written(wording, unclear.source, unclear.offset)
                    self.tell(standard, spot, f"{unclear.what} in {wording} cannot be checked", unclear.cure)

    def _spoken(self, language: str, source: Source) -> tuple[tuple[Piece, ...], tuple[Unclear, ...]]:
        key = (language, source)
        if key not in self._said:
            said: tuple[tuple[Piece, ...], tuple[Unclear, ...]] = as_it_stands(source), ()
            if has_liquid(source.text):
                pieces, unclear = every_branch(source, self._library(language))
                said = pieces, (*unclear, *markup_unclear(source))
            self._said[key] = said
        return self._said[key]

    def _library(self, language: str) -> Library:
        if language not in self._libraries:
            self._libraries[language] = Library(self.catalog, language)
        return self._libraries[language]

    def spot(self, wording: Wording, reading: Reading, offset: int) -> Spot:
        """Return where in the files a character that is read was written."""
        return self._written(wording, *reading.at(offset))

    def _written(self, wording: Wording, source: Source, at: int) -> Spot:
        if source.path == BENEFIT:
            node = self.locate("actions", wording.action.name, *BENEFIT)
        else:
            node = self.locate(*source.path) if source.path[0] == "blocks" else self.node(wording, *source.path)
        if node.value != source.text:
            return node.spot
        return node.inside(source.text.count("\n", 0, at) + 1, at - source.text.rfind("\n", 0, at))

    def home(self, wording: Wording, reading: Reading, offset: int) -> str:
        """Return in words what says a character that is read: a block, the same for whoever uses it, or a treatment."""
        source, _ = reading.at(offset)
        return f"block `{source.path[1]}`" if source.path[0] == "blocks" else str(wording)

    def node(self, wording: Wording, *path: str | int) -> Node:
        """Return the node of a value of a treatment, or the nearest that there is."""
        return self.locate("actions", wording.action.name, "treatments", wording.treatment.name, *path)


def covers(standard: Standard, action: Action, treatment: Treatment) -> bool:
    """Whether any scope of a standard is about a treatment."""
    group = f"{action.issue}/{action.group}"
    around = ("all", action.issue, group, f"action/{action.name}", f"channel/{treatment.channel}")
    return any(scope in around for scope in standard.on)


def _is(language: str, wanted: str) -> bool:
    return language == wanted or language.startswith((f"{wanted}-", f"{wanted}_"))


def _chosen(standard: Standard, found: tuple[Source, ...]) -> tuple[Source, ...]:
    globs = standard.fields
    return tuple(s for s in found if not globs or any(fnmatchcase(s.key, glob) for glob in globs))


def _with_benefit(action: Action, chosen: tuple[Source, ...]) -> tuple[Source, ...]:
    """Return texts with the benefit of their action, where one of them says it."""
    says = any("action.benefit" in source.text for source in chosen)
    return (*chosen, Source(BENEFIT, action.benefit)) if says and action.benefit else chosen
