"""Keys open the door while they are good, from where they may, as often as they may, and never by accident."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.api import keys as keys_module
from opportune.api.keys import DECIDE_ANONYMOUS, Key, Keys, Rates, allows
from opportune.api.origins import entry
from opportune.clock import HOUR, SECOND
from opportune.errors import BadInput, NotFound
from opportune.store import Store, open_store


@pytest.fixture(params=["memory:", "sqlite:///{}/hub.db"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = open_store(request.param.format(tmp_path))
    yield store
    store.close()


@pytest.mark.parametrize(
    ("kind", "prefix", "rate"), [("write", "opw_", 1000), ("server", "ops_", 0), ("admin", "opa_", 0)]
)
def test_a_new_key_is_found_by_its_secret_alone(store: Store, kind: str, prefix: str, rate: float) -> None:
    keys = Keys(store)
    secret, key = keys.new(kind, now=5, name="shop")
    assert secret.startswith(prefix)
    assert len(secret) == 36
    assert secret[4:].isalnum()
    assert len(key.id) == 8
    assert (key.kind, key.name, key.rate, key.created, key.revoked) == (kind, "shop", rate, 5, 0)
    assert keys.find(secret) == key
    for wrong in (secret[:-1], secret + "x", secret.upper(), secret.swapcase(), f" {secret}", key.id, secret[4:]):
        assert keys.find(wrong) is None
    assert Keys(store).find(secret) == key


def test_the_store_holds_the_hash_and_not_the_secret(store: Store) -> None:
    secret, _ = Keys(store).new("server", now=1)
    rows = b"".join(value for _, value in store.table("api_keys").scan())
    assert hashlib.sha256(secret.encode()).digest() in rows
    assert secret.encode() not in rows
    assert secret[4:].encode() not in rows


@given(text=st.one_of(st.text(st.characters()), st.sampled_from(["", "x" * 10_000_000, "\ud800", "opw_\0", "é" * 36])))
def test_odd_secrets_are_unknown_and_raise_nothing(text: str) -> None:
    keys = Keys(open_store("memory:"))
    keys.new("write", now=1)
    assert keys.find(text) is None


def test_what_is_not_text_is_unknown() -> None:
    keys = Keys(open_store("memory:"))
    for odd in (None, b"opw_", 3, ["opw_"]):
        assert keys.find(odd) is None  # type: ignore[arg-type]


def test_a_revoked_key_is_unknown_but_still_listed(store: Store) -> None:
    keys = Keys(store)
    secret, key = keys.new("admin", now=1)
    other, _ = keys.new("server", now=2)
    keys.revoke(key.id, now=7)
    keys.revoke(key.id, now=9)
    for again in (keys, Keys(store)):
        assert again.find(secret) is None
        assert again.find(other) is not None
        assert {k.id: k.revoked for k in again.all()}[key.id] == 7
    with pytest.raises(NotFound, match=keys.find(other).id):  # type: ignore[union-attr]
        keys.revoke("nobody", now=1)


def test_rotating_keeps_all_but_the_secret(store: Store) -> None:
    keys = Keys(store)
    secret, key = keys.new("write", 1, "web", [DECIDE_ANONYMOUS], ["https://*.example.com"], 7)
    fresh, after = keys.rotate(key.id, now=9)
    assert keys.find(secret) is None
    assert keys.find(fresh) == after
    same = ("kind", "name", "scopes", "origins", "rate")
    assert [getattr(after, name) for name in same] == [getattr(key, name) for name in same]
    assert after.id != key.id
    assert after.created == 9
    with pytest.raises(BadInput, match="revoked"):
        keys.rotate(key.id, now=10)
    with pytest.raises(NotFound, match=after.id):
        keys.rotate("nobody", now=10)


def test_reload_after_a_transaction_that_failed(store: Store) -> None:
    keys = Keys(store)
    old, key = keys.new("server", now=1)
    try:
        with store.transaction():
            never, _ = keys.new("server", now=2)
            keys.revoke(key.id, now=2)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        keys.reload()
    assert keys.find(never) is None
    assert keys.find(old) == key


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kind": "sever"}, "did you mean `server`"),
        ({"kind": "write", "scopes": ["decide:anonymus"]}, "did you mean `decide:anonymous`"),
        ({"kind": "server", "scopes": [DECIDE_ANONYMOUS]}, "write key"),
        ({"kind": "write", "scopes": DECIDE_ANONYMOUS}, "a list of texts"),
        ({"kind": "write", "origins": "https://a.example"}, "a list of texts"),
        ({"kind": "write", "origins": ["example.com"]}, "scheme, host and port"),
        ({"kind": "write", "origins": [f"https://s{n}.example" for n in range(101)]}, "use a star"),
        ({"kind": "write", "rate": -1}, "requests per second"),
        ({"kind": "write", "rate": math.nan}, "requests per second"),
        ({"kind": "write", "rate": math.inf}, "requests per second"),
        ({"kind": "write", "rate": 1e-9}, "requests per second"),
        ({"kind": "write", "rate": True}, "requests per second"),
        ({"kind": "write", "rate": "7"}, "requests per second"),
        ({"kind": "write", "name": "x" * 101}, "cannot name a key"),
        ({"kind": "write", "name": "\ud800"}, "cannot name a key"),
    ],
)
def test_bad_properties_are_refused_with_the_cure(arguments: dict[str, object], said: str) -> None:
    keys = Keys(open_store("memory:"))
    with pytest.raises(BadInput, match=said):
        keys.new(now=1, **arguments)  # type: ignore[arg-type]
    assert keys.all() == []


def test_old_revoked_keys_make_room_and_good_ones_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "MOST_KEYS", 3)
    keys = Keys(open_store("memory:"))
    made = [keys.new("server", now=n) for n in range(3)]
    with pytest.raises(BadInput, match="revoke one"):
        keys.new("server", now=4)
    keys.revoke(made[2][1].id, now=5)
    keys.revoke(made[1][1].id, now=6)
    keys.new("server", now=7)
    left = {key.id for key in keys.all()}
    assert made[2][1].id not in left
    assert {made[0][1].id, made[1][1].id} < left


# Origins


def key_for(*origins: str) -> Key:
    return Keys(open_store("memory:")).new("write", now=1, origins=origins)[1]


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        ((), None, True),
        ((), "https://anything.example", True),
        (("https://shop.example",), None, False),
        (("https://shop.example",), "https://shop.example", True),
        (("https://Shop.Example/",), "HTTPS://SHOP.example:443", True),
        (("https://shop.example",), "http://shop.example", False),
        (("https://shop.example",), "https://shop.example:8443", False),
        (("https://shop.example:8443",), "https://shop.example:8443", True),
        (("http://shop.example:80",), "http://shop.example", True),
        (("https://shop.example",), "https://evil.shop.example", False),
        (("https://shop.example",), "https://shop.example.evil.com", False),
        (("https://shop.example",), "https://shop.example/path", False),
        (("https://shop.example",), "null", False),
        (("https://shop.example",), "", False),
        (("https://shop.example",), "https://shop.example" * 1000, False),
        (("https://shop.example",), "https://shop.example\ud800", False),
        (("https://*.shop.example",), "https://a.shop.example", True),
        (("https://*.shop.example",), "https://a.b.shop.example", True),
        (("https://*.shop.example",), "https://shop.example", False),
        (("https://*.shop.example",), "https://.shop.example", False),
        (("https://*.shop.example",), "https://evilshop.example", False),
        (("https://*.shop.example",), "https://evil.com/.shop.example", False),
        (("https://*.shop.example",), "https://evil.com:1.shop.example", False),
        (("https://*.shop.example",), "https://evil@a.shop.example", False),
        (("https://*.shop.example",), "http://abc.shop.example", False),
        (("https://*.shop.example",), "https://a.shop.example:8443", False),
        (("https://*.shop.example:8443",), "https://a.shop.example:8443", True),
        (("https://*.shop.example",), "https://*.shop.example", False),
        (("https://bücher.example",), "https://xn--bcher-kva.example", True),
        (("http://[::1]:3000", "capacitor://localhost"), "http://[::1]:3000", True),
        (("http://[::1]:3000", "capacitor://localhost"), "capacitor://localhost", True),
    ],
)
def test_origins(origins: tuple[str, ...], origin: str | None, allowed: bool) -> None:
    assert allows(key_for(*origins), origin) is allowed


@pytest.mark.parametrize(
    "text",
    ["", "*", "https://", "https://*", "https://*.com", "https://*.*.example.com", "https://a.*.com", "null", "//a.com",
     "https://a.com/b", "https://a.com?b", "https://u@a.com", "https://a..com", "https://a.com:", "https://a.com:123456",
     "https://a b.com", "https://\ud800.com", "https://*a.example.com", "https://*.*.com"],
)  # fmt: skip
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="not an origin"):
        entry(text)


@given(st.text(st.characters()))
def test_no_text_of_an_origin_raises(text: str) -> None:
    assert allows(key_for("https://*.example.com"), text) is False


# Rates


@given(
    rate=st.one_of(st.floats(0.001, 1e4), st.sampled_from([0.001, 0.3, 1.0, 7.0, 1000.0])),
    gaps=st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=40),
)
def test_in_no_span_pass_more_than_burst_and_rate(rate: float, gaps: list[int]) -> None:
    rates, now, passed = Rates(), 10**15, []
    for gap in gaps:
        now += gap
        if rates.take("k", rate, now) == 0:
            passed.append(now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            bound = max(1.0, rate) + rate * (passed[last] - passed[first]) / SECOND
            assert last - first + 1 <= bound + 1e-6


@given(rate=st.floats(0.001, 1e5), start=st.integers(0, 10**16), cost=st.floats(0.1, 3))
def test_whoever_waits_as_told_passes_and_not_before(rate: float, start: int, cost: float) -> None:
    rates = Rates()
    while (wait := rates.take("k", rate, start, max(cost, rate / 8))) == 0:
        pass
    waited = math.ceil(wait * SECOND)
    if wait > 0.01:
        assert rates.take("k", rate, start + waited // 2, max(cost, rate / 8)) > 0
    assert rates.take("k", rate, start + waited, max(cost, rate / 8)) == 0


def test_a_wait_that_ends_on_the_microsecond_is_long_enough() -> None:
    rates = Rates()
    waits = [rates.take("k", 10, n * 100) for n in range(11)]
    assert waits == pytest.approx([0] * 10 + [0.099])
    assert rates.take("k", 10, 1_000 + math.ceil(waits[-1] * SECOND)) == 0


def test_a_second_of_requests_passes_at_once_and_no_more() -> None:
    rates = Rates()
    assert [rates.take("k", 3, 0) for _ in range(3)] == [0, 0, 0]
    assert rates.take("k", 3, 0) == pytest.approx(1 / 3)
    assert rates.take("other", 3, 0) == 0
    assert all(rates.take("free", 0, 0) == 0 for _ in range(10_000))


def test_what_costs_more_than_the_bucket_holds_passes_when_it_is_full() -> None:
    rates = Rates()
    assert rates.take("k", 2, 0, cost=50) == 0
    assert rates.take("k", 2, 0, cost=50) == pytest.approx(1)


def test_a_clock_that_goes_back_is_harmless() -> None:
    rates = Rates()
    now = 100 * HOUR
    assert [rates.take("k", 2, now) for _ in range(2)] == [0, 0]
    assert rates.take("k", 2, now - HOUR) > 0
    assert rates.take("k", 2, now - HOUR + SECOND // 2) == 0


def test_memory_is_bounded() -> None:
    rates = Rates(most=100)
    for n in range(1000):
        rates.take(f"k{n}", 1, n)
        assert (rates.take("busy", 1, n) == 0) is (n == 0)
    assert len(rates._buckets) == 100
