"""One decision wholly: who was asked about, what was answered and why, what became of it, and the proof."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from markupsafe import Markup
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.pages.decided import answered, asked, became, limits, lost, nearest, proved, values, versions
from opportune.console.pages.why_not import told as why_told
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.field import Choice
from opportune.console.parts.later import later
from opportune.console.parts.shown import Shown
from opportune.wire import Explanation, Lost, Why, Won
from opportune.wire.recalling import DecisionRecord, PlaceRecord, Redecided

AT_IT = Markup('<p class="note">It is being decided again, from the ledger alone.</p>')

Answer = tuple[PlaceRecord, Sequence[Won] | None]


class OneDecision:
    """The page."""

    def __init__(self, desk: Desk, decision_id: str) -> None:
        self._desk, self._id = desk, decision_id
        with ui.element("div").classes("head"):
            with ui.element("h1"):
                ui.label("Decision")
            Shown[str](_head, tag="span").show(decision_id)
        later(desk, "see decisions", lambda hub: hub.decision_record(decision_id), self._draw)

    def _draw(self, record: DecisionRecord) -> None:
        words = self._desk.words
        places: dict[str, Shown[Answer]] = {}
        with ui.element("div").classes("two"):
            with ui.element("div").classes("stack"):
                with card("Who asked for what"):
                    Shown[DecisionRecord](lambda record: asked(record, words)).show(record)
                for place in record.places:
                    with card(f"What {place.placement} got", partial(_save_leaders, place)):
                        places[place.placement] = Shown[Answer](lambda told: answered(*told, words))
                    places[place.placement].show((place, None))
                others = ui.element("div").classes("stack")
                others.set_visibility(False)
            with ui.element("div").classes("stack"):
                proof = Proof(self._desk, record)
                with card("What became of it", lambda: _save_became(record)):
                    Shown[DecisionRecord](lambda record: became(record, words)).show(record)
                with card("Consent and contact limits"):
                    Shown[DecisionRecord](limits).show(record)
                with card("What was known", lambda: _save_values(record)):
                    Shown[DecisionRecord](lambda record: values(record, words)).show(record)

        async def explain() -> None:
            found = await proof.replay()
            if found is None or others.is_deleted:
                return
            told = found.explanation
            for place in record.places:
                places[place.placement].show((place, [one for one in told.won if one.placement == place.placement]))
            others.set_visibility(True)
            with others, card("Why not another?", lambda: _save_lost(told.lost)):
                Shown[Explanation](lambda told: lost(told.lost)).show(told)
                Another(self._desk, self._id, told.lost)

        ui.timer(0, explain, once=True)


class Proof:
    """The card that says whether the decision replays, and what that takes."""

    def __init__(self, desk: Desk, record: DecisionRecord) -> None:
        self._desk, self._record = desk, record
        with card("Proof"), ui.element("div").classes("spaced"):
            self._told = Shown[Markup](lambda text: text, live=True)
            with ui.element("div").classes("row"):
                button("Replay it now", self.replay, help="Decide again from the ledger, and compare to the bit")
            Shown[DecisionRecord](lambda record: versions(record, desk.words)).show(record)

    async def replay(self) -> Redecided | None:
        """Decide again as it was, and say what came of it; None where that is not possible."""
        self._told.show(AT_IT)
        found = await self._desk.ask("see decisions", lambda hub: hub.replay_decision(self._record.id))
        self._told.show(proved(found))
        return found


class Another:
    """What would have made another action win."""

    def __init__(self, desk: Desk, decision_id: str, those: list[Lost]) -> None:
        self._desk, self._id = desk, decision_id
        if not those:
            return
        with ui.element("div").classes("find spaced"):
            self._action = Choice("What would have made it win?", {one.action: one.action for one in nearest(those)})
            button("Find out", self._find)
        self._told = Shown[Why](lambda why: why_told(why, desk.words), live=True)

    async def _find(self) -> None:
        action = self._action.value
        why = await self._desk.ask("see decisions", lambda hub: hub.why(self._id, action))
        if why is not None:
            self._told.show(why)


def _head(decision_id: str) -> Markup:
    return Markup('<span class="mono soft">{}</span> &nbsp; <a href="/decisions">All decisions</a>').format(decision_id)


def _save_leaders(place: PlaceRecord) -> None:
    rows = [(one.action, one.rank, one.propensity, one.baseline, one.context_weight, one.value, one.lever, one.priority,
             one.drawn, one.selection_probability) for one in place.leaders]  # fmt: skip
    heads = ["action", "rank", "P", "baseline", "C", "V", "L", "priority", "drawn", "chance"]
    download_csv("candidates", heads, rows)


def _save_lost(those: Iterable[Lost]) -> None:
    download_csv("not-chosen", ["action", "placement", "stage", "reason"],
                 [(one.action, one.placement, one.stage, one.reason) for one in those])  # fmt: skip


def _save_became(record: DecisionRecord) -> None:
    rows = [(one.action, one.placement, one.ghost, one.delivered, one.seen, one.released,
             " ".join(f"{name} {at.isoformat()}" for name, at in one.outcomes.items()), " ".join(one.goals), one.yes)
            for one in record.became]  # fmt: skip
    heads = ["action", "placement", "ghost", "delivered", "seen", "released", "outcomes", "goals", "yes"]
    download_csv("became", heads, rows)


def _save_values(record: DecisionRecord) -> None:
    download_csv("known-then", ["name", "value"], sorted(record.values.items()))
