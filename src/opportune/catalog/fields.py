"""Reading the fields of a YAML mapping: typed, every mistake collected, unknown keys refused with the nearest one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from zoneinfo import ZoneInfo

from opportune.catalog.node import Node, Spot
from opportune.clock import parse_instant, parse_span
from opportune.errors import BadCondition, BadInput, Problem
from opportune.rules import Expression, Kind, parse

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
MAX_NAME = 100


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the cure for an unknown word: the nearest known one, or the list of them.

    >>> nearest("retian", ["retain", "grow"])
    'did you mean `retain`?'
    """
    words = sorted(set(known))
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    if not words:
        return "none is declared"
    more = f" and {len(words) - 12} more" if len(words) > 12 else ""
    return f"known: {', '.join(words[:12])}{more}"


class Report:
    """The problems found so far."""

    def __init__(self, problems: list[Problem] | None = None) -> None:
        self.problems: list[Problem] = [] if problems is None else problems

    def error(self, spot: Spot, what: str, cure: str = "") -> None:
        self.problems.append(Problem(what, cure, spot.line, spot.column, spot.file))

    def warn(self, spot: Spot, what: str, cure: str = "") -> None:
        self.problems.append(Problem(what, cure, spot.line, spot.column, spot.file, warning=True))

    @property
    def failed(self) -> bool:
        return any(not p.warning for p in self.problems)


