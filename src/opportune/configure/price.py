"""What a choice costs, exactly: sums of the amounts as written, rounded once."""

from __future__ import annotations

from fractions import Fraction

from opportune.configure.circuit import Truth
from opportune.configure.model import Choice, Line, Model
from opportune.wire.configured import PriceLine

MILLION = 1_000_000


def priced(model: Model, choice: Choice, least: int) -> tuple[float, list[PriceLine]]:
    """Return what is decided of the price of a choice, and its lines that are not 0, which add up to it.

    `least` is the smallest amount of the currency, in millionths. The sum is rounded, half up, and never below 0; a
    line is what the rounded sum rises by with it. Lines of which not everything is known yet are left out.
    """
    truths = model.truths(choice)
    total, before, lines = Fraction(0), Fraction(0), list[PriceLine]()
    for line in model.lines:
        if _is_open(line, truths, choice):
            continue
        total += line.amount.value(truths)
        after = _round(max(total, Fraction(0)), least)
        if after != before:
            lines.append(PriceLine(line.name, line.title or model.product.title or model.product.name,
                                   float(after - before)))  # fmt: skip
        before = after
    return float(before), lines


def rounded(amount: Fraction, least: int) -> float:
    """Return an amount in money: rounded half up to the smallest amount of the currency, in millionths.

    >>> rounded(Fraction("1.005"), 10_000)
    1.01
    """
    return float(_round(amount, least))


def _round(amount: Fraction, least: int) -> Fraction:
    unit = Fraction(least, MILLION)
    return (amount / unit + Fraction(1, 2)).__floor__() * unit


def _is_open(line: Line, truths: list[Truth], choice: Choice) -> bool:
    if truths[line.when] is None:
        return True
    return truths[line.when] is not False and not line.amount.known(truths)
