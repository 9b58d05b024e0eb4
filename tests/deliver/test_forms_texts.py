"""The forms without pictures: SMS, push, JSON, script, audience."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.deliver.forms import open_form
from opportune.deliver.forms.contract import PERSON
from opportune.deliver.forms.gsm import BASIC, EXTENDED, length_of, transliterated
from opportune.deliver.forms.json import must_fit
from opportune.deliver.render.templates import BadTemplate, RenderFailed, Templates


def made(form: str, person: dict[str, Any] | None = None, **content: Any) -> dict[str, Any]:
    return open_form(form).compile(content, "en", Templates({}, "en")).render({**PERSON, **(person or {})})


def refused(form: str, **content: Any) -> str:
    with pytest.raises(BadTemplate) as bad:
        open_form(form).compile(content, "en", Templates({}, "en"))
    return "\n".join(f"{p.file}: {p.what}" for p in bad.value.problems)


def test_the_alphabet_is_that_of_the_standard() -> None:
    # 3GPP TS 23.038, 6.2.1: 128 positions, of which one is the escape; 6.2.1.1: ten extended characters
    assert len(BASIC) == 127
    assert len(EXTENDED) == 10
    assert not BASIC & EXTENDED
    assert "`" not in BASIC
    assert "ç" not in BASIC


@pytest.mark.parametrize(
    ("text", "encoding", "segments", "characters"),
    [
        ("", "gsm-7", 1, 0),
        ("a" * 160, "gsm-7", 1, 160),
        ("a" * 161, "gsm-7", 2, 161),
        ("a" * 306, "gsm-7", 2, 306),
        ("a" * 307, "gsm-7", 3, 307),
        ("a" * 158 + "€", "gsm-7", 1, 160),
        ("a" * 159 + "€", "gsm-7", 2, 161),
        ("a" * 152 + "€" + "a" * 152, "gsm-7", 3, 306),  # the escape and its character stay together
        ("ж" * 70, "ucs-2", 1, 70),
        ("ж" * 71, "ucs-2", 2, 71),
        ("ж" * 134, "ucs-2", 2, 134),
        ("ж" * 135, "ucs-2", 3, 135),
        ("🍵" * 35, "ucs-2", 1, 70),
        ("ж" * 66 + "🍵" + "ж" * 66, "ucs-2", 3, 134),  # and so does a surrogate pair
        ("naïve ç", "ucs-2", 1, 7),
        ("Grüße, ñandú? ÆØÅ", "ucs-2", 1, 17),
        ("Grüße, ñandu? ÆØÅ\n[x]", "gsm-7", 1, 23),
    ],
)
def test_segments(text: str, encoding: str, segments: int, characters: int) -> None:
    assert length_of(text) == (encoding, segments, characters)


@settings(max_examples=200)
@given(st.text(alphabet=st.sampled_from("a€[ж🍵é ")), st.integers(1, 40))
def test_segments_are_those_of_a_packing_by_hand(text: str, times: int) -> None:
    text *= times
    length = length_of(text)
    gsm = all(c in BASIC | EXTENDED for c in text)
    pieces = [2 if c in EXTENDED else 1 for c in text] if gsm else [len(c.encode("utf-16-be")) // 2 for c in text]
    alone, joined = (160, 153) if gsm else (70, 67)
    assert length.characters == sum(pieces)
    bins = [0]
    for piece in pieces:
        if bins[-1] + piece > joined:
            bins.append(0)
        bins[-1] += piece
    assert length.segments == (1 if sum(pieces) <= alone else len(bins))


def test_sms() -> None:
    plain = made("sms", text=" “Hi” {{ customer.first_name }} – 5 € ")
    assert plain == {"text": "“Hi” Maya – 5 €", "encoding": "ucs-2", "segments": 1, "characters": 15}
    assert made("sms", text="“Hi” – 5 €", transliterate=True) == {
        "text": '"Hi" - 5 €', "encoding": "gsm-7", "segments": 1, "characters": 11,
    }  # fmt: skip
    assert transliterated("é ж") == "é ж"
    long = made("sms", text="a" * 460)
    assert "4 SMS" in open_form("sms").remarks(long)[0]
    assert not open_form("sms").remarks(made("sms", text="a" * 459))
    assert "no `text`" in refused("sms", text="")
    assert "true or false" in refused("sms", text="a", transliterate="perhaps")


def test_a_tracked_link_changes_the_number_of_sms() -> None:
    content = made("sms", text="a" * 140 + " https://a.ex/b")
    linked = open_form("sms").linked(content, lambda url: f"{url}?{'x' * 20}")
    assert content["segments"] == 1
    assert linked["segments"] == 2
    assert linked["text"].endswith("https://a.ex/b?" + "x" * 20)


def test_push() -> None:
    content = made("push", title="{{ action.benefit }}\n!", body="For {{ customer.name }}",
                   url="https://a.example/{{ decision.id }}",
                   data={"id": "{{ decision.id }}", "n": 3, "deep": [None, {"x": "{{ action.name }}"}]})  # fmt: skip
    assert content == {
        "title": "Better tea !", "body": "For Maya Stone", "url": "https://a.example/01J",
        "data": {"id": "01J", "n": 3, "deep": [None, {"x": "tea"}]},
    }  # fmt: skip
    assert open_form("push").linked(content, lambda url: url + "?t")["url"] == "https://a.example/01J?t"
    assert "no `body`" in refused("push", title="a")
    assert "`data` must be a mapping" in refused("push", title="a", body="b", data=["x"])
    with pytest.raises(RenderFailed, match="title is empty"):
        made("push", title="{{ traits.nothing }}", body="b")


def test_a_push_payload_is_at_most_4096_bytes() -> None:
    frame = len(b'{"title":"t","body":""}')
    fits = made("push", title="t", body="{{ traits.long }}", person={"traits": {"long": "ж" * ((4096 - frame) // 2)}})
    assert "cut after 240" in open_form("push").remarks(fits)[0]
    with pytest.raises(RenderFailed, match="bytes"):
        made("push", title="t", body="{{ traits.long }}", person={"traits": {"long": "ж" * ((4096 - frame) // 2 + 1)}})


def test_json_keeps_its_shape() -> None:
    content = {
        "title": "{{ customer.name }}",
        "n": 1.5,
        "flag": True,
        "none": None,
        "list": ["{{ action.value }}", 2],
        "{{ key }}": {},
    }
    assert made("json", **content) == {
        "title": "Maya Stone", "n": 1.5, "flag": True, "none": None, "list": ["12.5", 2], "{{ key }}": {},
    }  # fmt: skip
    with pytest.raises(BadTemplate) as bad:
        open_form("json").compile({"a": [{"b": "x"}, {"b": "1\n {{ x | }}"}]}, "en", Templates({}, "en"))
    assert (bad.value.problems[0].file, bad.value.problems[0].line) == ("a.1.b", 2)


def test_finished_json_must_fit_the_schema_of_its_placement() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string", "maxLength": 5}}}
    must_fit({"title": "short"}, schema)
    must_fit({"anything": "goes"}, None)
    with pytest.raises(RenderFailed) as failed:
        must_fit({"title": "too long"}, schema)
    assert failed.value.failure.field == "title"


def test_script() -> None:
    content = made("script", closing="Bye", opening="Good day, {{ customer.name }}", questions=["One?", "Two?"],
                   objections={"Too dear": "It is {{ action.value }}"}, mood={"a": ["b", "c"]}, notes="")  # fmt: skip
    assert content["opening"] == "Good day, Maya Stone"
    assert content["as_text"] == (
        "OPENING\nGood day, Maya Stone\n\nQUESTIONS\n- One?\n- Two?\n\n"
        "OBJECTIONS\n- Too dear: It is 12.5\n\nCLOSING\nBye\n\n"
        "MOOD\n- a: b, c"
    )
    assert "made from the other keys" in refused("script", as_text="x")
    assert "script is empty" in refused("script")


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_an_audience_row_is_normalized_and_hashed() -> None:
    traits = {"email": " Maya.B+x@GMail.com ", "phone": "030/90 18 20", "zip": " 10115 "}
    customer = {"first_name": "Dr. Anne-Marié", "last_name": "O'Brien Jr.", "country": "de"}
    assert made("audience", list="Spring", person={"traits": traits, "customer": customer}) == {
        "list": "Spring",
        "email_sha256": sha("maya.b+x@gmail.com"),
        "google_email_sha256": sha("mayab+x@gmail.com"),
        "phone_sha256": sha("+4930901820"),
        "first_name_sha256": sha("annemarié"),
        "last_name_sha256": sha("obrien"),
        "country": "DE",
        "postal_code": "10115",
    }


def test_an_audience_row_leaves_out_what_is_not_there() -> None:
    for traits in ({}, {"email": "not an address", "phone": "call me"}, {"phone": "030 901820"}):
        row = made("audience", list="Spring", person={"traits": traits, "customer": {}})
        assert row == {"list": "Spring"}
        assert "nothing that a service could match" in open_form("audience").remarks(row)[0]
    abroad = made(
        "audience", list="Spring", person={"traits": {"phone": "+44 20 7031 3000"}, "customer": {"country": "DE"}}
    )
    assert abroad["phone_sha256"] == sha("+442070313000")


@settings(max_examples=100)
@given(st.from_regex(r"[a-zA-Z0-9.+]{1,12}@[a-z]{1,8}\.(com|example)", fullmatch=True))
def test_no_address_leaves_the_hub_readable(email: str) -> None:
    row = made("audience", list="L", person={"traits": {"email": email}})
    assert email.lower() not in str(row).lower()
