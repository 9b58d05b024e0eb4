"""Questions to the solver about one product: what is possible, and which few things rule the rest out.

Z3 is asked in short questions, each with what is left of the time of the call. A context of Z3 is for one thread at a
time: a `Machine` has one, and a `Search` holds the machine for as long as a call takes. Each search has solvers of its
own, so that no answer depends on what was asked before, and memory is given back.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from opportune.configure.circuit import Amount
from opportune.configure.machine import Machine
from opportune.configure.model import Choice
from opportune.errors import OpportuneError

TURN_MS = 5
"""The least time that a question gets."""


class TooBusy(OpportuneError):
    """Others asked about the same product for all of the time of a call."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A value that cannot be chosen now, whatever the rules say, and why."""

    option: str
    position: int
    because: str


@dataclass(frozen=True, slots=True)
class Core:
    """Things that cannot all be: chosen options, rules by their place, and values that are closed by theirs.

    None of them could be left out; `whole` is False where the time was over before that was known.
    """

    options: tuple[str, ...]
    rules: tuple[int, ...]
    closed: tuple[int, ...]
    whole: bool = True


@contextmanager
def searching(
    machine: Machine, choice: Choice, closed: Sequence[Closed] = (), seconds: float = 2.0
) -> Iterator[Search]:
    """Hold a machine for one call about a partial choice. Raises `TooBusy`."""
    until = time.monotonic() + seconds
    if not machine.lock.acquire(timeout=seconds):
        raise TooBusy(f"too many ask about {machine.model.product.name!r} at once; try again in a moment")
    search: Search | None = None
    try:
        search = Search(machine, choice, closed, until)
        yield search
    finally:
        if search is not None:
            search.close()
        machine.lock.release()


