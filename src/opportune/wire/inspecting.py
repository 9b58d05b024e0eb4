"""The quality of the data and the tracking plan, as a client asks for them."""

from __future__ import annotations

from typing import Any

import msgspec

from opportune.wire.calling import Calling


class ScoreRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Score a day now: 2026-01-31 in UTC (null: the one that is running)."""

    day: str | None = None


class PlanSuggested(msgspec.Struct, frozen=True):
    """A tracking plan of what came in, in the shape of the key `events`, and the same as `yaml` to paste."""

    events: list[dict[str, Any]]
    yaml: str


class Inspecting(Calling):
    """What a client asks about the data."""

    def quality(self, days: int = 30) -> dict[str, Any]:
        """Return the last score of the data, of the days before, and the worst faults with their cure."""
        return self._call("GET", "/v1/quality", dict[str, Any], query={"days": str(days)})

    def score_quality(self, day: str | None = None) -> dict[str, Any]:
        """Score a day now (default: the one that is running); return what `quality` does. Needs an admin key."""
        return self._call("POST", "/v1/quality", dict[str, Any], ScoreRequest(day))

    def tracking_plan(self, days: int = 30) -> dict[str, Any]:
        """Return what of the tracking plan came in, what never did, and what came that is not planned."""
        return self._call("GET", "/v1/tracking-plan", dict[str, Any], query={"days": str(days)})

    def suggested_plan(self) -> PlanSuggested:
        """Return a tracking plan of the events that came and are not planned."""
        return self._call("GET", "/v1/tracking-plan/suggested", PlanSuggested)
