"""From text to a syntax tree with positions: a precedence climber that goes on after a mistake.

    or < and < not < (= <> < <= > >= IN BETWEEN LIKE IS) < || < + - < * / % < sign

The predicates of the middle do not chain: `a = b = c` asks for parentheses, since SQL engines read it differently.
Why no general SQL parser: it stops at the first mistake, keeps no position for most nodes, and reads everything that
SQL knows, some of it in exponential time; here the language is exactly what all our engines agree on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from opportune.clock import parse_instant
from opportune.errors import BadInput, Problem
from opportune.rules.layout import Kind, Value
from opportune.rules.tree import KEYWORDS

MAX_TEXT = 65_536
MAX_DEPTH = 200

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
      | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<text>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")+")
      | (?P<name>[^\W\d][\w$]*)
      | (?P<symbol><>|!=|<=|>=|==|\|\||::|//|[-+*/%(),.<>=])""",
    re.VERBOSE | re.DOTALL,
)
_POWER = {"OR": 1, "AND": 2, "||": 5, "+": 6, "-": 6, "*": 7, "/": 7, "%": 7}
_NOT, _PREDICATE, _SIGN = 3, 4, 8
_OPENING = frozenset(["TRUE", "FALSE", "NULL", "TIMESTAMP", "DATE", "NOT", "-", "+", "(", "CASE"])
_COMPARE = {"=": "=", "==": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_REFUSED = {
    "SELECT": ("subqueries are not allowed", "a condition is one expression over declared names"),
    "EXISTS": ("subqueries are not allowed", "a condition is one expression over declared names"),
    "CAST": ("casts are not allowed", "compare values of the same type"),
    "TRY_CAST": ("casts are not allowed", "compare values of the same type"),
    "::": ("casts are not allowed", "compare values of the same type"),
    "OVER": ("window functions are not allowed", "declare a feature that counts in a window"),
    "INTERVAL": ("intervals are not allowed", "use days_between(start, end)"),
    "EXTRACT": ("EXTRACT is not allowed", "use hour, day, dayofweek, month or year"),
    "ILIKE": ("ILIKE is not allowed", "use lower(name) LIKE '...'"),
    "ESCAPE": ("ESCAPE is not allowed", "use starts_with, ends_with or contains"),
    "DISTINCT": ("IS DISTINCT FROM is not allowed", "use = and IS NULL"),
    "//": ("// is not allowed", "use floor(a / b)"),
}


@dataclass(slots=True)
class Syntax:
    """A node as written. `op` says which; `value` is a constant, an operator or the name of a function or column."""

    op: str
    args: list[Syntax]
    start: int
    end: int
    value: Value = None
    kind: Kind | None = None
    depth: int = field(init=False)

    def __post_init__(self) -> None:
        self.depth = 1 + max((arg.depth for arg in self.args), default=0)


@dataclass(frozen=True, slots=True)
class _Token:
    type: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The token as a keyword or symbol; empty for constants and quoted names."""
        return self.text.upper() if self.type in ("name", "symbol") else ""


class _Mistake(Exception):
    def __init__(self, what: str, cure: str, start: int) -> None:
        self.what, self.cure, self.start = what, cure, start


def place(text: str, start: int) -> tuple[int, int]:
    """Return the line and column of an offset, both from 1."""
    return text.count("\n", 0, start) + 1, start - (text.rfind("\n", 0, start) + 1) + 1


def read(text: str) -> tuple[Syntax, list[Problem]]:
    """Return the syntax tree of a condition and every mistake in its form.

    Where something could not be read the tree has a node `bad`. A text is at most 65,536 characters long and 200 levels
    deep; `AND` and `OR` chains count as one level however long they are.
    """
    reader = _Reader(text)
    return reader.whole(), reader.problems


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.problems: list[Problem] = []
        self.tokens = list(self._tokens())
        self.at = 0
        self.level = 0

    def whole(self) -> Syntax:
        if len(self.tokens) == 1 and not self.problems:
            self._report("the condition is empty", "write a comparison, such as tenure_months >= 6", 0)
            return self._bad(0)
        tree = self._expression(0)
        if self.token.type != "end" and tree.op != "bad":
            self._report(*self._surprise("an operator or the end"), self.token.start)
        return tree

    def _expression(self, power: int) -> Syntax:
        """Read everything that binds tighter than `power`; at the level of AND and OR, go on after a mistake."""
        start = self.token.start
        self.level += 1
        try:
            if self.level > MAX_DEPTH:
                raise self._deep(start)
            return self._climb(self._prefix(), power)
        except _Mistake as mistake:
            if power > _POWER["AND"]:
                raise
            self._report(mistake.what, mistake.cure, mistake.start)
            self._skip()
            bad = self._bad(start)
            return self._climb(bad, power) if self.token.word in ("AND", "OR") else bad
        finally:
            self.level -= 1

    def _climb(self, left: Syntax, power: int) -> Syntax:
        predicate = False
        while True:
            word = self.token.word
            if word in _REFUSED:
                raise self._refused()
            own = _POWER.get(word) or (_PREDICATE if self._predicate_next() else 0)
            if own <= power:
                return left
            if own == _PREDICATE:
                if predicate:
                    raise _Mistake(f"comparisons cannot follow each other at `{self.token.text}`",
                                   "put parentheses around one of them", self.token.start)
                predicate, left = True, self._predicate(left)
            elif own <= _POWER["AND"]:
                parts = [left]
                while self._take(word):
                    parts.append(self._expression(own))
                left = self._node(word.lower(), parts)
            else:
                self.at += 1
                left = self._node("call", [left, self._expression(own)], word)

    def _predicate_next(self) -> bool:
        word, then = self.token.word, self.tokens[min(self.at + 1, len(self.tokens) - 1)].word
        return word in _COMPARE or word in ("IN", "BETWEEN", "LIKE", "IS") or (
            word == "NOT" and then in ("IN", "BETWEEN", "LIKE", "ILIKE"))

    def _predicate(self, left: Syntax) -> Syntax:
        if self.token.word in _COMPARE:
            op = _COMPARE[self._next().word]
            return self._node("compare", [left, self._expression(_PREDICATE)], op)
        negated = self._take("NOT")
        if self._take("IS"):
            negated = self._take("NOT")
            node = self._is(left)
        elif self._take("IN"):
            self._expect("(")
            if self.token.word == "SELECT":
                raise self._refused()
            node = self._node("in", [left, *self._list()])
        elif self._take("BETWEEN"):
            low = self._expression(_PREDICATE)
            self._expect("AND")
            node = self._node("between", [left, low, self._expression(_PREDICATE)])
        elif self._take("LIKE"):
            if self.token.type != "text":
                raise _Mistake("LIKE needs a text constant as its pattern", "write LIKE 'abc%', or use contains(a, b)",
                               self.token.start)
            node = self._node("like", [left], self._text(self._next()))
        else:
            raise self._refused() if self.token.word in _REFUSED else self._unexpected("IN, BETWEEN or LIKE")
        return self._node("not", [node]) if negated else node

    def _is(self, left: Syntax) -> Syntax:
        word = self.token.word
        if word in ("NULL", "TRUE", "FALSE"):
            self.at += 1
            return self._node("is null", [left]) if word == "NULL" else self._node("is", [left], word == "TRUE")
        raise self._refused() if word in _REFUSED else self._unexpected("NULL, TRUE or FALSE")

    def _prefix(self) -> Syntax:
        word = self.token.word
        if word in _REFUSED:
            raise self._refused()
        if self.token.type == "quoted" or (self.token.type == "name" and word not in _OPENING and word not in KEYWORDS):
            return self._name()
        if self.token.type in ("name", "symbol", "end") and word not in _OPENING:
            raise self._unexpected("a value")
        token = self._next()
        if token.type == "number":
            return self._leaf("constant", token, self._number(token), Kind.NUMBER)
        if token.type == "text":
            return self._leaf("constant", token, self._text(token), Kind.TEXT)
        if word in ("TRUE", "FALSE"):
            return self._leaf("constant", token, word == "TRUE", Kind.BOOL)
        if word == "NULL":
            return self._leaf("constant", token, None, None)
        if word in ("TIMESTAMP", "DATE"):
            if self.token.type == "text":
                return self._time(token)
            self.at -= 1
            return self._name()
        if word == "NOT":
            return self._node("not", [self._expression(_NOT - 1)], start=token.start)
        if word in ("-", "+"):
            return self._sign(token)
        if word == "(":
            inside = self._expression(0)
            self._expect(")")
            return inside
        return self._case(token)

    def _name(self) -> Syntax:
        first = self._next()
        if first.type == "name" and self._take("("):
            args = [] if self._take(")") else self._list()
            return self._node("call", args, first.text.lower(), start=first.start)
        parts = [_bare(first)]
        while self._take("."):
            if self.token.type not in ("name", "quoted"):
                raise self._unexpected("a name")
            parts.append(_bare(self._next()))
        return self._node("name", [], ".".join(parts), start=first.start)

    def _list(self) -> list[Syntax]:
        items = [self._expression(0)]
        while self._take(","):
            items.append(self._expression(0))
        self._expect(")")
        return items

    def _sign(self, token: _Token) -> Syntax:
        of = self._expression(_SIGN - 1)
        if token.text == "+":
            return of
        if of.op == "constant" and isinstance(of.value, float):
            of.value, of.start = -of.value + 0.0, token.start
            return of
        return self._node("call", [of], "-", start=token.start)

    def _case(self, token: _Token) -> Syntax:
        operand = None if self.token.word == "WHEN" else self._expression(0)
        if operand is not None and operand.op not in ("name", "constant", "bad"):
            raise _Mistake("CASE can only look at a name", "write CASE WHEN ... THEN ... END", operand.start)
        args: list[Syntax] = []
        while self._take("WHEN"):
            when = self._expression(0)
            self._expect("THEN")
            args += [when if operand is None else self._node("compare", [operand, when], "="), self._expression(0)]
        if not args:
            raise self._unexpected("WHEN")
        end = self.token
        args.append(self._expression(0) if self._take("ELSE") else Syntax("constant", [], end.start, end.start))
        self._expect("END")
        return self._node("case", args, start=token.start)

    def _time(self, token: _Token) -> Syntax:
        constant = self._next()
        text = self._text(constant)
        try:
            if token.word == "DATE":
                date.fromisoformat(text)
            return self._leaf("constant", token, parse_instant(text), Kind.TIME)
        except (BadInput, ValueError):
            form = "2026-01-31" if token.word == "DATE" else "2026-01-31 12:00:00"
            self._report(f"'{text}' is not a {token.word.lower()}", f"write {token.word} '{form}'", constant.start)
            return self._bad(token.start)

    def _number(self, token: _Token) -> float:
        value = float(token.text)
        if value == float("inf"):
            self._report(f"{token.text} is too large for a number", "stay below 1.8e308", token.start)
            return 0.0
        return value

    def _text(self, token: _Token) -> str:
        value = token.text[1:-1].replace("''", "'")
        if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
            self._report("a text holds a character that is not text", "remove NUL and lone surrogates", token.start)
        return value

    # the tokens

    def _tokens(self) -> Iterator[_Token]:
        at = 0
        while at < len(self.text):
            found = _TOKEN.match(self.text, at)
            if found is None:
                quote = self.text[at] in "'\""
                if quote:
                    self._report(f"the quote {self.text[at]} is never closed", "close it with another one", at)
                end = len(self.text) if quote else at + 1
                yield _Token("text" if quote else "symbol", self.text[at:end] + "'" * quote, at, end)
                at = end
                continue
            at = found.end()
            if found.lastgroup and found.lastgroup != "space":
                yield _Token(found.lastgroup, found[0], found.start(), at)
        yield _Token("end", "", len(self.text.rstrip()), len(self.text))

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def _next(self) -> _Token:
        token = self.tokens[self.at]
        self.at += token.type != "end"
        return token

    def _take(self, word: str) -> bool:
        if self.token.word == word:
            self.at += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise self._refused() if self.token.word in _REFUSED else self._unexpected(f"`{word}`")

    def _skip(self) -> None:
        """Go on to where the next part of the condition may begin."""
        inside = 0
        while self.token.type != "end":
            word = self.token.word
            if not inside and word in ("AND", "OR", ")", ",", "WHEN", "THEN", "ELSE", "END"):
                return
            inside += (word == "(") - (word == ")")
            self.at += 1

    # nodes and mistakes

    def _node(self, op: str, args: list[Syntax], value: Value = None, start: int | None = None) -> Syntax:
        start = args[0].start if start is None else start
        node = Syntax(op, args, start, self.tokens[self.at - 1].end, value)
        if node.depth > MAX_DEPTH:
            raise self._deep(start)
        return node

    def _leaf(self, op: str, token: _Token, value: Value, kind: Kind | None) -> Syntax:
        return Syntax(op, [], token.start, self.tokens[self.at - 1].end, value, kind)

    def _bad(self, start: int) -> Syntax:
        return Syntax("bad", [], start, self.token.start)

    def _report(self, what: str, cure: str, start: int) -> None:
        line, column = place(self.text, start)
        self.problems.append(Problem(what, cure, line, column))

    def _deep(self, start: int) -> _Mistake:
        return _Mistake(f"the condition is nested more than {MAX_DEPTH} levels deep",
                        "split it, or join its parts with AND and OR", start)

    def _refused(self) -> _Mistake:
        return _Mistake(*_REFUSED[self.token.word], self.token.start)

    def _unexpected(self, needed: str) -> _Mistake:
        return _Mistake(*self._surprise(needed), self.token.start)

    def _surprise(self, needed: str) -> tuple[str, str]:
        found = f"`{self.token.text}`" if self.token.text else "the end"
        return f"unexpected {found}", f"{needed} belongs here"


def _bare(token: _Token) -> str:
    return token.text[1:-1].replace('""', '"') if token.type == "quoted" else token.text
