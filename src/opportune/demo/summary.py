"""What a start of the demo leaves to say: figures, what the model learned, and what is in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from opportune.decide.stages.assign import HOLDOUT
from opportune.demo.figures import HUB, more
from opportune.demo.place import Place, State
from opportune.demo.run import Running


@dataclass(frozen=True, slots=True)
class Summary:
    """`found` is the whole summary, ready for JSON."""

    found: dict[str, Any]

    def learned(self) -> list[str]:
        """Return a line for each predictor that divides the customers most."""
        return [
            f"{one['predictor']:24} {one['lowest']['propensity']:6.1%} say yes at {one['lowest']['bin']}, "
            f"{one['highest']['propensity']:.1%} at {one['highest']['bin']}"
            for one in self.found["learned"]
        ]

    def next(self) -> list[str]:
        """Return commands that show more of what there is."""
        folder, story = self.found["dir"], self.found["story"]
        told = [s["decision"] for s in story if s["situations"]] or [s["decision"] for s in story]
        explain = [f"opportune explain {told[0]} --action more_data --dir {folder}"] if told else []
        return [
            *explain,
            f"opportune profile customer-00001 --dir {folder}",
            f"edit {folder}/actions_grow.yaml, then: opportune diff --dir {folder}",
            f"opportune demo --dir {folder}      # goes on from here",
        ]


def summary(place: Place, state: State, running: Running) -> Summary:
    """Return the summary; the hub must still serve."""
    status, figures = running.admin.status(), state.figures
    arms = figures.arms(running.customers.arm_of)
    gain = more(arms[HUB].value_per_customer, arms[HOLDOUT].value_per_customer)
    return Summary({
        "dir": str(place.folder),
        "address": running.address,
        "starts": state.starts,
        "customers": len(figures.money),
        "events": figures.events,
        "decisions": figures.decisions,
        "silences": figures.silences,
        "refused": figures.refused,
        "problem_contacts": figures.problem_contacts,
        "problem_sales": figures.problem_sales,
        "arms": msgspec.to_builtins(arms),
        "gain": msgspec.to_builtins(gain),
        "stored": {name: getattr(status, name) for name in ("events", "facts", "answers", "rejected")},
        "learned": _learned(running.admin.model()),
        "story": msgspec.to_builtins(state.story),
        "replayed": state.replayed,
    })  # fmt: skip


def _learned(model: Mapping[str, Any], most: int = 4) -> list[dict[str, Any]]:
    """Return the predictors over whose bins the rate of a yes differs most, with their worst and best common bin."""
    found = []
    for drawn in model["inputs"]:
        total = sum(b["answers"] for b in drawn["bins"])
        bins = [b for b in drawn["bins"] if b["answers"] >= max(20, total / 50)]
        if len(bins) < 2:
            continue
        usual = sum(b["answers"] * b["propensity"] for b in bins) / sum(b["answers"] for b in bins)
        spread = sum(b["answers"] * (b["propensity"] - usual) ** 2 for b in bins) / sum(b["answers"] for b in bins)
        low, high = min(bins, key=_propensity), max(bins, key=_propensity)
        found.append({"predictor": drawn["input"], "spread": spread**0.5, "lowest": low, "highest": high})
    return sorted(found, key=lambda one: -one["spread"])[:most]


def _propensity(drawn: Mapping[str, Any]) -> float:
    return float(drawn["propensity"])
