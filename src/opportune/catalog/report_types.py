"""Targets of figures, and the reports that people get, as the catalog has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

FIGURES = ("roi", "velocity", "adoption", "quality", "conversion", "budget")
"""The figures that a target may be set for, in the order in which they are shown."""

DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "roi": ("campaign", "channel", "month"),
    "velocity": ("stage", "owner", "channel", "hypothesis"),
    "adoption": ("tool", "category", "feature", "owner", "week"),
    "quality": ("kind", "source", "event", "field", "day"),
    "conversion": ("source", "referral", "month"),
    "budget": ("campaign", "owner", "line", "channel"),
}
"""What each figure can be told by, as the headers of its SQL file say."""

PARTS = ("figures", *FIGURES, "campaigns", "lab", "attribution", "care", "sending")
"""What a report may consist of."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Format = Literal["html", "pdf"]


@dataclass(frozen=True, slots=True)
class Target:
    """The range that a figure is to be in, both ends included, and who answers for it.

    `by` is the (dimension, value) that it is about, None for the whole. `review` is the instant from which on somebody
    should ask whether the target is still right; `reason` says why it is what it is.
    """

    figure: str
    at_least: float | None
    at_most: float | None
    owner: str
    reason: str
    by: tuple[str, str] | None = None
    review: int | None = None

    @property
    def key(self) -> str:
        """What it is about, such as `roi` or `roi by campaign=spring`: one target each."""
        return self.figure if self.by is None else f"{self.figure} by {self.by[0]}={self.by[1]}"

    @property
    def range(self) -> str:
        """The range in words.

        >>> Target("roi", 1.0, None, "ana", "costs").range, Target("roi", 0.5, 2.0, "ana", "costs").range
        ('at least 1', 'between 0.5 and 2')
        """
        if self.at_least is None:
            return f"at most {self.at_most:g}"
        if self.at_most is None:
            return f"at least {self.at_least:g}"
        return f"between {self.at_least:g} and {self.at_most:g}"


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """A report: what is in it, and when it goes to whom.

    It is made every `day`, or every `week` on a `weekday` (0 is Monday), at a minute of the day in the hub's time zone.
    `role` means the people who have it, `to` names people or e-mail addresses. Figures in it look back over a span
    `over`, and are compared with the same span before.
    """

    name: str
    title: str
    every: Literal["day", "week"]
    parts: tuple[str, ...]
    role: str = ""
    to: tuple[str, ...] = ()
    formats: tuple[Format, ...] = ("html", "pdf")
    weekday: int = 0
    minute: int = 7 * 60
    over: int = 28 * 86_400_000_000
