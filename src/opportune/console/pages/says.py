"""What each placement would say to a customer, as cards: the factors as a waterfall, what moved P, who lost and why."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup
from msgspec import UNSET
from nicegui import ui

from opportune.console.parts.shown import Shown, joined, worded
from opportune.console.words import Words
from opportune.wire import Answered, Explanation, Lost, Mover, Won
from opportune.wire.watching import PlacementInfo

STAGES = {
    "available": "cannot be said here", "consent": "no consent", "situation": "silenced by a situation",
    "eligible": "may not have it", "applicable": "does not fit now", "suitable": "not right for them",
    "contact": "contact limits", "score": "not scored", "arbitrate": "another is worth more", "withhold": "held out",
    "treat": "no form for it", "limit": "no room left",
}  # fmt: skip
"""The stages of a decision, in words."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one placement would say, and whether that has just become another."""

    place: PlacementInfo
    answer: Answered
    new: bool


Card = tuple[tuple[Said, ...], bool]
"""Placements that would say the same, what is worth most first, and whether it is the card that lies open."""


class Says:
    """A card for each action with the placements that would say it, what is worth most first, silence last.

    Each is drawn anew only when it changed.
    """

    def __init__(self, words: Words) -> None:
        self._words = words
        self._list = ui.element("div").classes("says")
        self._cards: dict[str, tuple[ui.element, Shown[Card]]] = {}

    def show(self, places: Iterable[PlacementInfo], answers: Mapping[str, Answered], new: Container[str]) -> None:
        """Draw the answers; those of the placements in `new` say so."""
        said = [Said(place, answers[place.name], place.name in new) for place in places if place.name in answers]
        groups: dict[str, list[Said]] = {}
        for one in sorted(said, key=lambda one: -_worth(one.answer)):
            groups.setdefault(chosen(one.answer), []).append(one)
        for action in [action for action in self._cards if action not in groups]:
            self._cards.pop(action)[0].delete()
        for rank, (action, those) in enumerate(groups.items()):
            if action not in self._cards:
                with self._list, ui.element("div") as holder:
                    self._cards[action] = holder, Shown(lambda told: _card(*told, self._words), live=True)
            holder, shown = self._cards[action]
            holder.style(f"order: {rank}")
            shown.show((tuple(those), rank == 0))


def chosen(answer: Answered) -> str:
    """Return the action that an answer chose, or "" for silence."""
    return answer.actions[0].action if answer.actions else ""


def _worth(answer: Answered) -> float:
    return answer.actions[0].priority if answer.actions else float("-inf")


def _card(those: tuple[Said, ...], opened: bool, words: Words) -> Markup:
    action = chosen(those[0].answer)
    name = Markup('<a href="/actions?name={}">{}</a>').format(quote(action, safe=""), action) if action else "silence"
    places = joined(_at(one, opened and i == 0, words) for i, one in enumerate(those))
    return Markup(
        '<section class="say{}" aria-label="{}"><div class="say-head"><span class="action">{}</span>'
        '<span class="soft small">{}</span></div>{}{}</section>'
    ).format(
        " new" if any(one.new for one in those) else "", action or "silence", name,
        f"in {len(those)} placements" if len(those) > 1 else "", _content(those[0].answer), places,
    )  # fmt: skip


def _at(one: Said, opened: bool, words: Words) -> Markup:
    answer = one.answer
    explanation = answer.explanation
    told = explanation if explanation is not UNSET else Explanation([], [], answer.silence, [], False)
    won = told.won[0] if told.won else None
    new = Markup('<span class="tag good">changed just now</span>') if one.new else Markup("")
    head = Markup(
        '<div class="row"><span class="tag accent">{}</span><span class="mono small">{}</span>{}{}</div>'
    ).format(one.place.channel, one.place.name, new, _pushed(told.pushed))
    if won is None:
        sentence = Markup('<p class="soft">{}</p>').format(told.silence or answer.silence or "")
        inside, summary = lost(told.lost), ""
    else:
        sentence = Markup('<p class="small soft">{}</p>').format(_sum(won, words))
        notes = joined(Markup('<p class="small soft">{}</p>').format(worded(note)) for note in told.notes)
        whole = waterfall(won, words) + moved(won.moved_by, words) + notes
        inside, summary = whole + lost(told.lost), "Why this, and not another?"
    if summary:
        inside = Markup('<details{}><summary>{}</summary><div class="comes">{}</div></details>').format(
            Markup(" open") if opened else "", summary, inside
        )
    return Markup('<div class="at" data-place="{}" data-action="{}">{}{}{}</div>').format(
        one.place.name, won.action if won else "", head, sentence, inside
    )


def _sum(won: Won, words: Words) -> str:
    told = f"priority {words.number(won.priority, 2)} = V {words.number(won.value, 2)}"
    told += f" × P {words.percent(won.propensity)}"
    told += f" × C {words.number(won.context_weight, 2)}" if won.context_weight != 1 else ""
    return told + (f" × L {words.number(won.lever, 2)}" if won.lever != 1 else "")


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
    return Markup('<span class="tag warn" title="{}">pushed</span>').format(told) if pushed else Markup("")
