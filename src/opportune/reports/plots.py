"""The plots of reports: a figure over periods with its interval as a band, and parts of one below each other. Pure.

Labels stand at what they name; there is no legend to look up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor, isfinite, log10

import msgspec

from opportune.figures.answer import Between
from opportune.figures.ranges import reach
from opportune.reports.drawing import Area, Dot, Drawing, Line, Shape, Words

WIDTH = 360.0
"""Units of a plot: one is a pixel on a phone."""

LEFT, RIGHT, TOP, BOTTOM = 44.0, 66.0, 16.0, 22.0
HEIGHT = 150.0
ROW = 24.0
LONGEST = 19
"""Characters of a label beside a row."""

Say = Callable[[float], str]
"""How a value is written."""


class Point(msgspec.Struct, frozen=True):
    """A value with its interval, by the label that stands at it; None where it is not known."""

    label: str
    value: float | None
    interval: Between | None = None


def trend(points: Sequence[Point], say: Say, low: float | None = None, high: float | None = None) -> Drawing:
    """Return values over periods, oldest first: the line, its interval as a band, and the range between two bounds."""
    shown = [bound for bound in (low, high) if bound is not None]
    scale = _Scale([end for point in points for end in _ends(point)] + shown, HEIGHT - BOTTOM, TOP)
    step = (WIDTH - LEFT - RIGHT) / max(len(points) - 1, 1)
    xs = [LEFT + step * i for i in range(len(points))]
    shapes = _grid(scale, say)
    for bound in shown:
        y = scale(bound)
        shapes.append(Line(((LEFT, y), (WIDTH - RIGHT, y)), "second", 1.2, dashed=True))
        shapes.append(Words(WIDTH - RIGHT + 8, y + 4, f"{'≥' if bound == low else '≤'} {say(bound)}", "second", 10.0))
    for run in _runs(points):
        upper = [(xs[i], scale(_reach(points[i])[1])) for i in run]
        lower = [(xs[i], scale(_reach(points[i])[0])) for i in run]
        if len(run) == 1:  # a band needs two points
            shapes.append(Line((upper[0], lower[0]), "first", 2.0))
        else:
            shapes.append(Area((*upper, *reversed(lower)), "first"))
            shapes.append(Line(tuple((xs[i], scale(points[i].value or 0.0)) for i in run), "first", 2.0))
        shapes += [Dot(xs[i], scale(points[i].value or 0.0), 3.0, "first") for i in run]
    for i, point in enumerate(points):
        shapes.append(Words(xs[i], HEIGHT - 6, point.label, "quiet", 10.0, "middle"))
    if points and points[-1].value is not None:
        last = scale(points[-1].value)
        clear = all(abs(scale(bound) - last) > 10 for bound in shown)
        shapes.append(Words(WIDTH - RIGHT + 8, last + 4 if clear else last - 8, say(points[-1].value), "first", 12.0,
                            bold=True))  # fmt: skip
    return Drawing(WIDTH, HEIGHT, tuple(shapes))


def forest(points: Sequence[Point], say: Say, at: float | None = None) -> Drawing:
    """Return values below each other, each with its interval as a line; `at` is a value to compare them with."""
    height = TOP + ROW * len(points) + BOTTOM
    left, right = 128.0, WIDTH - 62.0
    ends = [end for point in points for end in _ends(point)] + ([] if at is None else [at])
    scale = _Scale(ends, left, right)
    shapes: list[Shape] = []
    for tick in scale.ticks:
        x = scale(tick)
        shapes.append(Line(((x, TOP - 4), (x, height - BOTTOM)), "grid"))
        shapes.append(Words(x, height - 7, say(tick), "quiet", 10.0, "middle"))
    if at is not None:
        x = scale(at)
        shapes.append(Line(((x, TOP - 4), (x, height - BOTTOM)), "quiet", 1.2, dashed=True))
    for i, point in enumerate(points):
        y = TOP + ROW * (i + 0.5)
        shapes.append(Words(left - 10, y + 4, short(point.label), "ink", 11.0, "end"))
        if point.value is None:
            shapes.append(Words(left, y + 4, "not known", "quiet", 10.0))
            continue
        low, high = _reach(point)
        shapes.append(Line(((scale(low), y), (scale(high), y)), "first", 3.0))
        shapes.append(Dot(scale(point.value), y, 4.5, "first"))
        shapes.append(Words(right + 8, y + 4, say(point.value), "first", 11.0, bold=True))
    return Drawing(WIDTH, height, tuple(shapes))


def short(text: str) -> str:
    """Return a label that fits beside a row.

    >>> short("a campaign with a very long name")
    'a campaign with a …'
    """
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


class _Scale:
    """From values to places, over round numbers."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        known = [value for value in values if isfinite(value)] or [0.0, 1.0]
        low, high = min(known), max(known)
        if low == high:
            low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
        self.ticks = _ticks(low, high)
        self._low, self._high = min(low, self.ticks[0]), max(high, self.ticks[-1])
        self._begin, self._end = begin, end

    def __call__(self, value: float) -> float:
        held = min(max(value, self._low), self._high)
        return self._begin + (self._end - self._begin) * (held - self._low) / (self._high - self._low)


def _ticks(low: float, high: float, about: int = 3) -> list[float]:
    """Return some round numbers from below the low end to the high end.

    >>> _ticks(0.9, 1.9), _ticks(-0.02, 0.11)
    ([0.5, 1.0, 1.5, 2.0], [-0.05, 0.0, 0.05, 0.1])
    """
    rough = (high - low) / about
    unit = 10.0 ** floor(log10(rough))
    step = next(unit * round_ for round_ in (1, 2, 2.5, 5, 10) if unit * round_ >= rough * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 0.2)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]


def _grid(scale: _Scale, say: Say) -> list[Shape]:
    shapes: list[Shape] = []
    for tick in scale.ticks:
        y = scale(tick)
        shapes.append(Line(((LEFT, y), (WIDTH - RIGHT, y)), "grid"))
        shapes.append(Words(LEFT - 6, y + 4, say(tick), "quiet", 10.0, "end"))
    return shapes


def _runs(points: Sequence[Point]) -> list[list[int]]:
    """Return the positions of values that are known, apart where one is not."""
    runs: list[list[int]] = [[]]
    for i, point in enumerate(points):
        if point.value is None:
            runs.append([])
        else:
            runs[-1].append(i)
    return [run for run in runs if run]


def _reach(point: Point) -> tuple[float, float]:
    found = reach(point.value, point.interval)
    assert found is not None
    return found


def _ends(point: Point) -> tuple[float, ...]:
    return () if point.value is None else (*_reach(point), point.value)