class Conditions:
    """Parses conditions against the declared names; equal texts are parsed once."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.names: dict[str, Kind] = {}
        self._known: dict[tuple[str, Kind, bool], Expression] = {}

    def beside(self, report: Report) -> Conditions:
        """Return the same for another report: what was parsed is known to both."""
        other = Conditions(report)
        other.names, other._known = self.names, self._known
        return other

    def read(self, node: Node, want: Kind = Kind.BOOL, anything: bool = False) -> Expression | None:
        """Return the expression of a scalar, None after a mistake. `anything`: names need not be declared."""
        if isinstance(node.value, dict | list) or not node.text.strip():
            self.report.error(node.spot, "a condition must be SQL text", "write it on one line, or leave the key out")
            return None
        text = node.text.rstrip()
        key = (text, want, anything)
        if key not in self._known:
            try:
                self._known[key] = parse(text, None if anything else self.names, want)
            except BadCondition as wrong:
                for p in wrong.problems:
                    self.report.error(node.inside(p.line, p.column), p.what, p.cure)
                return None
        return self._known[key]


class Fields:
    """The keys of one mapping, read one by one; `close` then refuses the keys that nothing asked for.

    Each reader returns a usable placeholder after a mistake, so that one pass finds all of them.
    """

    def __init__(self, node: Node, report: Report, what: str) -> None:
        self.node, self.report, self.what = node, report, what
        self.asked: list[str] = []
        self.values: dict[str, Node] = {}
        if isinstance(node.value, dict):
            self.values = node.value
        else:
            report.error(node.spot, f"{what} must be a mapping", "write `key: value` pairs")

    def find(self, key: str, required: bool = False) -> Node | None:
        """Return the node of a key; None if it is absent or null."""
        self.asked.append(key)
        node = self.values.get(key)
        if node is None or node.value is None:
            if required and isinstance(self.node.value, dict):
                self.report.error(node.spot if node else self.node.spot, f"{self.what} has no `{key}`", f"add `{key}:`")
            return None
        return node

    def wrong(self, node: Node, key: str, must: str) -> None:
        shown = f" is `{node.text}`;" if node.text else ""
        self.report.error(node.spot, f"`{key}` of {self.what}{shown} must be {must}".replace("; must", ", must"))

    def text(self, key: str, default: str = "", required: bool = False) -> str:
        node = self.find(key, required)
        if node is None:
            return default
        if isinstance(node.value, dict | list):
            self.wrong(node, key, "text")
            return default
        return node.text.strip()

    def choice(self, key: str, known: Sequence[str], default: str = "", required: bool = False) -> str:
        """Return one of the known words; after a mistake the nearest of them, or the default."""
        node = self.find(key, required)
        if node is None:
            return default
        if node.text not in known:
            self.report.error(node.spot, f"unknown {key} `{node.text}` in {self.what}", nearest(node.text, known))
            return next(iter(difflib.get_close_matches(node.text, known, n=1)), default)
        return node.text

    def flag(self, key: str, default: bool = False) -> bool:
        node = self.find(key)
        if node is None:
            return default
        if not isinstance(node.value, bool):
            self.wrong(node, key, "true or false")
            return default
        return node.value

    def number(self, key: str, default: float, low: float = -1e15, high: float = 1e15, required: bool = False) -> float:
        node = self.find(key, required)
        return default if node is None else self.number_of(node, key, default, low, high)

    def number_of(self, node: Node, key: str, default: float, low: float, high: float) -> float:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self.wrong(node, key, "a number")
            return default
        if not low <= node.value <= high:
            bounds = f"from {low:g} to {high:g}" if high < 1e15 else f"{low:g} or more" if low > -1e15 else "smaller"
            self.wrong(node, key, bounds)
            return default
        return float(node.value) + 0.0

    def whole(self, key: str, default: int, low: int = 0, required: bool = False) -> int:
        node = self.find(key, required)
        if node is None:
            return default
        if isinstance(node.value, bool) or not isinstance(node.value, int) or not low <= node.value <= 10**9:
            self.wrong(node, key, f"a whole number, {low} or more")
            return default
        return node.value

    def span(self, key: str, default: int | None = None, required: bool = False) -> int | None:
        node = self.find(key, required)
        if node is None:
            return default
        try:
            return parse_span(node.text)
        except BadInput:
            self.wrong(node, key, "a span such as 15m, 1h, 7d or 2w")
            return default

    def instant(self, key: str, zone: ZoneInfo) -> int | None:
        """Return an instant; a date, or a time without an offset, is of the hub's time zone."""
        node = self.find(key)
        if node is None:
            return None
        try:
            return parse_instant(node.text, zone)
        except BadInput:
            self.wrong(node, key, "a date or time, such as 2026-01-31 or 2026-01-31T12:00:00Z")
            return None

    def condition(self, key: str, conditions: Conditions, required: bool = False) -> Expression | None:
        node = self.find(key, required)
        return None if node is None else conditions.read(node)

    def amount(self, key: str, default: float, conditions: Conditions) -> float | Expression:
        """Return a number that is not negative, or an expression that gives one."""
        node = self.find(key)
        if node is None:
            return default
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return self.number_of(node, key, default, 0.0, 1e15)
        expression = conditions.read(node, Kind.NUMBER)
        return default if expression is None else expression

    def items(self, key: str, required: bool = False) -> list[Node]:
        """Return the nodes of a list; a single scalar counts as a list of one."""
        node = self.find(key, required)
        if node is None:
            return []
        if isinstance(node.value, dict):
            self.wrong(node, key, "a list")
            return []
        return node.value if isinstance(node.value, list) else [node]

    def words(self, key: str, default: Sequence[str] = ()) -> tuple[str, ...]:
        """Return a list of texts; the default if the key is absent."""
        if key not in self.values or self.values[key].value is None:
            self.asked.append(key)
            return tuple(default)
        words: list[str] = []
        for node in self.items(key):
            if isinstance(node.value, dict | list) or not node.text:
                self.wrong(node, key, "a list of words")
            elif node.text in words:
                self.report.error(node.spot, f"`{node.text}` twice in `{key}` of {self.what}", "keep one of them")
            else:
                words.append(node.text)
        return tuple(words)

    def pairs(self, key: str) -> Iterator[tuple[str, Spot, Node]]:
        """Yield (key, its spot, value) of a mapping."""
        node = self.find(key)
        if node is None:
            return
        if not isinstance(node.value, dict):
            self.wrong(node, key, "a mapping")
            return
        for inner, value in node.value.items():
            yield inner, node.keys[inner], value

    def spot(self, key: str) -> Spot:
        """Return where a key's value stands; the mapping itself if it is absent."""
        node = self.values.get(key)
        return self.node.spot if node is None else node.spot

    def close(self) -> None:
        """Refuse the keys that nothing asked for."""
        for key in self.values:
            if key not in self.asked:
                self.report.error(self.node.keys[key], f"unknown key `{key}` in {self.what}", nearest(key, self.asked))