class Search:
    """One call: a partial choice, what is closed now, and an instant by which it ends."""

    def __init__(self, machine: Machine, choice: Choice, closed: Sequence[Closed], until: float) -> None:
        self.machine, self.model, self.choice, self.closed = machine, machine.model, dict(choice), tuple(closed)
        self.in_time, self._count = True, 0
        self._until = until
        self._hard = machine.hard()
        rules = [machine.node(rule.node) for rule in self.model.rules]
        shut = [self._shut(one) for one in self.closed]
        self._rules, self._shuts = rules, shut
        self._plain: Any = self._solver([*self._hard, *rules, *shut])
        self._marks: dict[str, Any] = {}
        for option, position in self.choice.items():
            self._marks[option] = self._mark(self._plain, f"c:{option}", machine.at(option, position))
        self._tracked: tuple[Any, list[Any], list[Any], dict[str, Any]] | None = None

    def close(self) -> None:
        """Let go of what is Z3's, while nobody else is at work in its context."""
        self._hard, self._rules, self._shuts = [], [], []
        self._marks.clear()
        self._plain = self._tracked = None

    # --- what is possible

    def possible(self, wanted: Iterable[Any] = (), without: Iterable[str] = ()) -> bool | None:
        """Return whether the choice can be finished with some expressions true; None where time does not tell.

        `without` are chosen options that are not asked for.
        """
        return self._ask(self._plain, [*self._chosen(without), *wanted])

    def found(self, nodes: Iterable[int]) -> set[int]:
        """Return those of some nodes that are yes in the choice that the last `possible` came upon."""
        import z3

        # the plain calls of Z3's library: the comfortable ones take most of the time of a search
        context, model = self.machine.context.ref(), self._plain.model()
        yes = set()
        for node in nodes:
            variable, truth = self.machine.variable(node)
            said = None if variable is None else z3.Z3_model_get_const_interp(context, model.model, variable)
            value = bool(said) and z3.Z3_get_bool_value(context, said) == z3.Z3_L_TRUE
            if variable is None or value == truth:
                yes.add(node)
        return yes

    def at(self, option: str, position: int) -> Any:
        """Return an expression for `possible`: an option is at a position."""
        return self._literal(self.machine.at(option, position), self.model.domains[option].is_number)

    def either(self, nodes: Iterable[int]) -> Any:
        """Return an expression for `possible`: any of some nodes is yes."""
        import z3

        return self._literal(z3.Or([self.machine.node(node) for node in nodes]), True)

    def between(self, option: str, low: int, high: int) -> Any:
        """Return an expression for `possible`: a number is at a position from `low` to `high`."""
        return self._literal(self.machine.between(option, low, high), True)

    def all_but(self, literals: Sequence[Any], count: int) -> Any:
        """Return an expression for `possible`: all of some expressions but so many."""
        import z3

        return self._literal(z3.PbGe([(one, 1) for one in literals], len(literals) - count), True)

    def choose(self, option: str, position: int) -> None:
        """Add to the choice, or change it."""
        self.choice[option] = position
        self._marks[option] = self._mark(self._plain, f"c:{option}:{position}", self.machine.at(option, position))
        self._tracked = None

    def drop(self, option: str) -> None:
        """Take an option out of the choice."""
        del self.choice[option], self._marks[option]
        self._tracked = None

    def _chosen(self, without: Iterable[str]) -> list[Any]:
        gone = set(without)
        return [mark for option, mark in self._marks.items() if option not in gone]

    def _literal(self, expression: Any, complex: bool) -> Any:
        """Return what stands for an expression in a question: only variables can be asked about."""
        import z3

        if not complex:
            return expression
        self._count += 1
        mark = z3.Bool(f"q{self._count}", self.machine.context)
        self._plain.add(z3.Implies(mark, expression))
        return mark

    # --- why not

    def why_not(self, wanted: Any = None, without: Iterable[str] = ()) -> Core:
        """Return few things that cannot be together, and (`wanted`, an expression of the machine) not with that.

        No chosen option of them could be left out whatever the rules, and no rule then. Call it where `possible` said
        no.
        """
        gone = set(without)
        options = [option for option in self.choice if option not in gone]
        asked = [] if wanted is None else [self._literal(wanted, True)]
        few, whole = self._smallest(self._plain, asked, [self._marks[option] for option in options])
        if few is None:
            return Core((), (), (), False)
        chosen = tuple(options[place] for place in few)
        solver, rules, shuts, choice = self._trackers()
        fixed = [choice[option] for option in chosen]
        if wanted is not None:
            self._count += 1
            fixed.append(self._mark(solver, f"w{self._count}", wanted))
        said, all_said = self._smallest(solver, fixed, [*rules, *shuts])
        places = said if said is not None else []
        return Core(
            chosen, tuple(place for place in places if place < len(rules)),
            tuple(place - len(rules) for place in places if place >= len(rules)), whole and all_said,
        )  # fmt: skip

    def _smallest(self, solver: Any, fixed: list[Any], parts: list[Any]) -> tuple[list[int] | None, bool]:
        """Return the places of parts that contradict what is fixed, each of them needed, and whether that is sure.

        One after the other is left out. None where it is not known in time that they do.
        """
        if self._ask(solver, [*fixed, *parts]) is not False:
            return None, False
        order = {part.get_id(): place for place, part in enumerate(parts)}
        core, needed = self._core(solver, order), list[int]()
        while core:
            one, rest = core[-1], core[:-1]
            answer = self._ask(solver, [*fixed, *(parts[place] for place in (*needed, *rest))])
            if answer is None:
                return sorted((*needed, *core)), False
            if answer:
                needed.append(one)
            else:
                left = self._core(solver, order)
                rest = [place for place in rest if place in left]
            core = rest
        return sorted(needed), True

    def _core(self, solver: Any, order: dict[int, int]) -> list[int]:
        found = (order.get(mark.get_id()) for mark in solver.unsat_core())
        return sorted(place for place in found if place is not None)

    def _trackers(self) -> tuple[Any, list[Any], list[Any], dict[str, Any]]:
        if self._tracked is None:
            solver = self._solver(self._hard)
            rules = [self._mark(solver, f"r:{place}", rule) for place, rule in enumerate(self._rules)]
            shuts = [self._mark(solver, f"s:{place}", shut) for place, shut in enumerate(self._shuts)]
            choice = {
                option: self._mark(solver, f"c:{option}", self.machine.at(option, position))
                for option, position in self.choice.items()
            }
            self._tracked = solver, rules, shuts, choice
        return self._tracked

    # --- what is best

    def lowest(self, amount: Amount) -> Fraction | None:
        """Return the least that an amount can still be; None where the choice cannot be finished, or time is over."""
        nodes = self.model.known(self.choice)
        shut = {node: False for one in self.closed for node in self._nodes_at(one)}
        if any(nodes.get(node) for node in shut):
            return None
        nodes |= shut
        yes = [node for node, truth in nodes.items() if truth]
        no = [node for node, truth in nodes.items() if not truth]
        rules = [rule.node for rule in self.model.rules]
        found = self.machine.program.least(amount, [*yes, *rules], no, self._left() / 1000)
        self._left()
        return found

    def _nodes_at(self, one: Closed) -> list[int]:
        return [self.model.domains[one.option].nodes[one.position]]

    # --- asking

    def _solver(self, expressions: Iterable[Any]) -> Any:
        import z3

        solver = z3.SimpleSolver(ctx=self.machine.context)
        solver.set("smt.phase_selection", 1)  # try yes first: each choice that is come upon then shows other values
        for expression in expressions:
            solver.add(expression)
        return solver

    def _mark(self, solver: Any, name: str, expression: Any) -> Any:
        import z3

        mark = z3.Bool(name, self.machine.context)
        solver.add(z3.Implies(mark, expression))
        return mark

    def _shut(self, one: Closed) -> Any:
        import z3

        return z3.Not(self.machine.at(one.option, one.position))

    def _ask(self, solver: Any, assumed: Sequence[Any]) -> bool | None:
        left = self._left()
        if left <= TURN_MS and not self.in_time:
            return None
        solver.set("timeout", left)
        return self._said(solver.check(*assumed))

    def _said(self, answer: Any) -> bool | None:
        import z3

        if answer == z3.unknown:
            self.in_time = False
            return None
        return bool(answer == z3.sat)

    def _left(self) -> int:
        left = int((self._until - time.monotonic()) * 1000)
        if left <= TURN_MS:
            self.in_time = False
        return max(left, TURN_MS)
