"""The live model of a ledger: every fact that is appended is folded in, and the model is saved now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from opportune.events.types import Checkpoint, ForgottenCustomer, LedgerFact, Rebuilt
from opportune.learn import fold
from opportune.learn.brain import Brain
from opportune.ledger.ledger import Ledger

CHECKPOINT = 20_000
"""Facts of the ledger between two checkpoints of the model."""


class Learner:
    """Appends facts to a ledger and learns from them. Call what writes inside of a transaction."""

    def __init__(self, ledger: Ledger, now: Callable[[], int]) -> None:
        self._ledger, self._now = ledger, now
        self._frozen: tuple[int, Brain] | None = None
        self._restored: tuple[int, Brain] | None = None
        self.forgotten = 0
        self.read_anew()

    def read_anew(self) -> None:
        """Learn what the ledger holds, as after a transaction that was rolled back."""
        self.brain = fold.live(self._ledger)
        self._taught = self._ledger.last()

    def append(self, facts: Sequence[LedgerFact]) -> int:
        """Append facts and fold them in; return the sequence number of the last one."""
        last = self._ledger.append(facts)
        self.fold(enumerate(facts, last - len(facts) + 1))
        return last

    def learn(self, facts: Sequence[LedgerFact]) -> None:
        """Append facts that teach, saving the model now and then."""
        if facts:
            self.append(facts)
            self.keep_up()

    def fold(self, facts: Iterable[tuple[int, LedgerFact]]) -> None:
        """Fold in facts that were appended by somebody else."""
        predictor = self.brain.predictor
        for sequence, fact in facts:
            if isinstance(fact, fold.TEACHING):
                self.brain = fold.fold(self.brain, self._ledger, sequence, fact)
                self._taught = sequence
            elif isinstance(fact, ForgottenCustomer):
                self.forgotten += 1
                self._restored = None  # it may know them
        if self.brain.predictor != predictor:
            self.checkpoint()  # it learned from all answers that there were, which nobody should have to do again

    def keep_up(self) -> None:
        """Save the model if there was much to learn since the last time."""
        if self._ledger.last() >= self._ledger.begin() + CHECKPOINT:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Save the model, so that a restart begins with it."""
        blob = self._ledger.blobs.put(self.brain.snapshot())
        self.append([Checkpoint(self._now(), blob, self._ledger.last())])

    def rebuild(self) -> bytes:
        """Return the model that the ledger alone makes, by decision time and with final labels. Writes nothing."""
        return fold.rebuild(self._ledger).snapshot()

    def adopt(self, data: bytes, reason: str) -> None:
        """Let a rebuilt model take over."""
        blob = self._ledger.blobs.put(data)
        self.append([Rebuilt(self._now(), blob, self._ledger.last(), reason)])

    def as_of(self, sequence: int) -> Brain:
        """Return the model as it was when it had learned that fact of the ledger."""
        if self.is_at(sequence):
            return self.brain
        held = self._restored
        return held[1] if held is not None and held[0] == sequence else fold.live(self._ledger, sequence)

    def is_at(self, sequence: int) -> bool:
        """Return whether the live model is the one that had learned that fact of the ledger."""
        return sequence >= self._taught

    def ready(self, sequence: int) -> bool:
        """Return whether `as_of` has the model of that fact at hand."""
        return self.is_at(sequence) or (self._restored is not None and self._restored[0] == sequence)

    def hold(self, sequence: int, brain: Brain) -> None:
        """Keep a model of the past at hand for `as_of`; the last one that was given."""
        self._restored = sequence, brain

    def nearest(self, sequence: int) -> tuple[Brain, int] | None:
        """Let go of the model of the past that is held, and return it with its fact, to be folded up to a later one.

        None where it is of a later one already, or a saved one is nearer.
        """
        held, saved = self._restored, self._ledger.saved(sequence)
        if held is None or not (saved[0] if saved else 0) <= held[0] <= sequence:
            return None
        self._restored = None
        return held[1], held[0]

    def frozen(self, sequence: int) -> Brain:
        """Return the model as of a fact that `freeze` gave; the last one asked for is held ready."""
        if self._frozen is None or self._frozen[0] != sequence:
            self._frozen = sequence, fold.live(self._ledger, sequence)
        return self._frozen[1]

    def freeze(self) -> int:
        """Save the model as it is now; return the fact by which `frozen` finds it."""
        self.checkpoint()
        return self._ledger.last()

    def described(self) -> dict[str, Any]:
        """Return what the model has learned: metrics per action, test-then-train, and the bins of each predictor."""
        metrics = self.brain.metrics

        def judged(action: str | None) -> dict[str, Any]:
            error = metrics.calibration_error(action)
            return {"auc": metrics.auc(action), "logLoss": metrics.log_loss(action), "calibrationError": error}

        rows = [
            {"action": a, "answers": metrics.answers(a), "positives": metrics.positives(a), **judged(a)}
            for a in metrics.actions()
        ]
        learned = {"answers": self.brain.answers, "actions": rows}
        return {**judged(None), **self.brain.model.describe(), **learned}
