"""What must hold between the sections. Each check takes the draft and reports; `CHECKS` is all of them."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator
from typing import Any

from opportune.catalog.action_sections import RESERVED_ISSUES
from opportune.catalog.draft import Draft
from opportune.catalog.experiment_sections import arms_do_not_meet
from opportune.catalog.fields import nearest
from opportune.catalog.node import Node, Spot
from opportune.catalog.reach import conditions_can_hold
from opportune.catalog.schemas import contents_fit
from opportune.catalog.situated import BUILT_INS
from opportune.catalog.tracking_sections import events_are_planned
from opportune.catalog.types import Action, Pause
from opportune.clock import format_span

OFFER_KEYS = ("offer", "coupon", "discount", "price")
"""Keys that the content of a service action may not have, at any depth: a service message may not carry an offer."""


def names_are_distinct(draft: Draft) -> None:
    """Traits, features and context share one space of names, in which SQL knows no upper and lower case."""
    first: dict[str, tuple[str, Spot]] = {}
    built_in = {n.name for n in BUILT_INS}
    for section, one in (("traits", "trait"), ("features", "feature"), ("context", "context value")):
        for name, node in draft.nodes.get(section, {}).items():
            spot, low = node.get("name").spot, name.lower()
            if low in built_in or low.startswith("contacts_"):
                draft.report.error(spot, f"{one} `{name}` has a name that is built in", "rename it")
            elif low in first:
                other, where = first[low]
                draft.report.error(spot, f"{one} `{name}` is also a {other}, at {where}", "rename one of them")
            else:
                first[low] = (one, spot)


def treatments_can_be_placed(draft: Draft) -> None:
    """Each glob of a treatment must meet a declared placement of its own channel."""
    placements = draft.parts["placements"]
    for action in draft.parts["actions"]:
        node = draft.nodes["actions"].get(action.name)
        if node is None:
            continue
        if not action.treatments:
            what = f"action `{action.name}` can never be reached: it has no treatment"
            draft.report.error(node.get("name").spot, what, "add one under `treatments:`")
        for index, treatment in enumerate(action.treatments):
            own = [p.name for p in placements if p.channel in (treatment.channel, "")]
            at = node.get("treatments", index)
            for glob in treatment.placements:
                if not treatment.channel or any(fnmatch.fnmatchcase(name, glob) for name in own):
                    continue
                spot = _word(at, "placements", glob)
                others = [p for p in placements if fnmatch.fnmatchcase(p.name, glob)]
                what = f"`{glob}` of treatment `{treatment.name}` matches no placement of channel `{treatment.channel}`"
                if others and glob != "*":
                    cure = f"`{others[0].name}` is of channel `{others[0].channel}`"
                else:
                    cure = nearest(glob, own) if own else f"declare a placement of channel `{treatment.channel}`"
                draft.report.error(spot, what, cure)


def placements_can_be_filled(draft: Draft) -> None:
    """A placement for which no action has a treatment always answers with silence."""
    treatments = {(t.channel, t.placements) for a in draft.parts["actions"] for t in a.treatments}
    for placement in draft.parts["placements"]:
        globs = [glob for channel, globs in treatments if channel == placement.channel for glob in globs]
        if treatments and not any(fnmatch.fnmatchcase(placement.name, glob) for glob in globs):
            what = f"no action has a treatment for placement `{placement.name}`"
            draft.report.warn(draft.spot("placements", placement.name), what, "add one, or remove the placement")


def actions_have_time(draft: Draft) -> None:
    """`from` must come before `until`."""
    for action in draft.parts["actions"]:
        if action.starts is not None and action.ends is not None and action.starts >= action.ends:
            what = f"action `{action.name}` can never be reached: `from` is not before `until`"
            draft.report.error(draft.spot("actions", action.name, "until"), what, "end it after it starts")


def scopes_exist(draft: Draft) -> None:
    """What a rule, lever or situation is about must exist, as far as that can be told."""
    if not draft.scopes_are_known:
        return
    actions: tuple[Action, ...] = draft.parts["actions"]
    issues = {a.issue for a in actions}
    members = {"all", *issues, *(f"{a.issue}/{a.group}" for a in actions), *(f"action/{a.name}" for a in actions)}
    channels = {f"channel/{c.name}" for c in draft.parts["channels"]}
    counted = {*members, *channels, *RESERVED_ISSUES}
    for what, scope, known, spot in _scopes(draft, issues, members, counted):
        if scope not in known:
            close = nearest(scope, known)
            cure = close if close.startswith("did") else nearest("", {name for name in known if "/" not in name})
            draft.report.error(spot, f"unknown scope `{scope}` in {what}", cure)


def _scopes(
    draft: Draft, issues: set[str], members: set[str], counted: set[str]
) -> Iterator[tuple[str, str, set[str], Spot]]:
    for rule in draft.parts["contact"]:
        yield f"contact rule `{rule.name}`", rule.on, counted, draft.spot("contact", rule.name, "on")
    for situation in draft.parts["situations"]:
        node = draft.nodes["situations"].get(situation.name, Node(None, Spot("")))
        for scope in situation.silences:
            yield f"situation `{situation.name}`", scope, members, _word(node, "silences", scope)
        for scope in situation.raises:
            yield f"situation `{situation.name}`", scope, members, _key(node.get("raises"), scope)
    for scope in draft.parts["levers"]:
        groups = {m for m in members if not m.startswith("action/")} - {"all"}
        yield "`levers`", scope, groups, _key(draft.nodes["levers"][""], scope)
    for weight in draft.parts["context_weights"]:
        yield "`context_weights`", weight.on, members, draft.spot("context_weights", weight.on, "on")


def pauses_can_begin(draft: Draft) -> None:
    """The outcome that starts a pause must be one of some action."""
    actions: tuple[Action, ...] = draft.parts["actions"]
    known = {word for a in actions for word in (*a.outcomes.positive, *a.outcomes.negative)}
    for rule in draft.parts["contact"]:
        if isinstance(rule, Pause) and rule.after and rule.after not in known:
            what = f"contact rule `{rule.name}` waits for `{rule.after}`, which no action has as an outcome"
            draft.report.error(draft.spot("contact", rule.name, "after"), what, nearest(rule.after, known))


def service_carries_no_offer(draft: Draft) -> None:
    """A service message serves: no offer in its content, no lever of its own, and only it may be urgent."""
    for action in draft.parts["actions"]:
        if action.kind == "marketing":
            if action.urgent:
                cure = "only `kind: service` may pass quiet hours; remove `urgent`"
                draft.report.error(draft.spot("actions", action.name, "urgent"), "marketing cannot be urgent", cure)
            continue
        for index, treatment in enumerate(action.treatments):
            for path in _offers(treatment.content):
                spot = draft.spot("actions", action.name, "treatments", index, "content", *path)
                what = f"service action `{action.name}` carries an offer: `{path[-1]}`"
                draft.report.error(spot, what, "make it `kind: marketing`, or take the offer out")


def coupons_are_known(draft: Draft) -> None:
    """A treatment gives a code of a coupon that there is, and only marketing does."""
    known = [coupon.name for coupon in draft.parts["coupons"]]
    for action in draft.parts["actions"]:
        for index, treatment in enumerate(action.treatments):
            spot = draft.spot("actions", action.name, "treatments", index, "coupon")
            if treatment.coupon and treatment.coupon not in known:
                cure = nearest(treatment.coupon, known) if known else "declare it under `coupons:`"
                draft.report.error(spot, f"there is no coupon `{treatment.coupon}`", cure)
            elif treatment.coupon and action.kind == "service":
                what = f"service action `{action.name}` carries an offer: a code of `{treatment.coupon}`"
                draft.report.error(spot, what, "make it `kind: marketing`, or take the coupon out")


def _offers(content: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    pairs: Iterable[tuple[str | int, Any]] = ()
    if isinstance(content, dict):
        pairs = content.items()
    elif isinstance(content, list):
        pairs = enumerate(content)
    for key, value in pairs:
        if isinstance(key, str) and key.lower() in OFFER_KEYS:
            yield (*path, key)
        yield from _offers(value, (*path, key))


def actions_are_accounted_for(draft: Draft) -> None:
    """Warn where nobody owns an action, no campaign pays for it, or nobody said what the customer gains."""
    if not draft.parts["actions"]:
        draft.report.warn(Spot(draft.home), "there is no action", "the hub would stay silent")
    for action in draft.parts["actions"]:
        spot = draft.spot("actions", action.name, "name")
        for key, cure in (("campaign", "name the work that pays for it"), ("owner", "name who answers for it")):
            if not getattr(action, key):
                draft.report.warn(spot, f"action `{action.name}` has no `{key}`", cure)
        if action.kind == "marketing" and not action.benefit:
            nor, cure = (" and no `helps`", ", and when that is true") if action.helps is None else ("", "")
            what = f"action `{action.name}` has no `benefit`{nor}"
            draft.report.warn(spot, what, f"say what the customer gains{cure}")


def decisions_wait_in_the_store(draft: Draft) -> None:
    """Warn where a decision moves to the archive while answers to it may still come: each is then slow to find."""
    kept = draft.parts["retain"].ledger
    waits = [(max(a.outcomes.window, a.outcomes.goal.within if a.outcomes.goal else 0), a.name)
             for a in draft.parts["actions"]]  # fmt: skip
    longest, name = max(waits, default=(0, ""))
    if kept is not None and kept < longest:
        what = f"`ledger` of `retain` is shorter than the {format_span(longest)} that action `{name}` waits for answers"
        spot = draft.nodes["retain"][""].get("ledger").spot
        draft.report.warn(spot, what, f"keep decisions for {format_span(longest)} or longer")


CHECKS = (
    names_are_distinct,
    conditions_can_hold,
    treatments_can_be_placed,
    placements_can_be_filled,
    actions_have_time,
    scopes_exist,
    pauses_can_begin,
    service_carries_no_offer,
    coupons_are_known,
    actions_are_accounted_for,
    decisions_wait_in_the_store,
    contents_fit,
    arms_do_not_meet,
    events_are_planned,
)


def _word(node: Node, key: str, word: str) -> Spot:
    """Return where a word stands in the list under a key."""
    inner = node.get(key)
    items = inner.value if isinstance(inner.value, list) else [inner]
    return next((item.spot for item in items if item.text == word), inner.spot)


def _key(node: Node, key: str) -> Spot:
    return node.keys.get(key, node.spot)
