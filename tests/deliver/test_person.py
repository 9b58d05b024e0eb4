"""What templates may read of a person: plain data, whatever the profile holds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.deliver.person import COUPON, LINKS, context, language_of, tidied
from opportune.deliver.render import names
from opportune.testing import START, tiny_catalog

SPEND = {"name": "spend_90d", "event": "Order", "aggregate": "sum(revenue)", "window": "90d", "by": "1d"}
CATALOG = tiny_catalog(
    currency="CHF",
    language="de",
    sender={"name": "Acme", "email": "hello@acme.example"},
    traits=[{"name": "plan", "type": "text"}],
    features=[SPEND],
)
ACTION = CATALOG.actions[0]


def person(values: dict[str, Any] | None = None, **traits: Any) -> dict[str, Any]:
    return context("maya", traits, values or {}, CATALOG, START, "Europe/Berlin", ACTION, 12.5, "d1")


def test_the_whole_context() -> None:
    found = person({"spend_90d": 39.0, "plan": "gold"}, first_name="Maya", plan="gold", tags=["a", {"b": 1.5}])
    assert found == {
        "customer": {
            "id": "maya", "name": "Maya", "first_name": "Maya", "last_name": "", "title": "", "salutation": "",
            "manner": "formal", "language": "de", "locale": "de", "time_zone": "Europe/Berlin", "country": "",
        },
        "traits": {"first_name": "Maya", "plan": "gold", "tags": ["a", {"b": 1.5}]},
        "features": {"spend_90d": 39},
        "action": {"name": "hello", "issue": "grow", "group": "any", "value": 12.5, "benefit": "Something for you",
                   "campaign": "always"},
        "decision": {"id": "d1"},
        "items": [],
        "coupon": dict.fromkeys(COUPON),
        "links": dict.fromkeys(LINKS, ""),
        "sender": {"name": "Acme", "email": "hello@acme.example", "reply_to": "", "address": "", "website": ""},
        "currency": "CHF",
        "now": "2026-01-01T01:00:00+01:00",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("traits", "language", "locale"),
    [
        ({"language": "fr"}, "fr", "fr"),
        ({"language": "de", "country": "at"}, "de", "de-AT"),
        ({"locale": "pt_BR.UTF-8"}, "pt-BR", "pt-BR"),
        ({"language": "en", "locale": "de-DE"}, "en", "de-DE"),
        ({"language": "ZH-hant-tw"}, "zh-Hant-TW", "zh-Hant-TW"),
        ({"language": "klingon!"}, "de", "de"),
        ({"language": 5, "locale": None, "country": "Germany"}, "de", "de"),
    ],
)
def test_language_and_locale(traits: dict[str, Any], language: str, locale: str) -> None:
    customer = person(**traits)["customer"]
    assert (customer["language"], customer["locale"]) == (language, locale)
    assert language_of(traits, "de") == language


@pytest.mark.parametrize(
    ("traits", "key", "value"),
    [
        ({"firstName": "Maya", "lastName": "Kruse"}, "name", "Maya Kruse"),
        ({"name": "Maya L. Kruse", "first_name": "Maya"}, "name", "Maya L. Kruse"),
        ({"first_name": " Maya\r\nBcc: all@x.example\t"}, "first_name", "Maya Bcc: all@x.example"),
        ({"first_name": "\u202emaya\u2066\x00"}, "first_name", "maya"),
        ({"first_name": "مايا"}, "first_name", "مايا"),
        ({"first_name": "می\u200cخواهم"}, "first_name", "می\u200cخواهم"),
        ({"first_name": None, "firstName": "Maya"}, "first_name", "Maya"),
        ({"first_name": 7}, "first_name", ""),
        ({"first_name": "x" * 5000}, "first_name", "x" * 5000),
        ({"title": "Prof. Dr."}, "title", "Prof. Dr."),
        ({"title": "VP of Engineering"}, "title", ""),
        ({"manner": "du"}, "manner", "informal"),
        ({"formality": "informal"}, "manner", "informal"),
        ({"manner": "rude"}, "manner", "formal"),
    ],
)
def test_names_are_one_clean_line(traits: dict[str, Any], key: str, value: str) -> None:
    assert person(**traits)["customer"][key] == value


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(object),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.text(max_size=10) | st.sampled_from(["name", "first_name", "language", "title"]), PLAIN))
def test_any_profile_gives_plain_data(traits: dict[str, Any]) -> None:
    assert person(traits)["features"].keys() == {"spend_90d"}
    told = context("maya", traits, {}, CATALOG, START, "Nowhere/Zone", ACTION)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(told)) == told
    assert all(isinstance(value, str) for value in told["customer"].values())


def test_deep_and_wide_values_are_cut() -> None:
    deep: Any = "x"
    for _ in range(1000):
        deep = [deep]
    assert len(str(tidied(deep))) < 50
    assert len(tidied(list(range(100_000)))) == 1000
    assert tidied(10**30) == str(10**30)
    assert tidied("half \ud800") == "half ?"


def test_the_known_names_are_those_of_the_context() -> None:
    known = names.known(CATALOG)
    assert known.keys() == person().keys()
    assert known["traits"] == ["plan"]
    assert known["features"] == ["spend_90d"]
    assert known["items"] is None
    assert "first_name" in (known["customer"] or ())
