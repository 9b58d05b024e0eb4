"""The tools that people work with, as the catalog has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["", "keep", "drop"]
"""What became of a trial; "" while nobody has decided."""


@dataclass(frozen=True, slots=True)
class ToolTrial:
    """A tool on trial: what is asked of it, and until when somebody decides.

    It is answered by an `experiment` of the lab, or else by a `metric` before and after, which is weak evidence; one of
    the two is "". `decided` says what came of it, `because` why.
    """

    question: str
    decide_by: int
    experiment: str = ""
    metric: str = ""
    decided: Verdict = ""
    because: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: what it is for, who answers for it, what it costs, and what was licensed.

    Costs are in the hub's currency: `month` and `year` whatever is used, `per_seat` for each seat and month; they add
    up. The contract runs in [starts, ends); it is to be ended `notice` before that. `does` names what it can do, so
    that tools that do the same are found; `features` are its parts, of which use is told.
    """

    name: str
    category: str
    owner: str = ""
    month: float | None = None
    year: float | None = None
    per_seat: float | None = None
    starts: int | None = None
    ends: int | None = None
    notice: int | None = None
    seats: int | None = None
    features: tuple[str, ...] = ()
    does: tuple[str, ...] = ()
    trial: ToolTrial | None = None

    @property
    def monthly(self) -> float | None:
        """What a month costs; None where no cost is known.

        >>> Tool("mailer", "email", month=100, year=1200, per_seat=5, seats=10).monthly
        250.0
        """
        if self.month is None and self.year is None and self.per_seat is None:
            return None
        return (self.month or 0.0) + (self.year or 0.0) / 12 + (self.per_seat or 0.0) * (self.seats or 0)

    @property
    def notice_at(self) -> int | None:
        """The last instant to end the contract, so that it does not go on; None where it has no end or no notice."""
        return None if self.ends is None or self.notice is None else self.ends - self.notice

    def runs(self, at: int) -> bool:
        """Whether the contract runs at an instant; without dates it does."""
        return (self.starts is None or self.starts <= at) and (self.ends is None or at < self.ends)
