"""The OpenAPI document, made from the endpoints and the types that they take and give."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

import opportune
from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter, Reply
from opportune.api.problems import TITLES
from opportune.wire import Problem

REF = "#/components/schemas/{name}"
_NAMES: dict[type, str] = {str: "string", int: "integer", bool: "boolean", float: "number"}
_SEGMENT = {
    "type": "object",
    "properties": {
        "success": {"type": "boolean"},
        **{name: {"type": "string"} for name in ("code", "message", "error")},
    },
    "required": ["success", "code", "message", "error"],
}


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the endpoints."""
    types = [Problem]
    for endpoint in endpoints:
        for told in (endpoint.takes, endpoint.gives):
            types += _structs(told)
    _, components = msgspec.json.schema_components(list(dict.fromkeys(types)), ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in (e for e in endpoints if not e.page):
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Opportune",
            "version": opportune.__version__,
            "description": "A customer decision hub: events in, next best actions out, and why.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {**components, "Refusal": _SEGMENT},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key, as `opportune key new` prints it",
                },
                "basic": {"type": "http", "scheme": "basic", "description": "A key as the user, without a password"},
            },
        },
    }


async def openapi(door: Door, call: Call) -> Reply:
    """Return the document."""
    return Reply(_whole())


@cache
def _whole() -> bytes:
    from opportune.api.table import ENDPOINTS as ALL

    return msgspec.json.encode(document(ALL))


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"\{(\w+)\}", endpoint.path)
    ]
    told: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": re.sub(r"\W+", "_", f"{endpoint.method.lower()}{endpoint.path}").strip("_"),
        "description": inspect.getdoc(endpoint.handler) or "",
        "parameters": path + [_parameter(p) for p in endpoint.query],
        "responses": _responses(endpoint),
    }
    if endpoint.who != "anyone":
        told["security"] = [{"bearer": []}, {"basic": []}]
        told["description"] += f"\n\nNeeds a {_KEYS[endpoint.who]}."
    if endpoint.takes is not None:
        schema = {"type": "object"} if endpoint.takes is bytes else _schema(endpoint.takes)
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return told


_KEYS = {
    "write": "write key (or any other)",
    "browser": "server key, or a write key with the scope decide:anonymous",
    "server": "server key or an admin key",
    "admin": "admin key",
    "local": "token of hub.json, on the machine of the server",
}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema = {"type": _NAMES[parameter.type]}
    return {
        "name": parameter.name, "in": "query", "required": parameter.required, "schema": schema,
        "description": parameter.help,
    }  # fmt: skip


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done"}
    if endpoint.gives is not None:
        schema = {"type": "string"} if endpoint.media.startswith("text/") else _schema(endpoint.gives)
        good["content"] = {endpoint.media: {"schema": schema}}
    media = "application/json" if endpoint.segment else "application/problem+json"
    wrong = {"$ref": REF.format(name="Refusal" if endpoint.segment else "Problem")}
    responses = {"200": good}
    for status in sorted({*endpoint.problems, 500}):
        responses[str(status)] = {"description": TITLES[status], "content": {media: {"schema": wrong}}}
        if status == 429:
            after = {"description": "Seconds to wait", "schema": {"type": "integer"}}
            responses["429"]["headers"] = {"Retry-After": after}
    return responses


def _structs(told: Any) -> list[Any]:
    """Return the struct types that a type is made of at its top: msgspec has no schema for a union of them."""
    if get_origin(told) in (Union, UnionType, list):
        return [struct for part in get_args(told) for struct in _structs(part)]
    return [told] if isinstance(told, type) and issubclass(told, msgspec.Struct) else []


def _schema(told: Any) -> dict[str, Any]:
    if get_origin(told) in (Union, UnionType):
        return {"anyOf": [_schema(part) for part in get_args(told)]}
    if get_origin(told) is list:
        return {"type": "array", "items": _schema(get_args(told)[0])}
    if _structs(told):
        return {"$ref": REF.format(name=told.__name__)}
    return {"type": "string"} if told is str else {"type": "object"}


ENDPOINTS = (Endpoint("GET", "/openapi.json", "anyone", openapi, "This document", gives=dict),)
