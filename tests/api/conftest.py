"""One server for the tests of the door."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from running import Running

from serving import Server


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Server(tmp_path_factory.mktemp("door") / "shop") as server, httpx.Client(timeout=20) as http:
        http.base_url = server.address
        yield Running(server, server.key("write", name="web", rate=0), server.key("server", name="app"), http)
