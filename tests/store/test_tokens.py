"""A token says what was signed, for what, until when, and nothing else passes for one."""

from __future__ import annotations

import base64
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.clock import SECOND
from opportune.errors import BadInput, BadRequest
from opportune.store import Store, open_store
from opportune.store.tokens import LONGEST, Signer

LATER = 2_000_000_000 * SECOND
URL_SAFE = set(string.ascii_letters + string.digits + "-_")

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture(params=["memory:", "sqlite:///{}/hub.db"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = open_store(request.param.format(tmp_path))
    yield store
    store.close()


@given(purpose=st.text(max_size=20), data=st.dictionaries(st.text(max_size=10), values, max_size=5))
def test_what_was_signed_is_read_back(purpose: str, data: dict[str, Any]) -> None:
    signer = Signer(open_store("memory:"))
    token = signer.sign(purpose, data, LATER)
    assert set(token) <= URL_SAFE
    assert signer.read(purpose, token, LATER - 1) == data


def test_the_secret_outlives_a_restart_and_is_each_stores_own(store: Store) -> None:
    token = Signer(store).sign("p", {"a": 1}, LATER)
    assert Signer(store).read("p", token, 0) == {"a": 1}
    with pytest.raises(BadRequest, match="not signed by this hub"):
        Signer(open_store("memory:")).read("p", token, 0)


def test_no_letter_can_be_altered_left_out_or_added() -> None:
    signer = Signer(open_store("memory:"))
    token = signer.sign("p", {"user": "ana"}, LATER)
    for n, letter in enumerate(token):
        for other in ("A" if letter != "A" else "B", "_" if letter != "_" else "-", "=", " ", "é", ""):
            with pytest.raises(BadRequest):
                signer.read("p", token[:n] + other + token[n + 1 :], 0)
    for more in ("=", "==", "A", "AAAA", "\n", " "):
        with pytest.raises(BadRequest):
            signer.read("p", token + more, 0)


def test_the_last_letter_has_one_spelling() -> None:
    signer = Signer(open_store("memory:"))
    for filler in range(3):
        token = signer.sign("p", {"user": "a" * filler}, LATER)
        same = [token[:-1] + last for last in URL_SAFE
                if base64.urlsafe_b64decode(token[:-1] + last + "==") == base64.urlsafe_b64decode(token + "==")]
        assert [text for text in same if _passes(signer, text)] == [token]


def _passes(signer: Signer, token: str) -> bool:
    try:
        signer.read("p", token, 0)
    except BadRequest:
        return False
    return True


@given(text=st.one_of(st.text(st.characters()), st.sampled_from(["", "x" * 10_000_000, "A" * 44, "\ud800"])))
def test_odd_texts_are_bad_requests(text: str) -> None:
    with pytest.raises(BadRequest, match="token"):
        Signer(open_store("memory:")).read("p", text, 0)


def test_a_token_serves_its_purpose_alone() -> None:
    signer = Signer(open_store("memory:"))
    token = signer.sign("unsubscribe", {}, LATER)
    with pytest.raises(BadRequest, match="is for 'unsubscribe', not for 'user'"):
        signer.read("user", token, 0)


def test_a_token_ends_at_its_instant() -> None:
    signer = Signer(open_store("memory:"))
    token = signer.sign("p", {}, expires=10 * SECOND)
    assert signer.read("p", token, 10 * SECOND - 1) == {}
    with pytest.raises(BadRequest, match="expired at 1970-01-01T00:00:10Z"):
        signer.read("p", token, 10 * SECOND)
    with pytest.raises(BadRequest, match="expired"):
        signer.read("p", signer.sign("p", {}, expires=-(2**62)), 0)


def test_the_size_is_bounded_and_what_fits_is_read() -> None:
    signer = Signer(open_store("memory:"))
    fits = max(n for n in range(2900, 3100) if _fits(signer, n))
    token = signer.sign("p", {"a": "x" * fits}, LATER)
    assert LONGEST - 4 <= len(token) <= LONGEST
    assert signer.read("p", token, 0) == {"a": "x" * fits}
    with pytest.raises(BadInput, match="4096"):
        signer.sign("p", {"a": "x" * (fits + 4)}, LATER)


def _fits(signer: Signer, n: int) -> bool:
    try:
        signer.sign("p", {"a": "x" * n}, LATER)
    except BadInput:
        return False
    return True


@pytest.mark.parametrize("data", [{"a": object()}, {"a": "\ud800"}, {"a": 2**70}])
def test_data_that_cannot_be_written_are_refused(data: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="JSON's types"):
        Signer(open_store("memory:")).sign("p", data, LATER)
