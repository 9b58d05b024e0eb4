"""A product for the solver: each node of its circuit as an expression of Z3, and as rows of an integer program."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any

from opportune.configure.cheapest import Program
from opportune.configure.model import Model

SMALL = 2**30
"""Sums beyond this are arithmetic for the solver; its own kind of sum counts in 32 bits."""


class Machine:
    """A model in a context of Z3 of its own. Whoever uses it has its `lock`."""

    def __init__(self, model: Model) -> None:
        import z3

        self.model, self.context = model, z3.Context()
        # what is left over may be collected while another thread is at work here, above all after an exception
        z3.Z3_enable_concurrent_dec_ref(self.context.ref())
        self.lock, self._made = threading.Lock(), list[Any]()
        self._declared: dict[int, Any] = {}
        self._make()

    @cached_property
    def program(self) -> Program:
        """The model as an integer program; made when it is first asked for."""
        return Program(self.model)

    def node(self, number: int) -> Any:
        """Return a node as an expression of Z3."""
        return self._made[number]

    def variable(self, number: int) -> tuple[Any, bool]:
        """Return the declaration of the variable that a node is (None: always yes), and if that or its opposite."""
        node = self.model.circuit.nodes[number]
        if node.kind == "always":
            return None, True
        truth = node.kind == "variable"
        if number not in self._declared:
            self._declared[number] = self._made[number if truth else node.of[0]].decl()
        return self._declared[number].ast, truth

    def at(self, option: str, position: int) -> Any:
        """Return the expression that an option is at a position."""
        import z3

        domain = self.model.domains[option]
        if not domain.is_number:
            return self.node(domain.nodes[position])
        bits = [self.node(bit) for bit in domain.bits]
        return z3.And([bit if position >> place & 1 else z3.Not(bit) for place, bit in enumerate(bits)])

    def between(self, option: str, low: int, high: int) -> Any:
        """Return the expression that a number is at a position from `low` to `high`."""
        import z3

        bits = [(self.node(bit), 1 << place) for place, bit in enumerate(self.model.domains[option].bits)]
        return z3.And(z3.PbGe(bits, low), z3.PbLe(bits, high)) if low > 0 else z3.PbLe(bits, high)

    def _make(self) -> None:
        import z3

        made, context = self._made, self.context
        for number, node in enumerate(self.model.circuit.nodes):
            of = [made[part] for part in node.of]
            match node.kind:
                case "never" | "always":
                    made.append(z3.BoolVal(node.kind == "always", context))
                case "variable":
                    made.append(z3.Bool(f"v{number}", context))
                case "not":
                    made.append(z3.Not(of[0]))
                case "and":
                    made.append(z3.And(of))
                case "or":
                    made.append(z3.Or(of))
                case _ if sum(node.weights) < SMALL:
                    made.append(z3.PbGe(list(zip(of, node.weights)), node.bound))
                case _:
                    zero = z3.IntVal(0, context)
                    parts = [z3.If(part, z3.IntVal(weight, context), zero) for part, weight in zip(of, node.weights)]
                    made.append(z3.Sum(parts) >= node.bound)

    def hard(self) -> list[Any]:
        """Return what holds of every choice, whatever the rules."""
        import z3

        exactly_one = [z3.PbEq([(self.node(n), 1) for n in group], 1) for group in self.model.circuit.groups]
        return exactly_one + [self.node(number) for number in self.model.circuit.hard]
