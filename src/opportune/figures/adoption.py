"""How much of what is licensed is used, and how much of what customers get is decided by the hub."""

from __future__ import annotations

from collections import defaultdict

from opportune.figures.answer import Beside
from opportune.figures.reading import Reading, Rows, beside, between, ratio_of_sums
from opportune.measure.effect import Interval
from opportune.measure.summary import rate

MEANING = "of the contacts that we know of, the part that was decided by the hub"


def read(rows: Rows, by: str | None) -> Reading:
    """Return the adoption of one key: people who used a feature over the seats for it, with weeks as the units.

    A tool counts from the week on in which its use was first told.
    """
    used = [row for row in rows if row["part"] == "use"]
    told = [_decided(row) for row in rows if row["part"] == "contacts" and by is None]
    weeks: dict[object, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in used:
        weeks[row["week"]][0] += row["active"]
        weeks[row["week"]][1] += row["possible"]
    if not weeks:
        return Reading.none(
            "no tool with seats has had a whole week since its use was first told: declare `tools` with `seats`, and "
            "tell who used them with `opportune tools use`", beside=told,
        )  # fmt: skip
    active, seats = ([week[side] for week in weeks.values()] for side in (0, 1))
    value, interval = ratio_of_sums(active, seats, 0.0, 1.0)
    more = {"weeks": len(weeks), "weight": sum(seats), "idle_seats": (sum(seats) - sum(active)) / len(weeks)}
    return Reading(value, between(interval), round(sum(seats)), None, tuple(told), more)


def _decided(row: dict[str, float]) -> Beside:
    name, hub, known = "decided by the hub", round(row["active"]), round(row["possible"])
    if hub == known:
        told = "no other sender reports its contacts: send `Email Sent` and the like, and this is known"
        return Beside(name, None, None, f"{MEANING}; {told}")
    found = rate(hub, known)
    return beside(name, found.rate, Interval(found.low, found.high), MEANING)
