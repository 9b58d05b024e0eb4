"""Scores of a hub's own customers: learned from what was known of them at a moment of the past, and what they did then.

The log is read once: for what had been received by that moment, and for the outcome after it. So no predictor can have
been filled in after the outcome. The scores are of what is known now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from opportune.catalog.fields import nearest
from opportune.clock import format_instant
from opportune.errors import BadCatalog, Forgotten, Problem
from opportune.events import codec
from opportune.profiles.fields import event_name
from opportune.profiles.fold import fold, values
from opportune.profiles.merge import merge
from opportune.profiles.people import View
from opportune.profiles.state import State
from opportune.rules import Kind, Value
from opportune.scores.answer import told
from opportune.scores.rows import columns, kept
from opportune.scores.spec import ScoresSpec, sent_scores
from opportune.scores.table import Customers

if TYPE_CHECKING:
    from opportune.hub import Hub

PAGE = 100
"""Customers that are looked at while others wait: some milliseconds."""


def scores(hub: Hub, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer for a spec of the hub's customers in plain data (see `opportune.scores.answer.told`).

    Customers who had a user id then are learned from, all who have one now are scored; those forgotten are not. Raises
    `BadCatalog` for a spec with mistakes, such as a time that has not ended. Holds up others item by item.
    """
    spec = sent_scores(given)
    with hub.reading():
        now, profile = hub.clock.now(), hub.people.spec
        hub.people.save()
    today, names, roots, users = dict[str, Mapping[str, Value]](), dict[str, str](), dict[str, str](), set[str]()
    for page in _pages(hub):
        today |= {view.subject: dict(view.values(now)) for view in page}
        names |= {view.subject: view.customer for view in page}
        roots |= {node: view.subject for view in page for node in view.nodes}
        users |= {node for view in page for node, state in zip(view.nodes, view.states) if state.user}
    kinds = {trait.name: trait.kind for trait in profile.traits} | {f.name: f.kind for f in profile.features}
    at = _checked(spec, kinds, now)
    states: dict[str, dict[str, State]] = defaultdict(dict)
    came: set[str] = set()
    late = 0
    for number, node, payload in hub.events.read(0):
        if node not in roots or not payload:
            continue
        with suppress(Forgotten):
            with hub.reading():
                event = codec.decode_event(hub.vault.open(node, payload))
            if event.at <= at < event.received_at:
                late += 1
            if (event.received_at if spec.known == "received" else event.at) <= at:
                fold(states[roots[node]].setdefault(node, State()), event, number, profile)
            elif at < event.at <= at + spec.within and event_name(event) == spec.event:
                came.add(roots[node])
    # who signed up after that moment, often because of what came, was nobody to be scored then
    then = {subject: merge(nodes.values(), profile) for subject, nodes in states.items() if users & nodes.keys()}
    if spec.seen is not None:
        then = {subject: state for subject, state in then.items() if (state.last or 0) > at - spec.seen}
    before: dict[str, dict[str, Value]] = {subject: values(state, profile, at)[0] for subject, state in then.items()}
    wanted = {name: kinds[name] for name in spec.predictors or kinds if name != spec.trait}
    used, left_out = kept(wanted, [*before.values()])
    outcomes = np.array([float((subject in came) != spec.missing) for subject in before])
    known = Customers(
        [names[subject] for subject in before], outcomes, columns(used, [*before.values()]), left_out, {}, {}
    )
    order = sorted(today, key=lambda subject: names[subject])
    later = Customers([names[subject] for subject in order], np.full(len(order), np.nan),
                      columns(used, [today[subject] for subject in order]), {}, {}, {})  # fmt: skip
    found = told(spec, known, later)
    if late and spec.known == "received":
        what = f"{late:,} events had happened by then and were received later: they are not known"
        found["warnings"].append(f"{what}; for a history that was imported say `known: happened`")
    return found


def _pages(hub: Hub) -> Iterator[list[View]]:
    """Yield the customers with a user id, by pseudonym. Nothing changes while a page is looked at."""
    after = ""
    while True:
        with hub.reading():
            page = [*islice(hub.people.after(after), PAGE)]
            yield [view for view in page if any(state.user for state in view.states)]
        if not page:
            return
        after = page[-1].subject


def _checked(spec: ScoresSpec, kinds: Mapping[str, Kind], now: int) -> int:
    """Return the moment of the past; raises `BadCatalog` for names that are not declared and a time that goes on."""
    problems: list[Problem] = []
    for name in spec.predictors:
        if name not in kinds:
            problems.append(spec.problem("predictors", f"no trait or feature is called `{name}`", nearest(name, kinds)))
    at = now if spec.at is None else spec.at
    if at + spec.within > now:
        what = f"the time after {format_instant(at)} has not ended"
        problems.append(spec.problem("at", what, "give an earlier moment, or a shorter `within`"))
    if problems:
        raise BadCatalog(problems)
    return at
