"""A server that meets ever more customers does not grow: whatever it remembers of them beside the store is bounded."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from traffic import capped_shop

from serving import Server

MB = 1 << 20


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    ("warm", "more", "apart", "growth"),
    # caches hold 20,000 customers and as many decisions; what still grows then are the pages of the store in memory
    [
        pytest.param(22_000, 10_000, 250, 25 * MB, id="short"),
        pytest.param(60_000, 60_000, 2, 60 * MB, id="long", marks=pytest.mark.long),
    ],
)
def test_memory_is_bounded(warm: int, more: int, apart: int, growth: int, tmp_path: Path) -> None:
    """One in `apart` customers asks for a decision."""
    with Server(capped_shop(tmp_path / "shop")) as server:
        meet(server, 0, warm, apart)
        before = resident(server)
        meet(server, warm, more, apart)
        after = resident(server)
    print(f"\n{before / MB:.0f} MB after {warm:,} customers, {after / MB:.0f} MB after {warm + more:,}")
    assert after - before < growth
    assert after < 800 * MB


def meet(server: Server, first: int, count: int, apart: int) -> None:
    write, serve = server.key("write", rate=0), {"Authorization": f"Bearer {server.key('server', rate=0)}"}
    with httpx.Client(base_url=server.address, timeout=60, trust_env=False) as client:
        for start in range(first, first + count, 500):
            names = [f"customer-{number}" for number in range(start, start + 500)]
            events = [
                {"type": "track", "event": "Seen", "userId": name, "messageId": name, "properties": {"amount": 1}}
                for name in names
            ]
            client.post("/v1/batch", json={"batch": events}, auth=(write, "")).raise_for_status()
            for name in names[::apart]:
                asked = {"userId": name, "placement": "app.home"}
                client.post("/v1/decide", json=asked, headers=serve).raise_for_status()


def resident(server: Server) -> int:
    """Return how many bytes of memory the server holds."""
    lines = Path(f"/proc/{server.pid}/status").read_text("utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) * 1024
