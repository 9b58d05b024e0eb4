"""The model as people judge it: how its predictions turned out, and what it looks at."""

from __future__ import annotations

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint
from opportune.catalog.fields import nearest
from opportune.errors import NotFound
from opportune.services.drifting import drift as drift_of
from opportune.services.judged import history as history_of
from opportune.services.judged import models as models_of
from opportune.services.seen import inputs as inputs_of
from opportune.wire.judging import ActionInputs, DriftInfo, ModelHistory, ModelsInfo


async def models(door: Door, call: Call) -> ModelsInfo:
    """Return the live model."""
    return await door.writer.do(lambda: models_of(door.hub))


async def history(door: Door, call: Call) -> ModelHistory:
    """Return how the predictions for an action turned out over time."""
    return await door.walk(history_of, door.hub, _action(door, call))


async def inputs(door: Door, call: Call) -> ActionInputs:
    """Return what each predictor says of an action."""
    return await door.walk(inputs_of, door.hub, _action(door, call))


async def drift(door: Door, call: Call) -> DriftInfo:
    """Return how far what the model looks at has moved lately."""
    return await door.walk(drift_of, door.hub)


def _action(door: Door, call: Call) -> str:
    name, known = call.parameters["action"], door.hub.plan.position
    if name not in known:
        raise NotFound(f"there is no action {name!r}; {nearest(name, known)}")
    return name


ENDPOINTS = (
    Endpoint("GET", "/v1/models", "server", models, "How predictions turned out, and what the model looks at",
             gives=ModelsInfo, problems=(401, 403, 429)),
    Endpoint("GET", "/v1/models/{action}", "server", history, "How the predictions for an action turned out over time",
             gives=ModelHistory, problems=(401, 403, 404, 429)),
    Endpoint("GET", "/v1/models/{action}/inputs", "server", inputs, "What each predictor says of an action",
             gives=ActionInputs, problems=(401, 403, 404, 409, 429)),
    Endpoint("GET", "/v1/drift", "server", drift, "How far what the model looks at has moved lately",
             gives=DriftInfo, problems=(401, 403, 409, 429)),
)  # fmt: skip
