"""The model as people judge it: how its predictions turned out, and what it looks at."""

from __future__ import annotations

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint
from opportune.catalog.fields import nearest
from opportune.errors import NotFound
from opportune.services.judged import history as history_of
from opportune.services.judged import models as models_of
from opportune.wire.judging import ModelHistory, ModelsInfo


async def models(door: Door, call: Call) -> ModelsInfo:
    """Return the live model."""
    return await door.writer.do(lambda: models_of(door.hub))


async def history(door: Door, call: Call) -> ModelHistory:
    """Return how the predictions for an action turned out over time."""
    name, hub = call.parameters["action"], door.hub
    if name not in hub.plan.position:
        raise NotFound(f"there is no action {name!r}; {nearest(name, hub.plan.position)}")
    steps = history_of(hub, name)
    while (found := await door.writer.do(lambda: next(steps))) is None:
        pass
    return found


ENDPOINTS = (
    Endpoint("GET", "/v1/models", "server", models, "How predictions turned out, and what the model looks at",
             gives=ModelsInfo, problems=(401, 403, 429)),
    Endpoint("GET", "/v1/models/{action}", "server", history, "How the predictions for an action turned out over time",
             gives=ModelHistory, problems=(401, 403, 404, 429)),
)  # fmt: skip
