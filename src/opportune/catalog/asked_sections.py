"""The sections on what customers are asked: `pulse`, one question to a sample of them, and `asks`, one fact at a time.

Both are ordinary actions of the issue `care`, with the features, caps and pauses that they need: what decides, limits,
explains and records every other action does the same for a question. The files have none of these parts, so none is
written back.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from opportune.catalog.action_sections import read_action, written
from opportune.catalog.consent_sections import by_language
from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Fields, nearest
from opportune.catalog.node import Node, Spot
from opportune.catalog.policy_sections import amount
from opportune.catalog.questions import Content, ask_content, pulse_content, text_in
from opportune.catalog.types import Action, Ask, Cap, Catalog, Feature, Option, Pause, Placement, Pulse, Trait
from opportune.clock import DAY, HOUR, MINUTE, format_span
from opportune.rules import Kind

ISSUE, PULSE = "care", "pulse"
TAKEN_BACK = "Fact Taken Back"
"""The event by which a customer takes a fact back."""

REST = 90 * DAY
"""How long a fact is not asked for after the customer dismissed the question, or took the answer back."""

VISITS = ("Order Completed", "Page Viewed", "Screen Viewed")
"""The events that the pulse asks about if it names no others: people who are held out have these, too."""

YES, NO = {"en": "Yes", "de": "Ja"}, {"en": "No", "de": "Nein"}

KEPT = ("topic", "campaign", "owner", "cost", "basis", "proof", "approved", "from", "until")
"""Keys of an action that a question may have as well."""

_BUCKETS = (DAY, 6 * HOUR, HOUR, 15 * MINUTE, 5 * MINUTE, MINUTE)
_MOST_BUCKETS, _FINE = 1000, 4


def read_pulse(draft: Draft, node: Node | None) -> Pulse | None:
    if node is None:
        return None
    fields = Fields(node, draft.report, "`pulse`")
    kept = _kept(fields)
    question = _texts(draft, fields, "question")
    yes, no = (by_language(fields, key) or usual for key, usual in (("yes", YES), ("no", NO)))
    pulse = Pulse(
        question, yes, no, _placements(draft, fields), fields.number("share", 0.02, 0.0, 1.0),
        fields.span("every", 30 * DAY) or 0, fields.span("after", HOUR) or 0, fields.span("within", 3 * DAY) or 0,
        fields.words("events", VISITS), fields.words("about"),
    )  # fmt: skip
    fields.close()
    _check_about(draft, fields, pulse)
    _check_places(draft, fields, pulse)
    lately = _lately(draft, fields, pulse)
    if not (question and pulse.placements and lately):
        return pulse
    outcomes = {"positive": ["yes"], "negative": ["no", "dismiss"], "window": "7d"}
    made = _node(
        {"name": PULSE, "issue": ISSUE, "group": PULSE, "benefit": "You say whether we helped, so that we do better",
         "eligible": lately, "outcomes": outcomes,
         "treatments": _treatments(draft, fields, pulse.placements, question, pulse_content(pulse))},
        node.spot,
    )  # fmt: skip
    _add(draft, made, kept, survey=True)
    _add_rule(draft, fields, Cap(PULSE, f"action/{PULSE}", 1, pulse.every, made=True))
    return pulse


def write_pulse(catalog: Catalog) -> Any:
    pulse = catalog.pulse
    if pulse is None:
        return {}
    kept = next((_written(a) for a in catalog.actions if a.survey), {})
    return slim(
        question=_plain(pulse.question), yes=_plain(pulse.yes), no=_plain(pulse.no), placements=list(pulse.placements),
        share=pulse.share, every=format_span(pulse.every), after=format_span(pulse.after),
        within=format_span(pulse.within), about=list(pulse.about), **kept,
    ) | {"events": list(pulse.events)}  # fmt: skip


def read_asks(draft: Draft, node: Node | None) -> tuple[Ask, ...]:
    found = [ask for item in entries(node) if (ask := _ask(draft, item)) is not None]
    return tuple(sorted(found, key=lambda ask: ask.fact))


def write_asks(catalog: Catalog) -> Any:
    actions = {a.asks: a for a in catalog.actions if a.asks}
    return [_written_ask(ask, actions[ask.fact]) for ask in catalog.asks]


def question_of(catalog: Catalog, action: str) -> Ask | None:
    """Return the fact that an action asks for; None if it asks for none."""
    return next((ask for ask in catalog.asks if name_of(ask.fact) == action), None)


def name_of(fact: str) -> str:
    """Return the name of the action that asks for a fact."""
    return f"ask_{fact}"


def _ask(draft: Draft, item: Node) -> Ask | None:
    traits = {t.name: t for t in draft.parts["traits"] if "." not in t.name}
    label = item.get("fact").text if isinstance(item.value, dict) else ""
    fields = Fields(item, draft.report, f"the question for `{label}`" if label else "this question")
    fact = fields.choice("fact", list(traits), required=True)
    kept = _kept(fields) | {name: n for key, name in (("when", "applicable"), ("worth", "value"))
                            if (n := fields.find(key)) is not None}  # fmt: skip
    question, buys = _texts(draft, fields, "question"), _texts(draft, fields, "buys")
    placements, options = _placements(draft, fields), _options(fields, traits.get(fact))
    kind = fields.choice("kind", [k.value for k in Kind])
    fields.close()
    trait = traits.get(fact)
    if trait is None or not (question and buys and placements):
        return None
    if kind and kind != trait.kind.value:
        what = f"`{fact}` is declared as {trait.kind.value}, and asked for as {kind}"
        draft.report.error(fields.spot("kind"), what, "remove `kind`, or change the trait")
    ask = Ask(fact, question, buys, placements, options)
    rested = Feature(f"days_since_{fact}_taken_back", TAKEN_BACK, "days_since", made=True,
                     where=draft.conditions.read(_node(f"fact = '{fact}'", item.spot), anything=True))  # fmt: skip
    if not _add_features(draft, fields, [rested]):
        return None
    outcomes = {"positive": ["answered"], "negative": ["dismiss"], "window": "7d"}
    made = _node(
        {"name": name_of(fact), "issue": ISSUE, "group": "facts", "benefit": text_in(buys, draft.parts["language"]),
         "eligible": f"{fact} IS NULL AND ({rested.name} IS NULL OR {rested.name} >= {REST // DAY})",
         "outcomes": outcomes, "treatments": _treatments(draft, fields, placements, question, ask_content(ask, trait))},
        item.spot,
    )  # fmt: skip
    _add(draft, made, kept, asks=fact)
    _add_rule(draft, fields, Pause(name_of(fact), f"action/{name_of(fact)}", "dismiss", 1, REST, REST, made=True))
    return ask


def _options(fields: Fields, trait: Trait | None) -> tuple[Option, ...]:
    """Return the answers to choose from, each of the type of the trait."""
    kinds = {Kind.NUMBER: (int, float), Kind.BOOL: (bool,), Kind.TEXT: (str, int, float, bool)}
    found: list[Option] = []
    for item in fields.items("options"):
        inner = Fields(item, fields.report, f"an option of {fields.what}") if isinstance(item.value, dict) else None
        node = inner.find("value", required=True) if inner else item
        title = by_language(inner, "title") if inner else {}
        if inner:
            inner.close()
        if trait is None or node is None:
            continue
        fits = type(node.value) in kinds.get(trait.kind, ())
        if not fits or not node.text:
            what = f"`{node.text}` in {fields.what} is no {trait.kind.value}"
            fields.report.error(node.spot, what, f"`{trait.name}` is declared as {trait.kind.value}")
            continue
        value = node.text if trait.kind is Kind.TEXT else node.value
        assert isinstance(value, str | int | float)
        option = Option(float(value) if trait.kind is Kind.NUMBER else value, title)
        if any(option.value == other.value for other in found):
            fields.report.error(node.spot, f"`{node.text}` twice in `options` of {fields.what}", "keep one of them")
        found.append(option)
    return tuple(found)


def _lately(draft: Draft, fields: Fields, pulse: Pulse) -> str:
    """Return the condition that there is something to ask about: it happened within a span, and not just now."""
    after, within = pulse.after, pulse.within
    if not 0 < after < within <= pulse.every:
        what = "`pulse` needs `after` before `within`, and `every` no shorter than `within`"
        draft.report.error(fields.node.spot, what, "such as after: 1h, within: 3d, every: 30d")
        return ""
    fitting = [b for b in _BUCKETS if after % b == within % b == 0 and within // b <= _MOST_BUCKETS]
    by = next((b for b in fitting if after // b >= _FINE), fitting[-1] if fitting else 0)
    if not by:
        what = f"{format_span(after)} and {format_span(within)} have no bucket in common that counts both"
        draft.report.error(fields.spot("after"), what, "use spans such as 1h and 3d")
        return ""
    features = [
        Feature(f"pulse_{_slug(event)}_{format_span(span)}", event, "count", window=span, by=by, made=True)
        for span in (within, after)
        for event in pulse.events
    ]
    if not _add_features(draft, fields, features):
        return ""
    sides = []
    for span in (within, after):
        contacts = f"contacts_all_{format_span(span)}"
        draft.conditions.names[contacts] = Kind.NUMBER
        sides.append(" + ".join([contacts, *(f.name for f in features if f.window == span)]))
    return " > ".join(sides)


def _check_about(draft: Draft, fields: Fields, pulse: Pulse) -> None:
    known = [s.name for s in draft.parts["situations"]]
    for item in fields.items("about"):
        if item.text not in known:
            draft.report.error(item.spot, f"unknown situation `{item.text}` in `pulse`", nearest(item.text, known))
    for situation in draft.parts["situations"]:
        covered = {"all", ISSUE, f"{ISSUE}/{PULSE}", f"action/{PULSE}"}
        if situation.silences and not covered & {*situation.silences} and situation.name not in pulse.about:
            what = f"`pulse` is asked in situation `{situation.name}`, too, which silences others"
            cure = f"add `{ISSUE}` to its `silences`, or the situation to `about` if the question is about it"
            draft.report.warn(fields.node.spot, what, cure)


def _check_places(draft: Draft, fields: Fields, pulse: Pulse) -> None:
    """Whoever is asked must not depend on how likely a yes is, so a placement of the pulse is for nothing else."""
    own, spot = set(pulse.placements), fields.spot("placements")
    for action in draft.parts["actions"]:
        for t in action.treatments:
            places = [p.name for p in draft.parts["placements"] if p.channel == t.channel]
            meant = {name for name in places for glob in t.placements if fnmatch.fnmatchcase(name, glob)}
            if meant and meant <= own:
                what = f"treatment `{t.name}` of action `{action.name}` has no placement that is not the pulse's own"
                draft.report.error(spot, what, "declare a placement for the pulse alone, such as app.pulse")
    for place in draft.parts["placements"]:
        if place.name in pulse.placements and place.price != 0.0:
            what = f"placement `{place.name}` of `pulse` has a price, so that only the content would be asked"
            draft.report.error(spot, what, "give the pulse a placement without a price")


def _placements(draft: Draft, fields: Fields) -> tuple[str, ...]:
    """Return the declared placements that the names and globs of `placements` stand for."""
    declared: Sequence[Placement] = draft.parts["placements"]
    found: set[str] = set()
    for item in fields.items("placements", required=True):
        meant = {p.name for p in declared if fnmatch.fnmatchcase(p.name, item.text)}
        if not meant:
            what = f"there is no placement `{item.text}`, named by {fields.what}"
            draft.report.error(item.spot, what, nearest(item.text, [p.name for p in declared]))
        found |= meant
    return tuple(sorted(found))


def _texts(draft: Draft, fields: Fields, key: str) -> dict[str, str]:
    """Return a text by language, which must be there in the catalog's own."""
    texts, own = by_language(fields, key), draft.parts["language"]
    if fields.find(key, required=True) is not None and texts and not {"", own} & texts.keys():
        what = f"`{key}` of {fields.what} has no text in `{own}`, the catalog's language"
        draft.report.error(fields.spot(key), what, f"add `{own}:`")
    return texts


