"""The board: the candidates of one placement, what each step found, and where each one fell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from opportune.catalog.lab_types import Holdout
from opportune.catalog.situated import situated
from opportune.decide.plan import Ints, Place, Plan
from opportune.decide.scores import Scores, fall
from opportune.decide.types import Answer, Chosen, Ghost, Request, Snapshot, Stage
from opportune.rules import Row
from opportune.rules.program import Truth


@dataclass(slots=True)
class Board:
    """One placement of one request on its way through the steps.

    `stage` holds one `Stage` per action of the plan (0: still in). `reasons` are filled by the steps that drop by
    something other than a condition of the action, and told only when someone asks for an explanation.
    """

    request: Request
    snapshot: Snapshot
    plan: Plan
    place: Place
    number: int
    row: Row
    truth: Truth
    stage: npt.NDArray[np.uint8]
    arm: str = ""
    held: tuple[Holdout, ...] = ()
    taken: tuple[str, ...] = ()
    percent: npt.NDArray[np.float64] | None = None
    scores: Scores | None = None
    chosen: list[Chosen] = field(default_factory=list)
    silence: str | None = None
    ghost: Ghost | None = None
    chances: npt.NDArray[np.float64] | None = None
    silence_probability: float = 0.0
    discarded: float = 0.0
    pushed: bool = False
    reasons: dict[Stage, Callable[[int], str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def open(
        cls, request: Request, snapshot: Snapshot, placement: str, number: int, before: Sequence[Board] = ()
    ) -> Board:
        """Return the board of one placement, every action on it; `before` are the boards of earlier placements."""
        plan = snapshot.plan
        place = plan.place(placement)
        zone = plan.catalog.time_zone
        row = situated(plan.layout, snapshot.row, request.context, place.channel.name, place.name, request.at, zone)
        taken = [c.action for board in before for c in board.chosen]
        taken += [board.ghost.action for board in before if board.ghost and board.ghost.reason == "holdout"]
        truth = plan.program.start(row)
        return cls(request, snapshot, plan, place, number, row, truth, place.start.copy(), taken=tuple(taken))

    def require(self, conditions: Ints, stage: Stage) -> Board:
        """Drop the candidates whose condition (an index per action, -1: none) is not TRUE."""
        self.plan.program.drop(self.truth, conditions, self.stage, int(stage))
        return self

    def drop(self, positions: Ints, stage: Stage) -> None:
        """Drop the candidates at these positions, if they are still in."""
        if len(positions) < 4:
            for i in positions.tolist():
                if not self.stage[i]:
                    self.stage[i] = stage
            return
        here = self.stage[positions]
        here[here == 0] = stage
        self.stage[positions] = here

    def drop_rest(self, stage: Stage) -> None:
        """Drop every candidate that is still in."""
        fall(self.stage, int(stage))

    def holds(self, conditions: Ints) -> list[bool]:
        """Return which of these conditions are TRUE."""
        fallen = np.zeros(len(conditions), np.uint8)
        self.plan.program.drop(self.truth, conditions, fallen, 1)
        return [not x for x in fallen.tolist()]

    def answer(self) -> Answer:
        """Return what became of this placement."""
        return Answer(
            placement=self.place.name,
            chosen=tuple(self.chosen),
            silence=self.silence,
            ghost=self.ghost,
            price=self.scores.price if self.scores else 0.0,
            candidates=len(self.scores.index) if self.scores else 0,
            silence_probability=self.silence_probability,
            discarded=self.discarded,
            pushed=self.pushed,
            notes=tuple(self.notes),
            stages=self.stage,
            scores=self.scores,
            chances=self.chances,
        )
