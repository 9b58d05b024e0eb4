"""The plan of a test, as `opportune lab power` tells it."""

from __future__ import annotations

from typing import Any, cast

from opportune.catalog.fields import nearest
from opportune.errors import BadInput
from opportune.measure.effect import NotEnoughData
from opportune.measure.power import Design, needed, power, smallest

KINDS, INFERENCES = ("proportion", "mean", "ratio", "count"), ("sequential", "fixed", "open")


def planned(
    *,
    value: float,
    effect: float | None = None,
    customers: float | None = None,
    kind: str = "proportion",
    variance: float | None = None,
    shares: str = "0.5,0.5",
    inference: str = "sequential",
    alpha: float = 0.05,
    chance: float = 0.8,
    per_day: float | None = None,
) -> dict[str, Any]:
    """Return `needed` (customers of all arms to find the effect with the chance), `power` (the chance with those that
    there are), `smallest` (the relative effect that those find with the chance), `days`, and `sentences`.

    What was not asked for is None; an effect, customers or both are asked. Raises `BadInput` for anything else.
    """
    for what, word, known in (("kind", kind, KINDS), ("inference", inference, INFERENCES)):
        if word not in known:
            raise BadInput(f"unknown {what} {word!r}; {nearest(word, known)}")
    if effect is None and customers is None:
        raise BadInput("nothing is asked: give --effect for how many customers it takes, or --customers for what they "
                       "find")  # fmt: skip
    for what, number in (("customers", customers), ("customers a day", per_day)):
        if number is not None and not 0 < number < 1e15:
            raise BadInput(f"{number:g} {what}; a number above 0 is needed, and not beyond all people")
    try:
        parts = tuple(float(part) for part in shares.split(","))
    except ValueError:
        raise BadInput(f"shares {shares!r}; give numbers, control first, such as 0.5,0.5") from None
    design = Design(cast(Any, kind), value, variance, parts, alpha, cast(Any, inference))
    told: dict[str, Any] = dict.fromkeys(("needed", "power", "smallest", "days"))
    sentences = []
    if effect is not None:
        found = needed(design, effect, chance)
        if isinstance(found, NotEnoughData):
            sentences.append(found.reason)
        else:
            told["needed"] = found
            sentences.append(f"{found:,} customers of all arms find {effect:+.1%} with a chance of {chance:.0%}.")
            if per_day is not None:
                told["days"] = found / per_day
                sentences.append(f"At {per_day:,.0f} customers a day that takes {found / per_day:,.0f} days.")
    if customers is not None:
        least = smallest(design, customers, chance)
        if isinstance(least, NotEnoughData):
            sentences.append(least.reason)
        else:
            told["smallest"] = least
            sentences.append(f"{customers:,.0f} customers find {least:+.1%} with a chance of {chance:.0%}.")
        if effect is not None:
            told["power"] = power(design, effect, customers)
            sentences.append(f"They find {effect:+.1%} with a chance of {told['power']:.0%}.")
    return {**told, "sentences": sentences}
