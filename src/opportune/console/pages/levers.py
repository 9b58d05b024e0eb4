"""Levers: what a change would shift on a sample of real customers, before it is applied with a reason."""

from __future__ import annotations

from markupsafe import Markup
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.parts.button import button
from opportune.console.parts.confirm import confirmed
from opportune.console.parts.csv import download_csv
from opportune.console.parts.field import Choice, Field
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.later import Again
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import Head, table
from opportune.console.words import Words
from opportune.wire.steering import ActionDetail, ShiftInfo

SAMPLE = 300
SHOWN = 12
"""Actions whose shift is shown."""

Changes = dict[str, object]


def levers(desk: Desk, told: ActionDetail, again: Again) -> None:
    """Add the levers of an action; `again` draws it anew once something was applied."""
    _Levers(desk, told, again)


class _Levers:
    """The card; what is tried is in the address, so that a colleague can look at the same."""

    def __init__(self, desk: Desk, told: ActionDetail, again: Again) -> None:
        self._desk, self._told, self._again = desk, told, again
        self._shift: ShiftInfo | None = None
        self._changes: Changes = {}
        self._version = 0
        one, said = told.info, desk.query
        ui.label("Percents from -50 to 100 are added up. Try them first, then apply them with a reason.").classes(
            "soft small"
        )
        with ui.element("div").classes("what-if"):
            self._numbers = {
                key: (path, now, Field(label, said.get(key, _plain(now)), enter=self._preview))
                for (key, label), (path, now) in zip(self._pushes(), told.levers.items(), strict=True)
            }
            if isinstance(one.value, float):
                value = Field("Value of a yes", said.get("value", _plain(one.value)), enter=self._preview)
                self._numbers["value"] = f"actions.{one.name}.value", one.value, value
            states = {"on": "on", "off": "off: never said"}
            self._state = Choice("Switched", states, value=said.get("state", "off" if one.off else "on"))
            button("See what shifts", self._preview, primary=True)
        self._drawn = Shown[ShiftInfo | None](lambda shift: _drawn(shift, desk.words), live=True)
        self._drawn.show(None)
        self._apply_here = ui.element("div").classes("what-if")
        with self._apply_here:
            self._reason = Field("Why", hint="such as: spring campaign, until May", enter=self._apply)
            button("Apply it", self._apply, primary=True)
            button("csv", self._save, quiet=True, help="Save what shifts as csv")
        self._apply_here.set_visibility(False)
        if {*self._numbers, "state"} & {*said}:
            ui.timer(0, self._preview, once=True)

    def _pushes(self) -> tuple[tuple[str, str], ...]:
        """Return the names of the levers in the address, and as they are labeled: from the closest to the widest."""
        one = self._told.info
        return ("lever", "Own lever, %"), ("group", f"All of {one.group}, %"), ("issue", f"All of {one.issue}, %")

    def _wanted(self) -> Changes | None:
        """Return the values that differ from what is live; None, and a word to the reader, if one is no number."""
        one, found = self._told.info, Changes()
        for path, now, field in self._numbers.values():
            try:
                value = float(field.value.strip().replace("%", "").replace(",", "."))
            except ValueError:
                self._desk.say(f"{field.value[:40]!r} is no number; write one such as 20, or -10.", bad=True)
                return None
            if value != now:
                found[path] = value
        if (self._state.value == "off") != one.off:
            found[f"actions.{one.name}.off"] = True if self._state.value == "off" else None
        return found

    async def _preview(self) -> None:
        changes = self._wanted()
        if changes is None:
            return
        keys = {key: path for key, (path, _, _) in self._numbers.items()}
        keys["state"] = f"actions.{self._told.info.name}.off"
        self._desk.at(**{key: _text(changes[path], key) if path in changes else "" for key, path in keys.items()})
        if not changes:
            self._desk.say("Nothing differs from what is live; move a lever first.")
            self._forget()
            return
        found = await self._desk.ask("try levers", lambda hub: (hub.shift(changes, SAMPLE), hub.overlay().version))
        if found is None:
            self._forget()
            return
        (self._shift, self._version), self._changes = found, changes
        self._drawn.show(self._shift)
        self._apply_here.set_visibility(self._desk.may("move levers"))

    async def _apply(self) -> None:
        shift, changes, reason, version = self._shift, self._changes, self._reason.value.strip(), self._version
        if shift is None or self._wanted() != changes:
            self._desk.say("What you see was found for other values; press `See what shifts` once more.", bad=True)
            return
        if not reason:
            self._desk.say("Say why: it is kept with the change, for those who look at it later.", bad=True)
            return
        who = self._desk.session.name
        if await confirmed("Apply it to everybody?", _effect(shift, self._desk.words), "Apply it"):
            about = f"{'; '.join(shift.changes)} ({reason})"
            if await self._desk.does("move levers", about, lambda hub: hub.steer(changes, who, reason, version)):
                self._desk.say("It is live. Undo it any time, under Changes.")
                self._desk.at(**dict.fromkeys((*self._numbers, "state"), ""))
                await self._again()

    def _forget(self) -> None:
        self._shift, self._changes = None, {}
        self._drawn.show(None)
        self._apply_here.set_visibility(False)

    def _save(self) -> None:
        if self._shift is not None:
            rows = [(one.action, one.before, one.after) for one in self._shift.actions]
            download_csv(f"shift-{self._told.info.name}", ["action", "now", "then"], rows)


