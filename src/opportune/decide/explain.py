"""Why this and not that: in plain words, and as data."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from opportune.decide.board import Board
from opportune.decide.change import smallest_change
from opportune.decide.pipeline import FITTING, played
from opportune.decide.scores import Scores
from opportune.decide.stages.arbitrate import RANKS, way
from opportune.decide.stages.assign import HOLDOUT, RANDOM
from opportune.decide.stages.score import inputs
from opportune.decide.types import Chosen, Decision, Request, Snapshot, Stage
from opportune.errors import BadRequest
from opportune.rules import Expression, Value
from opportune.rules.why import failures
from opportune.wire import Explanation, Lost, Mover, Why, Won

MOVERS = 5
"""How many of the predictors that moved P most are told."""


def explain(decision: Decision, snapshot: Snapshot) -> Explanation:
    """Return the explanation of a decision that was just made, or replayed, from this snapshot."""
    boards = played(decision.request, snapshot)
    won, lost = [], []
    for board in boards:
        for chosen in board.chosen:
            won.append(_won(board, chosen))
        named, values = {c.action for c in board.chosen}, board.plan.layout.values(board.row)
        for i, action in enumerate(board.plan.actions):
            if action.name not in named:
                stage, reason = _stage(board, i).name.lower(), _reason(board, i, values)
                lost.append(Lost(action.name, board.place.name, stage, reason))
    notes = [f"in experiment `{experiment}` this customer is in arm `{arm}`" for experiment, arm in snapshot.arms]
    notes += dict.fromkeys(note for board in boards for note in board.notes)
    return Explanation(won, lost, decision.silence, notes, any(board.pushed for board in boards))


def why(decision: Decision, snapshot: Snapshot, action: str, placement: str | None = None) -> Why:
    """Return why an action did not win in a placement (the first by default), and what would have changed that.

    The change is the smallest found: fewest attributes first, then smallest moves, over the failed predicates whose
    traits and features are `mutable`; then its lever and its value, within bounds. Each is verified by deciding again
    with the same seed and model.
    """
    plan, request = snapshot.plan, decision.request
    placement = placement or request.placements[0]
    plan.action(action)
    if placement not in request.placements:
        raise BadRequest(f"the decision was not about {placement!r} but about {', '.join(request.placements)}")
    if any(c.action == action and c.placement == placement for c in decision.chosen):
        return Why(action, placement, "in", "it was chosen", {}, f"{action} was chosen.")
    board = played(request, snapshot)[request.placements.index(placement)]
    i = plan.position[action]
    values = board.plan.layout.values(board.row)
    stage, reason = _stage(board, i), _reason(board, i, values)
    change = smallest_change(request, snapshot, action, placement, values)
    told = f"{action} fell at {stage.name.lower()}: {reason}. "
    if change:
        told += f"It would have won with {' and '.join(f'{n} = {_told(v)}' for n, v in change.items())}."
    else:
        told += "No change that makes it win was found: none found within the mutable traits and features, a lever up "
        told += "to 100 and ten times its value."
    return Why(action, placement, stage.name.lower(), reason, change, told)


def misfit(request: Request, snapshot: Snapshot, action: str) -> tuple[str, str] | None:
    """Return the stage and the reason why an action does not fit a customer in the first placement; None if it does.

    Contact limits, and what else could be said, do not count: this is asked again of what was decided before.
    """
    board = Board.open(request, snapshot, request.placements[0], 0)
    for step in FITTING:
        board = step(board)
    i = board.plan.position[action]
    if not board.stage[i]:
        return None
    return _stage(board, i).name.lower(), _reason(board, i, board.plan.layout.values(board.row))


def _told(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)


def _won(board: Board, c: Chosen) -> Won:
    position = board.plan.position[c.action]
    shares = board.snapshot.model.contributions(inputs(board), position)
    movers = [Mover(name, bin_, float(logit)) for name, bin_, logit in shares[:MOVERS]]
    action = board.plan.actions[position]
    because = ", ".join(f"{m.name} {m.bin} ({m.logit:+.2f})" for m in movers[:3] if m.logit)
    sentence = (
        f"{action.path} won in {c.placement} at rank {c.rank}: priority {c.priority:.4g} = P {c.propensity:.4g} "
        f"x C {c.context_weight:.3g} x V {c.value:.4g} x L {c.lever:.3g}, chosen with probability {c.probability:.3g}"
    )
    if board.snapshot.baseline_positives:
        sentence += f"; without a contact its goal is reached with {c.baseline:.3g}"
    sentence += f"; P is moved by {because}." if because else "."
    return Won(
        action=c.action, treatment=c.treatment, placement=c.placement, channel=c.channel, rank=c.rank,
        propensity=c.propensity, baseline=c.baseline, context_weight=c.context_weight, value=c.value, lever=c.lever,
        priority=c.priority, drawn=c.drawn if math.isfinite(c.drawn) else None, selection_probability=c.probability,
        moved_by=movers, sentence=sentence,
    )  # fmt: skip


def _stage(board: Board, i: int) -> Stage:
    return Stage(int(board.stage[i])) if board.stage[i] else Stage.ARBITRATE


def _reason(board: Board, i: int, values: Mapping[str, Value]) -> str:
    stage, action = _stage(board, i), board.plan.actions[i]
    if stage in (Stage.ELIGIBLE, Stage.APPLICABLE, Stage.SUITABLE):
        return "; ".join(f.sentence for e in _conditions(board, i, stage) for f in failures(e, values))
    if stage is Stage.ARBITRATE and board.scores is not None:
        s = board.scores
        j = int(np.searchsorted(s.index, i))
        if j < len(s.index) and s.index[j] == i:
            return _lost(board, s, j)
    told = board.reasons[stage](i) if stage in board.reasons else ""
    return told or f"{action.name} fell here"


def _lost(board: Board, s: Scores, j: int) -> str:
    best = board.chosen[0] if board.chosen else None
    worth = f"its priority {s.priority[j]:.4g}"
    drew = way(board).drew
    if board.arm == RANDOM:
        return f"{worth} does not count: this customer gets any allowed action with equal chance"
    if best is None and board.ghost is not None and board.ghost.reason == HOLDOUT:
        return f"{worth} lost to {board.ghost.action}, which was held out then"
    if drew is None or s.family == "certain":
        than = f"{best.action} with {best.priority:.4g}" if best else f"silence at {s.price:.4g}"
        return f"{worth} lost to {than}"
    mine = drew(s, j, board.request.seed, board.number * RANKS)
    if math.isnan(mine):
        return f"{worth} did not take part: it is new, and its reach grows with its positive answers"
    than = f"{best.action}, which drew {best.drawn:.4g}" if best else f"silence at {s.price:.4g}"
    return f"{worth} drew {mine:.4g} and lost to {than}"


def _conditions(board: Board, i: int, stage: Stage) -> list[Expression]:
    action = board.plan.actions[i]
    found = {
        Stage.ELIGIBLE: (action.eligible,),
        Stage.APPLICABLE: (action.applicable,),
        Stage.SUITABLE: (action.suitable, action.helps),
    }[stage]
    return [e for e in found if e is not None]
