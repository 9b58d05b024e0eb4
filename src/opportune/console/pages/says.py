"""What each placement would say to a customer, as cards: the factors as a waterfall, what moved P, who lost and why."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from markupsafe import Markup
from msgspec import UNSET
from nicegui import ui

from opportune.console.parts.shown import Shown, joined
from opportune.console.words import Words
from opportune.wire import Answered, Explanation, Lost, Mover, Won
from opportune.wire.watching import PlacementInfo

Card = tuple[PlacementInfo, Answered, bool]

STAGES = {
    "available": "cannot be said here", "consent": "no consent", "situation": "silenced by a situation",
    "eligible": "may not have it", "applicable": "does not fit now", "suitable": "not right for them",
    "contact": "contact limits", "score": "not scored", "arbitrate": "another is worth more", "withhold": "held out",
    "treat": "no form for it", "limit": "no room left",
}  # fmt: skip
"""The stages of a decision, in words."""


class Says:
    """A card for each placement, what is worth most first. Each is drawn anew only when its own answer changed."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._list = ui.element("div").classes("says")
        self._cards: dict[str, tuple[ui.element, Shown[Card]]] = {}

    def show(self, places: Iterable[PlacementInfo], answers: Mapping[str, Answered], new: Container[str]) -> None:
        """Draw the answers; those of the placements in `new` say so for a moment."""
        asked = {place.name: place for place in places if place.name in answers}
        for name in [name for name in self._cards if name not in asked]:
            self._cards.pop(name)[0].delete()
        ranked = sorted(asked.values(), key=lambda place: -_worth(answers[place.name]))
        for rank, place in enumerate(ranked):
            if place.name not in self._cards:
                with self._list, ui.element("div") as holder:
                    self._cards[place.name] = holder, Shown(lambda told: _card(*told, self._words), live=True)
            holder, shown = self._cards[place.name]
            holder.style(f"order: {rank}")
            shown.show((place, answers[place.name], place.name in new))


def chosen(answer: Answered) -> str:
    """Return the action that an answer chose, or "" for silence."""
    return answer.actions[0].action if answer.actions else ""


def _worth(answer: Answered) -> float:
    return answer.actions[0].priority if answer.actions else float("-inf")


def _card(place: PlacementInfo, answer: Answered, new: bool, words: Words) -> Markup:
    explanation = answer.explanation
    told = explanation if explanation is not UNSET else Explanation([], [], answer.silence, [], False)
    won = told.won[0] if told.won else None
    name = won.action if won else "silence"
    head = Markup(
        '<div class="say-head"><span class="action">{}</span><span class="row"><span class="tag accent">{}</span>'
        '<span class="soft small mono">{}</span></span></div>'
    ).format(name, place.channel, place.name)
    if won is None:
        body = Markup('<p class="soft">{}</p>').format(told.silence or answer.silence or "")
    else:
        body = _content(answer) + waterfall(won, words) + _pushed(told.pushed) + moved(won.moved_by, words)
    notes = joined(Markup('<p class="small soft">{}</p>').format(note) for note in told.notes)
    return Markup('<section class="say{}" aria-label="{}" data-place="{}" data-action="{}">{}{}{}{}</section>').format(
        " new" if new else "", f"{place.name}: {name}", place.name, won.action if won else "", head, body, notes,
        lost(told.lost),
    )  # fmt: skip


def waterfall(won: Won, words: Words) -> Markup:
    """Return how V becomes the priority: first what it is worth, then what P, C and L leave of it."""
    after_p = won.value * won.propensity
    after_c = after_p * won.context_weight
    steps = (
        ("v", "V", "value", words.number(won.value, 2), 0.0, won.value),
        ("p", "P", "chance of a yes", f"× {words.percent(won.propensity)}", won.value, after_p),
        ("c", "C", "context", f"× {words.number(won.context_weight, 2)}", after_p, after_c),
        ("l", "L", "lever", f"× {words.number(won.lever, 2)}", after_c, won.priority),
        ("sum", "=", "priority", words.number(won.priority, 2), 0.0, won.priority),
    )
    most = max(abs(end) for step in steps for end in step[4:]) or 1.0
    rows = (
        Markup(
            '<li class="fall"><span><span class="key">{}</span>{}</span><span class="track" aria-hidden="true">'
            '<span class="bar {}" style="left:{:.2f}%;width:{:.2f}%"></span></span><span class="amount">{}</span></li>'
        ).format(key, name, kind, 100 * min(begin, end) / most, 100 * abs(end - begin) / most, amount)
        for kind, key, name, amount, begin, end in ((k, a, n, t, abs(b), abs(e)) for k, a, n, t, b, e in steps)
    )
    chance = words.percent(won.selection_probability)
    return Markup(
        '<ol class="falls" aria-label="How its priority comes about">{}</ol>'
        '<p class="small soft">It had a chance of {} to be chosen here.</p>'
    ).format(joined(rows), chance)


def moved(movers: Iterable[Mover], words: Words) -> Markup:
    """Return what moved P up or down, most first; nothing where nothing did yet."""
    those = [one for one in movers if abs(one.logit) >= 0.005]
    if not those:
        return Markup(
            '<p class="small soft">Nothing known of this customer moves P yet: the model has too few answers.</p>'
        )
    most = max(abs(one.logit) for one in those)
    rows = (
        Markup(
            "<li><span>{} <span class=\"soft\">{}</span></span><span class=\"axis\" aria-hidden=\"true\">"
            '<i class="{}" style="left:{:.1f}%;width:{:.1f}%"></i></span><span class="nowrap">{}</span></li>'
        ).format(
            one.name, one.bin, "less" if one.logit < 0 else "",
            50 - (50 * abs(one.logit) / most if one.logit < 0 else 0), 50 * abs(one.logit) / most,
            f"{one.logit:+.2f}",
        )
        for one in those
    )  # fmt: skip
    return Markup(
        '<div><h3 title="The share of each predictor in the log odds of a yes">What moved P</h3>'
        '<ul class="moved">{}</ul></div>'
    ).format(joined(rows))


def lost(those: Iterable[Lost]) -> Markup:
    """Return who lost, at which stage and why."""
    rows = [
        Markup('<tr><td>{}</td><td class="nowrap">{}</td><td>{}</td></tr>').format(
            one.action, STAGES.get(one.stage, one.stage), one.reason
        )
        for one in sorted(
            those, key=lambda one: [*STAGES].index(one.stage) if one.stage in STAGES else 99, reverse=True
        )
    ]
    if not rows:
        return Markup("")
    return Markup(
        '<details><summary>Why not another? {} others</summary>'
        '<div class="scroll" tabindex="0" role="group" aria-label="Other actions"><table class="plain small">'
        "<thead><tr><th>action</th><th>fell because</th><th>in detail</th></tr></thead><tbody>{}</tbody></table></div>"
        "</details>"
    ).format(len(rows), joined(rows))


def _content(answer: Answered) -> Markup:
    content = answer.actions[0].content if answer.actions else {}
    title = content.get("title") or content.get("subject") or content.get("script") or ""
    return Markup('<p class="soft">“{}”</p>').format(title) if isinstance(title, str) and title else Markup("")


def _pushed(pushed: bool) -> Markup:
    told = "Value or lever won against this customer's most likely choice."
    return Markup('<p class="small"><span class="tag warn">pushed</span> {}</p>').format(told) if pushed else Markup("")
