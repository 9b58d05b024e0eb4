"""Whether the arms of an experiment would give a customer different answers, here and now.

The same comparisons are made whatever arm the customer is in: each arm decides with the same seed about the same
customer, whom nothing has treated differently so far, and without the same actions, which found no room or nothing to
carry under any of them. So who is exposed does not depend on the arm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace

from opportune.decide.pipeline import decide
from opportune.decide.plan import Plan, Touched
from opportune.decide.stages.assign import HOLDOUT
from opportune.decide.stages.withhold import kept_from
from opportune.decide.types import Decision, Request, Snapshot, Stage

SCORE = Stage.SCORE

Ask = Callable[[Plan], tuple[Snapshot, Request]]
"""Gives what a decision by a plan would look at."""


def differ(
    plans: Sequence[Plan], touched: Touched | None, ask: Ask, placements: Sequence[str], known: tuple[Plan, Decision]
) -> bool:
    """Return whether plans that differ in the arm of one experiment say different things. Pure but for `ask`.

    `touched` are the actions that the arms change; None: more than actions (see `Plan.touched`).

    Compared are actions, treatments with their content, ranks, and silence; of contact rules that differ, whether more
    than one contact is made at once; of several, those withheld too: they take room from each other.
    Where another tool decides for one of the arms nobody knows, so they differ, but for those whom marketing does not
    reach anyway. `known` is a plan and what was decided by it, before room was looked for.
    """
    plans = list({id(plan): plan for plan in plans}.values())
    if len(plans) < 2:
        return False
    if any(plan.catalog.external for plan in plans) and not _withheld(*known, placements):
        return True
    if touched is not None and _beside(touched, plans, placements, known[1]):
        return False
    decided = [known]
    answers, rooms, most = set[str](), set[str](), 0
    for plan in plans:
        decision = next((made for other, made in decided if _same_way(plan, other, placements)), None)
        if decision is None:
            snapshot, request = ask(plan)
            decision = decide(replace(request, probabilities=False), snapshot)
            decided.append((plan, decision))
        answers.add(repr(said(decision, plan, plans)))
        if len(answers) > 1:
            return True
        contacts = _contacts(decision)
        rooms.add(repr(contacts))
        most = max(most, len(contacts))
    rules = {repr(plan.catalog.contact) for plan in plans}
    return most > 1 and (len(rules) > 1 or len(rooms) > 1)


def said(decision: Decision, plan: Plan, plans: Iterable[Plan] = ()) -> list[Any]:
    """Return what a customer gets of a decision by a plan that decides the same way.

    Blocks count where `plans` have different ones and a content uses them.
    """
    found = list[Any]()
    for c in decision.chosen:
        position = plan.position[c.action]
        t = plan.actions[position].treatments[int(plan.places[c.placement].treatment[position])]
        text = repr((t.content, t.languages))
        found.append((c.placement, c.rank, c.action, t.name, text, t.items, t.coupon, _blocks(text, plan, plans)))
    return found


def _withheld(plan: Plan, decision: Decision, placements: Sequence[str]) -> bool:
    """Return whether no marketing reaches a customer in any of these placements, whoever decides about it."""
    customer, at = decision.request.customer, decision.request.at
    return all(kept_from(plan.catalog, customer, at, plan.places[name].channel.name) for name in placements)


def _contacts(decision: Decision) -> list[tuple[str, str]]:
    """Return what takes room of contact limits; where no marketing reaches the customer, only what is chosen counts."""
    chosen = [(c.placement, c.action) for c in decision.chosen]
    if decision.arm == HOLDOUT:
        return chosen
    ghosts = [answer.ghost for answer in decision.answers]
    return chosen + [(g.placement, g.action) for g in ghosts if g and g.reason == "holdout"]


def _blocks(text: str, plan: Plan, plans: Iterable[Plan]) -> list[Any]:
    """Return the blocks that a text uses, directly or within others, of those that the plans have differently."""
    blocks = plan.catalog.blocks
    if all(other.catalog.blocks == blocks for other in plans):
        return []
    used, waiting = dict[str, Any](), [text]
    while waiting:
        inside = waiting.pop()
        for name, texts in blocks.items():
            if name not in used and name in inside:
                used[name] = texts
                waiting.append(repr(texts))
    return sorted(used.items())


def _same_way(plan: Plan, other: Plan, placements: Sequence[str]) -> bool:
    """Return whether two plans surely decide the same: they differ in nothing but what is said."""
    return plan.program is other.program and all(
        np.array_equal(plan.places[name].start, other.places[name].start) for name in placements
    )


def _beside(touched: Touched, plans: Iterable[Plan], placements: Sequence[str], decision: Decision) -> bool:
    """Return whether the actions that differ are no candidates under any arm: not for these placements, or, where arms
    change nothing but their worth, not for this customer.
    """
    actions = touched.actions
    if touched.worth and all(((a.stages[actions] > 0) & (a.stages[actions] < SCORE)).all() for a in decision.answers):
        return True
    return all(plan.places[name].start[actions].all() for plan in plans for name in placements)