def _treatments(
    draft: Draft, fields: Fields, placements: Iterable[str], question: Mapping[str, str], content: Content
) -> list[dict[str, Any]]:
    """Return one treatment per channel, in every language of the question."""
    own, channels = draft.parts["language"], {c.name: c for c in draft.parts["channels"]}
    by_channel: dict[str, list[str]] = {}
    for place in draft.parts["placements"]:
        if place.name in placements:
            by_channel.setdefault(place.channel, []).append(place.name)
    made = []
    for name, places in sorted(by_channel.items()):
        texts = {language: content(channels[name].form, language) for language in {own, *question} - {""}}
        if texts[own] is None:
            what = f"{fields.what} cannot be asked through `{name}`: nobody can answer a {channels[name].form}"
            draft.report.error(fields.spot("placements"), what, "name placements of other channels")
            continue
        others = {language: text for language, text in sorted(texts.items()) if language != own}
        made.append({"name": name, "channel": name, "placements": places, "content": texts[own], "languages": others})
    return made


def _kept(fields: Fields) -> dict[str, Node]:
    return {key: node for key in KEPT if (node := fields.find(key)) is not None}


def _add(draft: Draft, made: Node, kept: Mapping[str, Node], survey: bool = False, asks: str = "") -> None:
    """Add the action that a question is to those of the files."""
    assert isinstance(made.value, dict)
    item = Node({**made.value, **kept}, made.spot, keys=dict.fromkeys((*made.value, *kept), made.spot))
    action: Action = replace(read_action(draft, item), survey=survey, asks=asks)
    actions = [*draft.parts["actions"], action]
    draft.parts["actions"] = tuple(sorted(actions, key=lambda a: (a.issue, a.group, a.name)))


