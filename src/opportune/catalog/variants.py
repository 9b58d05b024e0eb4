"""The catalog as the customers of some arms have it: what the arms change, laid over the live one.

An arm changes values and never what there is: no action, placement or trait comes or goes, so that positions, the
model and old records mean the same under every arm. Mappings are merged key by key, lists of named things by name (what
is new comes first, so that a new treatment is the one that is used), any other value is replaced, and null takes a key
away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from zoneinfo import ZoneInfo

from opportune.catalog.action_sections import read_actions, write_actions
from opportune.catalog.draft import Draft
from opportune.catalog.fields import Conditions, Report, nearest
from opportune.catalog.flow_sections import read_outbound, read_triggers, write_outbound, write_triggers
from opportune.catalog.message_sections import read_blocks, write_blocks
from opportune.catalog.node import Node, from_python
from opportune.catalog.policy_sections import (
    read_contact,
    read_context_weights,
    read_levers,
    read_model,
    read_placements,
    write_contact,
    write_context_weights,
    write_levers,
    write_model,
    write_placements,
)
from opportune.catalog.profile_sections import read_situations, write_situations
from opportune.catalog.types import Catalog
from opportune.errors import BadCatalog


@dataclass(frozen=True, slots=True)
class Part:
    """A section that arms may change: how it is read and written, and which keys of it may change (none: all).

    `named`: it is a list of named things, of which an arm names those that it changes; with `grows` it may add some.
    """

    read: Callable[[Draft, Node | None], Any]
    write: Callable[[Catalog], Any]
    keys: tuple[str, ...] = ()
    named: bool = True
    grows: bool = False


PARTS: Mapping[str, Part] = {
    "actions": Part(
        read_actions, write_actions,
        ("off", "value", "lever", "cost", "from", "until", "benefit", "helps", "eligible", "applicable", "suitable",
         "treatments", "proof", "approved"),
    ),
    "placements": Part(read_placements, write_placements, ("price",)),
    "situations": Part(read_situations, write_situations, ("silences", "raises")),
    "triggers": Part(read_triggers, write_triggers, ("wait", "until", "again", "limit", "placement")),
    "outbound": Part(read_outbound, write_outbound, ("window", "best_time")),
    "contact": Part(read_contact, write_contact, grows=True),
    "levers": Part(read_levers, write_levers, named=False),
    "context_weights": Part(read_context_weights, write_context_weights, named=False),
    "model": Part(
        read_model, write_model, ("explore", "epsilon", "width", "arbitrate", "factors", "ramp"), named=False
    ),
    "blocks": Part(read_blocks, write_blocks, named=False),
}  # fmt: skip
"""What an arm may change. Traits, features, context and channels are the same for everybody: events and replies of a
customer must mean the same in every arm."""

DECISIONS = "decisions"
"""The key of an arm for whose customers another tool decides: `decisions: external`."""

Find = Callable[[str, str], Node | None]
"""Gives the node of a section (name "") or of a named thing in it; None if there is none."""


def variant(catalog: Catalog, arms: Mapping[str, str]) -> Catalog:
    """Return the catalog for customers in these arms (experiment -> arm); itself where they change nothing. Pure.

    The arms are laid over it one after another: of two that change the same value the later one counts.

    Its `names` are those of the catalog, and its `hash` tells it from others. An experiment or arm that the catalog
    does not have raises `KeyError`; `BadCatalog` where arms that were right one by one do not fit together.
    """
    changes = changes_of(catalog, arms)
    if not changes:
        return catalog
    problems = Report()
    draft, changed = draft_of(catalog, problems), catalog
    for name, laid in changes.items():
        node = from_python(laid, f"experiments.{name}.changes", problems.problems)
        changed = lay(draft, changed, node, at_hand(changed))
    if problems.failed:
        raise BadCatalog([p for p in problems.problems if not p.warning])
    told = "\x1f".join([catalog.hash, *(f"{name}\x1f{arms[name]}" for name in changes)])
    return replace(changed, hash=hashlib.sha256(told.encode()).hexdigest())


def changes_of(catalog: Catalog, arms: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
    """Return what these arms change, by experiment in the order given; those that change nothing are left out."""
    if not arms:
        return {}
    experiments = {e.name: {arm.name: arm.changes for arm in e.arms} for e in catalog.experiments}
    return {name: laid for name in arms if (laid := experiments[name][arms[name]])}


def draft_of(catalog: Catalog, report: Report) -> Draft:
    """Return a draft that holds a finished catalog, to read more into it."""
    conditions = Conditions(report)
    conditions.names = {name.name: name.kind for name in catalog.names}
    draft = Draft(report, conditions, (catalog.model.predictor,), free_names=True, zone=ZoneInfo(catalog.time_zone))
    draft.parts = {field.name: getattr(catalog, field.name) for field in fields(catalog)}
    return draft


def at_hand(catalog: Catalog) -> Find:
    """Return how to find what a catalog without files says."""

    def find(section: str, name: str) -> Node | None:
        part, known = PARTS[section], catalog
        if name:
            held: Any = tuple(one for one in getattr(catalog, section) if one.name == name)
            known = replace(catalog, **{section: held})
        written = part.write(known)
        if name:
            return from_python(written[0], f"{section}.{name}", []) if written else None
        return from_python(written, section, []) if written else None

    return find


def lay(draft: Draft, catalog: Catalog, changes: Node, find: Find) -> Catalog:
    """Return a catalog with changes laid over it, read by the functions that read the files.

    What is wrong is reported to the draft, where it was written; the catalog is then as good as it can be.
    """
    assert isinstance(changes.value, dict)
    laid: dict[str, Any] = {}
    for section, change in changes.value.items():
        if section == DECISIONS:
            if change.text != "external":
                draft.report.error(change.spot, f"`{DECISIONS}` cannot be `{change.text}`", "write `external`")
            laid["external"] = change.text == "external"
        elif section not in PARTS:
            cure = nearest(section, [*PARTS, DECISIONS]) + "; what all arms have belongs in the catalog itself"
            draft.report.error(changes.keys[section], f"an arm cannot change `{section}`", cure)
        elif change.value is not None:
            draft.nodes = {**draft.nodes, section: {}}
            part = PARTS[section]
            laid[section] = _entries(draft, catalog, section, part, change, find) if part.named else _whole(
                draft, catalog, section, part, change, find
            )
    draft.parts = {**draft.parts, **laid}
    return replace(catalog, **laid)


def _entries(draft: Draft, catalog: Catalog, section: str, part: Part, change: Node, find: Find) -> tuple[Any, ...]:
    """Return the things of a section of which some are changed."""
    known = {one.name: one for one in getattr(catalog, section)}
    if not isinstance(change.value, list):
        draft.report.error(change.spot, f"`{section}` must be a list", "start each entry with `- name:`")
        return tuple(known.values())
    wanted = []
    for item in change.value:
        name = item.get("name").text if isinstance(item.value, dict) and "name" in item.value else ""
        base = find(section, name) if name in known else None
        if base is not None:
            if _may(draft, item, section, part, f"`{name}`", ("name",)):
                wanted.append(over(base, item))
        elif part.grows and name not in known:
            wanted.append(over(None, item))
        else:
            what = f"there is no `{name}` in `{section}` to change"
            what = what if name else f"an entry of `{section}` has no `name`"
            cure = nearest(name, known)
            if section == "actions":
                cure += "; a new action belongs in the catalog, with `off: true`, and the arm says `off: false`"
            draft.report.error(item.get("name").spot, what, cure)
    read = part.read(draft, Node(wanted, change.spot))
    changed = {one.name: one for one in read}
    added = [one for name, one in changed.items() if name not in known]
    kept = [changed.get(name, one) for name, one in known.items()]
    return tuple(sorted([*kept, *added], key=lambda one: one.name) if added else kept)


def _whole(draft: Draft, catalog: Catalog, section: str, part: Part, change: Node, find: Find) -> Any:
    """Return a section that is read as one."""
    wanted = list if section == "context_weights" else dict
    if not isinstance(change.value, wanted):
        draft.report.error(change.spot, f"`{section}` must be a {'list' if wanted is list else 'mapping'}")
        return getattr(catalog, section)
    if not _may(draft, change, section, part, f"`{section}`"):
        return getattr(catalog, section)
    return part.read(draft, over(find(section, ""), change))


def _may(draft: Draft, change: Node, section: str, part: Part, what: str, also: tuple[str, ...] = ()) -> bool:
    """Return whether only such keys change as may; report others."""
    assert isinstance(change.value, dict | list)
    wrong = [key for key in change.keys if part.keys and key not in (*part.keys, *also)]
    for key in wrong:
        cure = f"an arm may change {', '.join(part.keys)}"
        draft.report.error(change.keys[key], f"an arm cannot change `{key}` of {what}", cure)
    return not wrong


def over(base: Node | None, change: Node) -> Node:
    """Return a node with a change laid over it: mappings deeply, lists by name, null takes a key away."""
    if isinstance(change.value, dict):
        known = base if base is not None and isinstance(base.value, dict) else Node({}, change.spot)
        assert isinstance(known.value, dict)
        value, keys = dict(known.value), dict(known.keys)
        for key, inner in change.value.items():
            if inner.value is None:
                value.pop(key, None)
            elif key != "name" or key not in value:
                value[key], keys[key] = over(value.get(key), inner), change.keys[key]
        return Node(value, known.spot, keys=keys)
    if _named(change) and base is not None and (_named(base) or base.value == []):
        assert isinstance(change.value, list)
        assert isinstance(base.value, list)
        wanted = {item.get("name").text: item for item in change.value}
        old = {item.get("name").text for item in base.value}
        new = [over(None, item) for name, item in wanted.items() if name not in old]
        kept = [over(item, wanted[n]) if (n := item.get("name").text) in wanted else item for item in base.value]
        return Node([*new, *kept], base.spot)
    return change


def _named(node: Node) -> bool:
    items = node.value
    return isinstance(items, list) and bool(items) and all(
        isinstance(item.value, dict) and "name" in item.value for item in items
    )


def arms_of(catalog: Catalog) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield (experiment, arm, what it changes) of each arm that changes something."""
    for experiment in catalog.experiments:
        for arm in experiment.arms:
            if arm.changes:
                yield experiment.name, arm.name, arm.changes


