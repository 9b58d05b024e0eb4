"""What people do to a test: start it, look, let more in, pause, stop, roll an arm out or keep control."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk, NotDone
from opportune.console.pages.trials import RUNS
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.confirm import confirmed
from opportune.console.parts.field import Choice, Field
from opportune.console.parts.later import Again
from opportune.console.parts.shown import Shown, joined, worded
from opportune.wire.trying import Decided, ExperimentInfo, StartedInfo


class Acts:
    """The cards; who may do nothing sees none."""

    def __init__(self, desk: Desk, name: str, one: ExperimentInfo | None, again: Again) -> None:
        self._desk, self._name, self._again = desk, name, again
        runs = one is not None and one.status in RUNS
        if desk.may("run tests"):
            with card("Run it"):
                with ui.element("div").classes("what-if"):
                    self._share = Field("Share of customers, in %", hint="such as 10")
                    self._why = Field("because", hint="what you expect, or what is wrong")
                with ui.element("div").classes("row"):
                    if runs:
                        button("Look now", self._look)
                        button("Change the share", self._more)
                        if one is not None and one.status == "running":
                            button("Pause it", self._pause)
                    if one is None or one.status != "running":
                        button("Start it", self._start, primary=True)
                    if one is not None and one.status in (*RUNS, "rolled out"):
                        button("Stop it", self._stop, danger=True)
        if desk.may("decide tests") and one is not None and runs:
            with card("Decide it"):
                with ui.element("div").classes("what-if"):
                    rolled = {arm: f"roll out {arm}" for arm in one.missing}
                    self._arm = Choice("Verdict", {**rolled, "": "keep control"}, value="")
                    self._reason = Field("because", hint="what was learned")
                    button("Decide", self._decide, primary=True)
                self._told = Shown[Decided | None](_decided, live=True)

    async def _start(self) -> None:
        share, why, by = self._percent(), self._why.value.strip(), self._desk.session.name
        if share is None and self._share.value.strip():
            self._desk.say("Say which share of the customers may be in it, such as 10; or leave it empty.", bad=True)
            return
        found: list[StartedInfo] = []
        much = "the share that it had" if share is None else f"{share:.0%} of the customers"
        effect = f"{much[:1].upper()}{much[1:]} are drawn into its arms from now on. What is measured is laid down now."
        if await confirmed(f"Start {self._name}?", effect, "Start it") and await self._desk.does(
            "run tests", f"start {self._name}",
            lambda hub: found.append(hub.start_experiment(self._name, by, why, share)),
        ):  # fmt: skip
            await self._again()
            for warning in [*found[0].warnings, *(past.sentence for past in found[0].past if past.rules_out)]:
                self._desk.say(warning)

    async def _look(self) -> None:
        by = self._desk.session.name
        await self._do("look at", lambda hub: hub.look_at_experiment(self._name, by))

    async def _more(self) -> None:
        share, why, by = self._percent(), self._why.value.strip(), self._desk.session.name
        if share is None:
            self._desk.say("Say which share of the customers may be in it, such as 50.", bad=True)
        elif await confirmed(f"Let {share:.0%} of the customers in?", "It moves nobody who is in it.",
                             "Change the share"):  # fmt: skip
            await self._do("share of", lambda hub: hub.share_experiment(self._name, share, by, why))

    async def _pause(self) -> None:
        why, by = self._why.value.strip(), self._desk.session.name
        if await confirmed(f"Pause {self._name}?", "Nobody is in it until it is started again.", "Pause it"):
            await self._do("pause", lambda hub: hub.pause_experiment(self._name, by, why))

    async def _stop(self) -> None:
        why, by = self._why.value.strip(), self._desk.session.name
        effect = "Everybody gets what control gets from now on. It cannot go on; it can only begin anew with nobody."
        if await confirmed(f"Stop {self._name}?", effect, "Stop it"):
            await self._do("stop", lambda hub: hub.stop_experiment(self._name, by, why))

    async def _decide(self) -> None:
        arm, why, by, found = self._arm.value, self._reason.value.strip(), self._desk.session.name, list[Decided]()
        effect = (
            f"If the gate lets it pass, {arm} is what everybody in the audience gets until it expires. If not, nothing "
            "changes, and what is missing is told."
            if arm else "The test is over, and everybody gets what control gets."
        )  # fmt: skip
        title = f"Roll out {arm}?" if arm else "Keep control?"
        if await confirmed(title, effect, "Decide") and await self._desk.does(
            "decide tests", f"{self._name}: {arm or 'control'}",
            lambda hub: decide(hub, self._name, by, arm, why, found),
        ):  # fmt: skip
            await self._again()
        elif found:
            self._told.show(found[0])

    async def _do(self, what: str, work: Callable[[Client], ExperimentInfo]) -> None:
        if await self._desk.does("run tests", f"{what} {self._name}", work):
            await self._again()

    def _percent(self) -> float | None:
        try:
            found = float(self._share.value.replace("%", "").replace(",", ".")) / 100
        except ValueError:
            return None
        return found if isfinite(found) else None


def decide(hub: Client, name: str, by: str, arm: str, why: str, found: list[Decided]) -> None:
    """Roll an arm out ("": keep control), and add the answer to `found`; raise `NotDone` where the gate says no."""
    found.append(hub.decide_experiment(name, by, arm, why))
    if lacks := found[0].missing:
        raise NotDone(f"the gate does not let {arm} pass: {'; '.join(f'{one.what}. {one.cure}' for one in lacks)}")


def _decided(found: Decided | None) -> Markup:
    if found is None:
        return Markup("")
    lacks = (
        Markup('<li><span class="tag bad">✗</span><div>{}<div class="small soft">{}</div></div></li>').format(
            worded(lack.what), worded(lack.cure)
        )
        for lack in found.missing
    )
    return Markup('<p class="problem">The gate does not let {} pass yet.</p><ul class="checks">{}</ul>').format(
        found.arm, joined(lacks)
    )