def _add_rule(draft: Draft, fields: Fields, rule: Cap | Pause) -> None:
    known = draft.nodes.setdefault("contact", {})
    if rule.name in known:
        what = f"contact rule `{rule.name}` has a name that {fields.what} takes"
        draft.report.error(known[rule.name].get("name").spot, what, "rename the rule")
    known[rule.name] = fields.node
    draft.parts["contact"] = tuple(sorted([*draft.parts["contact"], rule], key=lambda r: r.name))


def _add_features(draft: Draft, fields: Fields, features: Sequence[Feature]) -> bool:
    """Declare the features that a question needs; return whether all of them have names that nothing else has."""
    names = draft.conditions.names
    for feature in features:
        if feature.name in names:
            what = f"{fields.what} needs the name `{feature.name}`, which is taken"
            draft.report.error(fields.node.spot, what, "rename what has it")
            return False
        names[feature.name] = feature.kind
    draft.parts["features"] = tuple(sorted([*draft.parts["features"], *features], key=lambda f: f.name))
    return True


def _slug(event: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", event.lower()).strip("_")


def _node(value: Any, spot: Spot) -> Node:
    """Return plain data as nodes that all stand at one place."""
    if isinstance(value, Mapping):
        return Node({key: _node(inner, spot) for key, inner in value.items()}, spot, keys=dict.fromkeys(value, spot))
    if isinstance(value, list):
        return Node([_node(inner, spot) for inner in value], spot)
    return Node(value, spot, value if isinstance(value, str) else "" if value is None else repr(value))


def _written(action: Action) -> dict[str, Any]:
    data = written(action)
    return {key: data[key] for key in KEPT if key in data}


def _written_ask(ask: Ask, action: Action) -> dict[str, Any]:
    options = [slim(value=_number(o.value), title=_plain(o.title)) for o in ask.options]
    when, worth = action.applicable, action.value
    return slim(
        fact=ask.fact, question=_plain(ask.question), buys=_plain(ask.buys), placements=list(ask.placements),
        options=options, when=when and when.canonical, worth=None if worth == 1.0 else amount(worth),
        **_written(action),
    )  # fmt: skip


def _number(value: str | float | bool) -> str | float | bool:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _plain(texts: Mapping[str, str]) -> Any:
    return texts[""] if "" in texts else dict(texts)
