"""Questions about products and their answers, for any thread: what is asked knows all that the answer needs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opportune.catalog.product_types import Chosen, Product
from opportune.configure.choice import option_of, read_choice
from opportune.configure.complete import complete
from opportune.configure.form import form
from opportune.configure.likely import Known, Own, rows_of
from opportune.configure.machine import Machine
from opportune.configure.model import Model
from opportune.configure.solver import Closed, searching
from opportune.wire.configured import Configured

SECONDS = 2.0
"""The time of one answer."""

THREADS = 2
"""Answers of a bench that are made at once."""

WAITING = 50
"""Answers of a bench that may wait for the solver, if it is not said otherwise."""

KEPT = 16
"""Products that are kept ready to be asked about."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about a product, and all that the hub knows for the answer.

    `least` is the smallest amount of the currency, in millionths; `closed` the values that cannot be chosen now, and
    why; `others` are designs of other customers, with a number that changes when they do.
    """

    product: Product
    choices: Mapping[str, Chosen | None]
    currency: str
    least: int
    closed: tuple[tuple[str, int, str], ...] = ()
    keep: tuple[str, ...] = ()
    completes: bool = False
    profile: Mapping[str, Chosen] | None = None
    own: Sequence[Own] = ()
    others: tuple[int, Sequence[Mapping[str, Chosen]]] = (0, ())


class Bench:
    """Products made ready for the solver. Good for any thread; `threads` are some for those
    who must not wait, and `waiting` how many of these do, `most` of them at once.

    Benches share nothing: whoever asks at one never waits for those who ask at another.
    """

    def __init__(self, most: int = WAITING) -> None:
        self.threads = ThreadPoolExecutor(THREADS, "opportune-workshop")
        self.waiting, self.most = 0, most
        self._lock = threading.Lock()
        self._machines: OrderedDict[Product, Machine] = OrderedDict()
        self._rows: dict[str, tuple[int, Product, npt.NDArray[np.int32]]] = {}

    def answer(self, question: Question, seconds: float = SECONDS) -> Configured:
        """Return what a choice can be, completed where that was asked. Raises `BadRequest`, `TooBusy`, `TooLarge`."""
        machine = self._machine(question.product)
        model = machine.model
        choice = read_choice(model, question.choices)
        for name in question.keep:
            option_of(model, name, "keep")
        closed = [Closed(*one) for one in question.closed]
        with searching(machine, choice, closed, seconds) as search:
            filled: dict[str, str] = {}
            if question.completes:
                known = Known(question.profile or {}, question.own, self._others(question, model))
                filled = complete(search, known)
            return form(search, question.currency, question.least, question.keep, filled)

    def _machine(self, product: Product) -> Machine:
        with self._lock:
            machine = self._machines.get(product)
            if machine is None:
                machine = self._machines[product] = Machine(Model(product))
                if len(self._machines) > KEPT:
                    self._machines.popitem(last=False)
            self._machines.move_to_end(product)
            return machine

    def _others(self, question: Question, model: Model) -> npt.NDArray[np.int32]:
        version, designs = question.others
        known = self._rows.get(question.product.name)
        if known is None or known[:2] != (version, question.product):
            known = version, question.product, rows_of(model, designs)
            with self._lock:
                if len(self._rows) > KEPT:
                    self._rows.clear()
                self._rows[question.product.name] = known
        return known[2]
