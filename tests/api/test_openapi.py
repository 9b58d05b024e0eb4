"""The OpenAPI document against the server: no 5xx, no answer that it does not name; and bodies of pure noise."""

from __future__ import annotations

import json
import os
import random
import socket
import warnings
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from running import Running
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

LONG = bool(os.environ.get("OPPORTUNE_LONG"))
EXAMPLES = 200 if LONG else 12
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

LEFT_OUT = {
    ("get", "/v1/customers/{id}/actions"),  # a stream that does not end; tests/api/test_streams.py
    ("get", "/v1/feed"),  # the same; tests/api/test_watching_api.py
    ("delete", "/v1/keys/{id}"),
    ("post", "/v1/keys/{id}/rotate"),  # it would end the key that the test uses
}


@pytest.fixture(scope="module")
def document(running: Running) -> dict[str, Any]:
    told: dict[str, Any] = running.http.get("/openapi.json").json()
    return told


def test_the_document_names_every_endpoint_of_the_contract(document: dict[str, Any]) -> None:
    paths = set(document["paths"])
    assert {"/v1/decide", "/v1/outcomes", "/v1/decisions/{id}", "/v1/decisions/{id}/why", "/v1/customers/{id}",
            "/v1/customers/{id}/export", "/v1/customers/{id}/actions", "/healthz", "/readyz",
            "/metrics"} <= paths  # fmt: skip
    for word in ("identify", "track", "page", "screen", "group", "alias", "batch", "import"):
        assert f"/v1/{word}" in paths
    assert document["components"]["schemas"]["DecideRequest"]["additionalProperties"] is False
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert operation["description"]


def _operations() -> list[tuple[str, str]]:
    from opportune.api.table import ENDPOINTS

    found = [(e.method.lower(), e.path) for e in ENDPOINTS if not e.page]
    return [one for one in found if one not in LEFT_OUT]


@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize(("method", "path"), _operations())
def test_every_answer_is_one_that_the_document_names(
    running: Running, document: dict[str, Any], method: str, path: str, mode: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        operation = schemathesis.openapi.from_dict(document)[path][method]
        if mode == "negative" and not (operation.body or operation.query):
            pytest.skip("nothing goes in, so nothing can be wrong with it")
        cases = operation.as_strategy(generation_mode=GenerationMode(mode))
    key = running.server.admin

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=cases)
    def run(case: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            case.call_and_validate(
                base_url=running.address, headers={"Authorization": f"Bearer {key}"}, checks=CHECKS, timeout=30
            )

    run()
    assert running.http.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/track", "/v1/decide", "/v1/outcomes", "/v1/keys", "/v1/webhooks"])
def test_noise_never_stops_the_server(running: Running, path: str) -> None:
    rng = random.Random(path)
    seeds = [b'{"batch":[{"type":"track","userId":"u","event":"E"}]}', b'{"userId":"u","placement":"app.home.hero"}']
    headers = {"Authorization": f"Bearer {running.server.admin}"}
    for _ in range(2_000 if LONG else 150):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 9)):
            where = rng.randrange(len(data) + 1)
            data[where:where] = rng.choice([b"\x00", b'"', b"{", b"[", b"\xff", b"1e999", b"\\ud800", b"null", b":"])
        answer = running.http.post(path, content=bytes(data), headers=headers)
        assert answer.status_code < 500, (bytes(data), answer.text)
        json.loads(answer.content)


def test_noise_instead_of_http_never_stops_the_server(running: Running) -> None:
    rng = random.Random(5)
    for _ in range(300 if LONG else 40):
        with socket.create_connection(("127.0.0.1", running.server.port)) as wire:
            wire.sendall(rng.randbytes(rng.randrange(1, 3_000)))
    assert running.http.get("/healthz").status_code == 200
