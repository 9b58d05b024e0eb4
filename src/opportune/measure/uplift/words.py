"""What a race says, in words."""

from __future__ import annotations

from opportune.measure.uplift.learners import LEARNERS
from opportune.measure.uplift.race import RESPONSE, RULE, UNEVEN, Race

NOBODY = "no targetable difference"


def verdict(found: Race) -> str:
    """Return the answer to "whom to contact": "send to all", "send to none", "target by MODEL", or "no targetable
    difference", with what then to do with everybody where that is known: "no targetable difference: send to all".
    """
    sent = {"all": "send to all", "none": "send to none", "by model": f"target by {found.chosen}", "not known": ""}
    if found.chosen is None:
        return ": ".join(filter(None, (NOBODY, sent[found.send])))
    return sent[found.send]


def sentences(found: Race) -> list[str]:
    """Return what a person should know of the race, the most important first."""
    return [
        *_unevenness(found),
        _choice(found),
        *_rule(found),
        _learners(found),
        *_whole(found),
    ]


def _unevenness(found: Race) -> list[str]:
    if found.uneven.p >= UNEVEN:
        return []
    return [
        f"The arms were not alike before the contact (p {found.uneven.p:.2g}, most along {found.uneven.strongest}): "
        "were customers contacted at random? If not, nothing here holds."
    ]


def _choice(found: Race) -> str:
    p = f"p {found.differ.p:.2g}"
    if found.chosen is None and found.differ.p < 0.05:
        return f"Customers differ in what a contact gains ({p}), but no model orders them surely better than chance."
    if found.chosen is None:
        return f"Nothing shows that customers differ in what a contact gains ({p})."
    model = next(model for model in found.models if model.name == found.chosen)
    return (
        f"Customers differ in what a contact gains ({p}). The {found.chosen} gains {model.qini:.3g} "
        f"[{model.interval.low:.3g}, {model.interval.high:.3g}] per 100 customers more than a random order, on average "
        "over how many are contacted; it is the simplest model that no other surely beats."
    )


def _rule(found: Race) -> list[str]:
    if found.chosen != RULE:
        return []
    agreed = "each fold" if found.rule_agrees == 1 else f"{found.rule_agrees:.0%} of the folds"
    return [f"The rule: {found.rule} (the best in {agreed})."]


def _learners(found: Race) -> str:
    ahead = [m.name for m in found.models if m.name in LEARNERS and m.ahead_interval.low > 0]
    if ahead:
        return f"Surely better than an order by {RESPONSE}: {', '.join(ahead)}."
    return f"No learner orders customers surely better than an order by {RESPONSE}."


def _whole(found: Race) -> list[str]:
    last = found.parts[-1] if found.parts else None
    if found.send == "by model" and last is not None and last.interval.low > 0:
        return ["Even the last of them gain from a contact: say what it costs (`cost`) to learn how far down to go."]
    return []
