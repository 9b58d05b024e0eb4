"""SQL text -> checked `Expression`, or every mistake in it at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from opportune.errors import BadCondition, Problem
from opportune.rules.expression import Expression
from opportune.rules.functions import FUNCTIONS
from opportune.rules.grammar import MAX_DEPTH, MAX_TEXT, Syntax, place, read
from opportune.rules.layout import Kind
from opportune.rules.sql import size
from opportune.rules.tree import (
    ARITHMETIC,
    And,
    Between,
    Call,
    Case,
    Column,
    Compare,
    In,
    Is,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
    Tree,
    columns,
)

__all__ = ["Expression", "parse"]

MAX_SIZE = 1_000_000


def parse(text: str, names: Mapping[str, Kind] | None, want: Kind = Kind.BOOL) -> Expression:
    """Return the checked expression of a SQL text whose value is of kind `want`.

    `names` are the declared names and their kinds. With None any name may be read, dots reach into nested properties,
    and a name has the kind that its use gives it: one kind, or it is a mistake. A name of which is only asked whether
    it is NULL has kind None and may hold anything; one that is only compared with another such name is a text.

    Raises `BadCondition` with every mistake: its line and column, and the cure. Guards: 65,536 characters, 200 levels
    (`AND` and `OR` chains are one level), and 1,000,000 mentions of values in the SQL that is written, where a number
    of nested divisions or functions is spelled more than once.

    >>> parse("plan IN ('gold', 'silver') AND months >= 6", {"plan": Kind.TEXT, "months": Kind.NUMBER}).names
    {'plan': <Kind.TEXT: 'text'>, 'months': <Kind.NUMBER: 'number'>}
    >>> parse("page = 'cancel'", None).evaluate({"page": "cancel"})
    True
    """
    if len(text) > MAX_TEXT:
        raise BadCondition([Problem(f"the condition is {len(text):,} characters long", f"stay within {MAX_TEXT:,}")])
    try:
        return _checked(text, names, want)
    except RecursionError:
        raise BadCondition([Problem("the condition is nested too deeply for where it is read",
                                    f"nest fewer than {MAX_DEPTH} levels")]) from None


def _checked(text: str, names: Mapping[str, Kind] | None, want: Kind) -> Expression:
    syntax, problems = read(text)
    check = _Check(text, names, problems)
    check.expect(syntax, _Type(want))
    check.used()
    if not problems:
        tree = check.build(syntax)
        if not problems and size(tree) > MAX_SIZE:
            problems.append(Problem("the condition nests too many divisions and functions", "declare a feature"))
    if problems:
        raise BadCondition(sorted(problems, key=lambda p: (p.line, p.column)))
    return Expression(text, want, tree, columns(tree))


class _Type:
    """A kind, or one not known yet; `same` ties it to another for good."""

    def __init__(self, kind: Kind | None = None) -> None:
        self._kind = kind
        self._tied: _Type | None = None

    def root(self) -> _Type:
        at = self
        while at._tied is not None:
            at = at._tied
        return at

    @property
    def kind(self) -> Kind | None:
        return self.root()._kind

    def same(self, other: _Type) -> bool:
        """Make both one type; False when they are two different kinds."""
        a, b = self.root(), other.root()
        if a is b:
            return True
        if a._kind and b._kind:
            return a._kind is b._kind
        if a._kind:
            a, b = b, a
        a._tied = b
        return True


class _Check:
    """Gives each node its kind, collecting mistakes; `build` then makes the tree."""

    def __init__(self, text: str, names: Mapping[str, Kind] | None, problems: list[Problem]) -> None:
        self.text = text
        self.names = names
        self.problems = problems
        self.types: dict[int, _Type] = {}
        self.columns: dict[str, _Type] = {name: _Type(kind) for name, kind in (names or {}).items()}
        self.only_null: set[str] = set()

    def report(self, node: Syntax, what: str, cure: str = "") -> None:
        line, column = place(self.text, node.start)
        self.problems.append(Problem(what, cure, line, column))

    # kinds

    def infer(self, node: Syntax) -> _Type:
        found = self.types[id(node)] = self._infer(node)
        return found

    def expect(self, node: Syntax, kind: _Type) -> None:
        own = self.infer(node)
        if not own.same(kind):
            self.report(node, f"`{self.source(node)}` is a {own.kind and own.kind.value}, "
                              f"a {kind.kind and kind.kind.value} belongs here", self._cure(node, kind))

    def _infer(self, node: Syntax) -> _Type:
        truth = _Type(Kind.BOOL)
        match node.op:
            case "constant":
                return _Type(node.kind)
            case "name":
                self.only_null.discard(str(node.value))
                return self._column(node)
            case "call":
                return self._call(node)
            case "and" | "or" | "not" | "is":
                for arg in node.args:
                    self.expect(arg, truth)
                return truth
            case "compare" | "in" | "between":
                self._alike(node, f"`{node.value}`" if node.op == "compare" else node.op.upper())
                return truth
            case "like":
                self.expect(node.args[0], _Type(Kind.TEXT))
                return truth
            case "is null":
                of = node.args[0]
                if of.op == "name":
                    if of.value not in self.columns:
                        self.only_null.add(str(of.value))
                    self.types[id(of)] = self._column(of)
                else:
                    self.infer(of)
                return truth
            case "case":
                return self._case(node)
            case _:
                return _Type()

    def _column(self, node: Syntax) -> _Type:
        name = str(node.value)
        if name not in self.columns:
            if self.names is not None:
                self._unknown(node, "name", name, list(self.names))
            self.columns[name] = _Type()
        return self.columns[name]

    def _unknown(self, node: Syntax, what: str, name: str, known: list[str]) -> None:
        fold = {k.lower(): k for k in known}
        near = difflib.get_close_matches(name.lower(), fold, 1, 0.6)
        cure = f"did you mean `{fold[near[0]]}`?" if near else ""
        if what == "name" and self.text[node.start] == '"':
            cure = f"a text takes single quotes: '{name}'"
        self.report(node, f"unknown {what} `{name}`", cure or f"declare it, or use one of {len(known)} declared names"
                    if what == "name" else cure or f"there are {', '.join(sorted(known))}")

    def _call(self, node: Syntax) -> _Type:
        name = str(node.value)
        if name in ARITHMETIC:
            for arg in node.args:
                self.expect(arg, _Type(Kind.NUMBER))
            return _Type(Kind.NUMBER)
        function = FUNCTIONS.get(name)
        if function is None:
            for arg in node.args:
                self.infer(arg)
            self._unknown(node, "function", name, [f for f in FUNCTIONS if f != "||"])
            return _Type()
        least = len(function.params)
        if len(node.args) < least or (len(node.args) > least and not function.more):
            self.report(node, f"{name} takes {least}{' or more' if function.more else ''} values, not {len(node.args)}")
        any_kind = _Type()
        for i, arg in enumerate(node.args):
            kind = function.params[min(i, least - 1)]
            self.expect(arg, any_kind if kind is None else _Type(kind))
        return any_kind if function.result is None else _Type(function.result)

    def _alike(self, node: Syntax, word: str) -> None:
        first, *rest = node.args
        kind = self.infer(first)
        for arg in rest:
            own = self.infer(arg)
            if not own.same(kind):
                cure = self._cure(arg, kind) or self._cure(first, own)
                self.report(node, f"{word} compares `{self.source(first)}`, a {kind.kind and kind.kind.value}, "
                                  f"with `{self.source(arg)}`, a {own.kind and own.kind.value}", cure)

    def _case(self, node: Syntax) -> _Type:
        kind = _Type()
        for when, then in zip(node.args[:-1:2], node.args[1:-1:2]):
            self.expect(when, _Type(Kind.BOOL))
            self.expect(then, kind)
        self.expect(node.args[-1], kind)
        return kind

    def _cure(self, node: Syntax, needed: _Type) -> str:
        if node.op == "constant" and needed.kind is Kind.TEXT:
            return f"write '{self.source(node)}'"
        if node.op == "constant" and node.kind is Kind.TEXT and needed.kind is Kind.TIME:
            return f"write TIMESTAMP {self.source(node)}"
        if node.op == "constant" and node.kind is Kind.TEXT and needed.kind in (Kind.NUMBER, Kind.BOOL):
            return "write it without quotes"
        open_name = self.names is None and node.op == "name"
        return "a name has one type everywhere" if open_name else "compare like with like"

    def source(self, node: Syntax) -> str:
        text = " ".join(self.text[node.start : node.end].split())
        return text if len(text) <= 60 else text[:57] + "..."

    def used(self) -> None:
        """Settle the kinds that nothing has fixed: text, or none for names that are only tested for NULL."""
        for name, kind in self.columns.items():
            if name not in self.only_null:
                kind.same(_Type(Kind.TEXT)) if kind.kind is None else None

    # the tree

    def build(self, node: Syntax) -> Tree:
        parts = [self.build(arg) for arg in node.args]
        kind = self.types[id(node)].kind if id(node) in self.types else Kind.BOOL
        match node.op:
            case "constant":
                return Literal(node.value, kind or Kind.TEXT)
            case "name":
                return Column(str(node.value), kind)
            case "call":
                if node.value in ("least", "greatest"):
                    self._ordered(node, kind)
                return Call(str(node.value), tuple(parts), kind or Kind.TEXT)
            case "and":
                return And(tuple(p for part in parts for p in (part.of if isinstance(part, And) else (part,))))
            case "or":
                return Or(tuple(p for part in parts for p in (part.of if isinstance(part, Or) else (part,))))
            case "not":
                return Not(parts[0])
            case "is":
                return Is(parts[0], node.value is True)
            case "is null":
                return IsNull(parts[0])
            case "like":
                return Like(parts[0], str(node.value))
            case "in":
                return In(parts[0], tuple(parts[1:]))
            case "between":
                self._ordered(node, parts[0].kind)
                return Between(*parts)
            case "compare":
                if node.value not in ("=", "<>"):
                    self._ordered(node, parts[0].kind)
                return Compare(str(node.value), *parts)
            case _:
                return Case(tuple(zip(parts[:-1:2], parts[1:-1:2])), parts[-1], kind or Kind.TEXT)

    def _ordered(self, node: Syntax, kind: Kind | None) -> None:
        if kind is Kind.BOOL:
            self.report(node, f"`{self.source(node)}` puts bools in order", "use =, AND, OR or NOT")
