"""Whether a campaign may go from a stage of its process to another. Pure."""

from __future__ import annotations

from opportune.catalog.campaign_types import Process, ProcessStage
from opportune.catalog.fields import nearest
from opportune.errors import BadRequest


def step(process: Process, stage: str, to: str, reason: str) -> tuple[ProcessStage, bool]:
    """Return the stage that a campaign goes to from `stage`, and whether that is forwards. `to` "" is the next one.

    Forwards it goes one stage at a time; backwards to any, for a reason. Raises `BadRequest`.

    >>> from opportune.catalog.campaign_types import DEFAULT
    >>> step(DEFAULT, "idea", "", "")[0].checks
    ('owner', 'goal', 'brief')
    """
    here = process.position(stage)
    assert here is not None
    following = process.stages[here + 1] if here + 1 < len(process.stages) else None
    if not to:
        if following is None:
            raise BadRequest(f"{stage!r} is the last stage of process {process.name!r}; there is no next one", "to")
        return following, True
    there = process.position(to)
    if there is None:
        names = [one.name for one in process.stages]
        raise BadRequest(f"process {process.name!r} has no stage {to[:60]!r}; {nearest(to[:200], names)}", "to")
    if there == here:
        raise BadRequest(f"it is in stage {to!r} already", "to")
    if there < here:
        if not reason.strip():
            raise BadRequest(f"say why it goes back from {stage!r} to {to!r}: give a `reason`", "reason")
        return process.stages[there], False
    if there > here + 1:
        assert following is not None
        ahead = f"{to!r} is {there - here} stages ahead of {stage!r}, and none is left out"
        raise BadRequest(f"{ahead}: {following.name!r} comes next", "to")
    return process.stages[there], True
