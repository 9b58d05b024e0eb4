"""A decision in words: who asked for what, what was answered and why not another, what became of it, the proof."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from markupsafe import Markup

from opportune.console.pages.known import plain
from opportune.console.pages.says import STAGES, moved, waterfall
from opportune.console.parts.figure import empty
from opportune.console.parts.shown import joined, worded
from opportune.console.parts.table import Head, table
from opportune.console.words import Words
from opportune.wire import Lost, Won
from opportune.wire.recalling import Became, DecisionRecord, PlaceRecord, Redecided

LEADERS: tuple[Head, ...] = (
    "action",
    ("P", "How likely a yes was, by the model of that moment"),
    ("C", "How well it fitted the context"),
    ("V", "What a yes was worth"),
    ("L", "The lever of the action, its group, its issue and of situations"),
    ("priority", "P x C x V x L"),
    ("drawn", "What was drawn around it, so that the hub also tries what it knows little of: the highest draw wins"),
    ("chance", "How likely this action was to be chosen here, over all draws"),
)


def proved(found: Redecided | None) -> Markup:
    """Return what a replay says; None: there was none."""
    if found is None:
        return empty("It could not be replayed.", "The message says why. What is on record stands, and is shown here.")
    if found.same:
        return Markup('<p class="strong"><span class="tag good">✓ the same</span> {}</p>').format(
            "Replayed just now: the same to the bit."
        )
    return Markup('<p class="note bad">{} {}</p>').format(
        "Replayed just now: NOT the same. What differs from the record:", ", ".join(found.differs)
    )


def versions(record: DecisionRecord, words: Words) -> Markup:
    """Return what a replay takes: the catalog, the model and the seed."""
    catalog = record.catalog
    by = f" by {catalog.by}" if catalog.by else ""
    rows = (
        ("Catalog", Markup('<span class="mono" title="{}">{}</span>, live since {}{}').format(
            catalog.hash, catalog.hash[:12], words.whole(catalog.at), by)),
        ("Model", f"had learned from {words.number(record.answers)} answers, up to fact {words.number(record.model)}"),
        ("Seed", Markup('<span class="mono">{}</span>').format(record.seed)),
        ("Ledger", f"fact {words.number(record.number)}"),
    )  # fmt: skip
    return _list(rows)


def asked(record: DecisionRecord, words: Words) -> Markup:
    """Return who asked for what."""
    who = Markup('<a href="/customer?id={}">{}</a>').format(quote(record.customer_id, safe=""), record.customer_id)
    places = ", ".join(
        f"{name} (up to {limit})" if limit > 1 else name
        for name, limit in zip(record.placements, record.limit, strict=True)
    )
    rows: list[tuple[str, object]] = [("Customer", who), ("When", words.whole(record.at)), ("Where", places)]
    rows += [("For", record.flow)] if record.flow else []
    context = ", ".join(f"{name} = {plain(value, words)}" for name, value in record.context.items())
    rows += [("Context", context)] if context else []
    rows += [("Arm", record.arm)] if record.arm else []
    rows += [("Tests", ", ".join(f"{test}: {arm}" for test, arm in record.arms.items()))] if record.arms else []
    return _list(rows)


def answered(place: PlaceRecord, won: Sequence[Won] | None, words: Words) -> Markup:
    """Return what a placement got: the winners with how their priority came about, or why there was silence.

    `won` is None as long as it was not decided again.
    """
    parts = [
        Markup('<div class="spaced"><div class="say-head"><span class="action">{}. {}</span>'
               '<span class="tag">{}</span></div>{}{}{}</div>').format(
            one.rank, one.action, f"as {one.treatment}", waterfall(one, words), _drawn(one, words),
            moved(one.moved_by, words),
        )
        for one in won or ()
    ]  # fmt: skip
    if place.silence:
        parts.append(Markup('<p><span class="strong">Silence:</span> {}.</p>').format(place.silence))
    if ghost := place.withheld:
        why = "a holdout kept it back" if ghost.reason == "holdout" else "a contact had to be worth more"
        parts.append(Markup('<p>Otherwise it would have been <span class="strong">{}</span>, P {}: {}.</p>').format(
            ghost.action, words.percent(ghost.propensity), why))  # fmt: skip
    if place.pushed and not place.silence:
        told = "Value or lever won against this customer's most likely choice."
        parts.append(Markup('<p class="small"><span class="tag warn">pushed</span> {}</p>').format(told))
    chance = place.silence_probability
    quiet = f", and silence had a chance of {words.percent(chance)}" if chance is not None else ""
    compared = f"Actions that came to be compared: {words.number(place.candidates)}"
    parts.append(Markup('<p class="small soft">{}</p>').format(
        f"A contact here had to be worth {words.number(place.price, 2)}{quiet}. {compared}"
        f"{'; the best of them:' if place.leaders else '.'}"))  # fmt: skip
    rows = (
        (Markup('<span class="strong">{}</span>').format(one.action) if one.rank else one.action,
         words.percent(one.propensity), words.number(one.context_weight, 2), words.number(one.value, 2),
         words.number(one.lever, 2), words.number(one.priority, 2), words.number(one.drawn, 2),
         words.percent(one.selection_probability))
        for one in place.leaders
    )  # fmt: skip
    if place.leaders:
        parts.append(table(f"Candidates of {place.placement}", LEADERS, rows, right=range(1, 8)))
    return joined(parts)


def _drawn(one: Won, words: Words) -> Markup:
    if one.drawn is None:
        return Markup("")
    return Markup('<p class="small soft">{}</p>').format(
        f"The draw that decided was {words.number(one.drawn, 2)}, around a priority of {words.number(one.priority, 2)}."
    )


def nearest(those: Iterable[Lost]) -> list[Lost]:
    """Return who lost, those first that came furthest."""
    order = [*STAGES]
    return sorted(those, key=lambda one: -order.index(one.stage) if one.stage in order else 1)


def lost(those: Iterable[Lost]) -> Markup:
    """Return every action that was not chosen, with where it fell, and the condition that failed."""
    found = nearest(those)
    if not found:
        return empty("No other action is in the catalog.", "Add one, and it competes from the next decision on.")
    several = len({one.placement for one in found}) > 1
    near = [one for one in found if one.stage != "available"]
    far = [one for one in found if one.stage == "available"]
    parts = [_fallen("Actions that were not chosen", near, several)] if near else []
    if far:
        rows = _fallen("Actions that cannot be said here", far, several)
        folded = Markup("<details{}><summary>{} that cannot be said here</summary>{}</details>")
        parts.append(folded.format("" if near else Markup(" open"), len(far), rows))
    return joined(parts)


def _fallen(name: str, found: Iterable[Lost], several: bool) -> Markup:
    heads: list[Head] = ["action", ("fell because", "The stage at which it fell"),
                         ("in detail", "The condition that failed, with the value that it met"), "where"]  # fmt: skip
    rows = ((one.action, STAGES.get(one.stage, one.stage), worded(one.reason), one.placement) for one in found)
    return table(name, heads, rows) if several else table(name, heads[:3], (row[:3] for row in rows))


def became(record: DecisionRecord, words: Words) -> Markup:
    """Return what became of each action of the decision."""
    if not record.became:
        return empty("There is nothing to hear of.", "Nothing was said, and nothing was kept back that is watched.")
    line = Markup(
        '<div class="line"><div><span class="strong">{}</span> <span class="soft small">{}</span>{}</div>{}</div>'
    )
    return joined(
        line.format(one.action, one.placement, _heard(one, words), _verdict(one)) for one in record.became
    )


def _heard(one: Became, words: Words) -> Markup:
    found = [(at, name) for name, at in (("delivered", one.delivered), ("seen", one.seen), *one.outcomes.items()) if at]
    told = [f"{name} at {words.whole(at)}" for at, name in sorted(found)]
    told += [f"goal: {goal}" for goal in one.goals]
    told += [f"released: {one.released}"] if one.released else []
    if one.ghost:
        told.append("it was not said; what the customer does without it is watched")
    elif not told:
        told.append("the channel told nothing of it yet: tell of every impression, and of each answer")
    return Markup('<ul class="small">{}</ul>').format(joined(Markup("<li>{}</li>").format(text) for text in told))


def _verdict(one: Became) -> Markup:
    if one.ghost:
        return Markup('<span class="tag{}" title="{}">{}</span>').format(
            " good" if one.yes else "", "Whether they reached the goal of the action by themselves",
            "✓ reached by themselves" if one.yes else "not said",
        )  # fmt: skip
    tone, told = {True: ("good", "✓ a yes"), False: ("", "a no so far"), None: ("", "not known to be seen")}[one.yes]
    if one.yes is False and one.closed:
        told = "a no"
    meaning = "What the model has learned of it; a late yes takes an earlier no back"
    return Markup('<span class="tag {}" title="{}">{}</span>').format(tone, meaning, told)


def limits(record: DecisionRecord) -> Markup:
    """Return what consent and contact limits said at that moment."""
    rows = [
        (f"consent for {one.channel}{f', {one.topic}' if one.topic else ''}", "marketing" if kind else "service", why)
        for one in record.consents
        for kind, why in ((True, one.marketing), (False, one.service))
        if why
    ]
    rows += [(one.rule, one.scope, one.sentence) for one in record.limits]
    channels = ", ".join(dict.fromkeys(one.channel for one in record.consents))
    if not rows:
        return empty("Nothing was in the way.", f"Consent for {channels}, caps, pauses and quiet hours were looked at.")
    return table("Limits", ["rule", "on", "closed, because"], rows)


def values(record: DecisionRecord, words: Words) -> Markup:
    """Return the traits, features and counts of contacts that were known."""
    if not record.values:
        return empty("Nothing was known of them.", "Send events, and traits with `identify`.")
    rows = ((name, plain(value, words)) for name, value in sorted(record.values.items()))
    return table("What was known", ["name", ("value", "As it was at that moment")], rows)


def _list(rows: Iterable[tuple[str, object]]) -> Markup:
    return Markup('<div class="said"><dl>{}</dl></div>').format(
        joined(Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(name, told) for name, told in rows)
    )