def _effect(shift: ShiftInfo, words: Words) -> str:
    share = words.percent(shift.changed / shift.customers, 0) if shift.customers else "nobody yet"
    return (
        f"{'; '.join(shift.changes)}. In the sample, {share} of customers would get another answer somewhere. It holds "
        "from the next decision on, lies on top of the files, and can be undone in one click."
    )


def _drawn(shift: ShiftInfo | None, words: Words) -> Markup:
    if shift is None:
        return empty("Nothing is moved.", "Each try asks some hundred real customers what they would get now and then, "
                     "with the same chance and model. Nothing of it is recorded.")  # fmt: skip
    if not shift.customers:
        return empty("No customer is known yet.", "What shifts is found on real customers; send events first.")
    low, high = shift.interval or (None, None)
    between = f"{words.number(low, 3)} to {words.number(high, 3)}" if shift.interval else "too few for an interval"
    customers = f"{words.number(shift.changed)} of {words.number(shift.customers)}"
    figures = (
        figure("Customers with another answer", words.percent(shift.changed / shift.customers),
               "Customers of the sample for whom some placement would say something else.", customers),
        figure("Decisions that change", words.percent(shift.moved / max(shift.decisions, 1)),
               "Of all placements asked about all customers of the sample.",
               f"{words.number(shift.moved)} of {words.number(shift.decisions)}"),
        figure("Value a decision", words.money(shift.gained, shift.currency),
               "The mean of P x V, then minus now: what customers are likely to take, without levers. Below zero is "
               "what the push costs. With its 95% interval by customers.", between),
        figure("Silence", words.points((shift.silent[1] - shift.silent[0]) / max(shift.decisions, 1)),
               "Decisions without an action, then minus now.",
               f"{words.number(shift.silent[0])} now, {words.number(shift.silent[1])} then"),
    )  # fmt: skip
    moved = [one for one in shift.actions if one.after != one.before][:SHOWN]
    heads: list[Head] = [("action", "How often it would be chosen in the sample"), "now", "then", "change"]
    rows = [(one.action, words.number(one.before), words.number(one.after), _signed(one.after - one.before, words))
            for one in moved]  # fmt: skip
    drawn = table("Actions that shift", heads, rows, {1, 2, 3}) if rows else Markup(
        '<p class="soft">No action would be chosen more or less often.</p>')  # fmt: skip
    caps = [one for one in shift.pressure if one.after != one.before]
    heads = [("contact limit", "How many chosen contacts of the sample fall under it"), "now", "then", "change"]
    rule = Markup('<span title="{}">{}</span>')
    pressure = Markup('<p class="soft small">No contact limit gets more or less to do.</p>')
    if caps:
        pressed = [(rule.format(one.text, one.rule), words.number(one.before), words.number(one.after),
                    _signed(one.after - one.before, words)) for one in caps]  # fmt: skip
        pressure = table("Pressure on contact limits", heads, pressed, {1, 2, 3})
    return Markup('<div class="grid">{}</div><div class="spaced">{}{}</div>').format(joined(figures), drawn, pressure)


def _signed(number: int, words: Words) -> str:
    return f"{'+' if number > 0 else ''}{words.number(number)}"


def _plain(number: float) -> str:
    return f"{number:.12g}"


def _text(value: object, key: str) -> str:
    if key == "state":
        return "off" if value else "on"
    return f"{value:.12g}" if isinstance(value, float) else ""
