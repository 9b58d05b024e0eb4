"""What a channel says of form, carrier, address, rate and options is read, checked, and written back the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from opportune.catalog import check, from_bytes, from_data, load, to_bytes, to_data
from opportune.catalog.channel_sections import CARRIERS, CHANNELS, FORMS, plain
from opportune.catalog.types import Catalog, Channel
from opportune.deliver import carriers, forms
from opportune.errors import BadCatalog

Shop = Callable[..., Path]

SMTP = """
channels:
  - name: email
    via: smtp
    rate: 100
    options: {host: "${SMTP_HOST}", port: 587, user: hub, password: "${SMTP_PASSWORD}", tls: starttls}
"""


def channel(catalog: Catalog, name: str) -> Channel:
    return next(c for c in catalog.channels if c.name == name)


def test_every_key_is_read(shop: Shop) -> None:
    email = channel(load(shop(more=SMTP)), "email")
    assert (email.push, email.form, email.via, email.to, email.rate) == (True, "email", "smtp", "email", 100.0)
    assert email.options == {
        "host": "${SMTP_HOST}", "port": 587, "user": "hub", "password": "${SMTP_PASSWORD}", "tls": "starttls",
    }  # fmt: skip
    more = "channels: [{name: kiosk, push: true, form: script, via: file, to: kiosk_id, options: {folder: kiosk}}]"
    kiosk = Channel("kiosk", True, "script", "file", "kiosk_id", None, {"folder": "kiosk"})
    assert channel(load(shop(more=more)), "kiosk") == kiosk


@pytest.mark.parametrize(
    ("name", "form", "to"),
    [("email", "email", "email"), ("sms", "sms", "phone"), ("push", "push", "push_token"),
     ("letter", "letter", "address"), ("call", "script", "phone"), ("agent", "script", ""),
     ("ads", "audience", "email"), ("app", "json", ""), ("web", "json", ""), ("webhook", "json", "")],
)  # fmt: skip
def test_what_is_not_said_follows_from_the_name(shop: Shop, name: str, form: str, to: str) -> None:
    found = channel(load(shop()), name)
    assert found == Channel(name, CHANNELS[name], form, None, to)
    assert hash(found) == hash(plain(name, CHANNELS[name]))


def test_a_catalog_without_the_new_keys_keeps_its_bytes(shop: Shop) -> None:
    more = "channels: [{name: kiosk, push: true}, {name: desk, push: false}, {name: web, push: true}, {name: email}]"
    written = to_data(load(shop(more=more)))["channels"]
    assert written == [
        {"name": "desk", "push": False}, {"name": "kiosk", "push": True}, {"name": "web", "push": True},
    ]  # fmt: skip
    assert "channels" not in to_data(load(shop(more="channels: [{name: email, push: true}]")))


def test_only_what_differs_is_written(shop: Shop) -> None:
    more = """
channels:
  - {name: email, push: true, form: email, to: email, via: smtp, options: {host: relay}}
  - {name: sms, form: json, via: webhook, to: mobile, rate: 2.5, options: {url: "https://a.example/", secret: "${S}"}}
"""
    assert to_data(load(shop(more=more)))["channels"] == [
        {"name": "email", "via": "smtp", "options": {"host": "relay"}},
        {
            "name": "sms", "form": "json", "via": "webhook", "to": "mobile", "rate": 2.5,
            "options": {"url": "https://a.example/", "secret": "${S}"},
        },
    ]  # fmt: skip


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(lambda text: "${" not in text)


@st.composite
def channels(draw: st.DrawFn) -> dict[str, Any]:
    """A declared channel with any of the keys, right or at its default."""
    name = draw(st.sampled_from([*CHANNELS, "kiosk", "fax"]))
    made: dict[str, Any] = {"name": name, "push": draw(st.booleans())}
    if draw(st.booleans()):
        made["form"] = draw(st.sampled_from(FORMS))
    if draw(st.booleans()):
        made["to"] = draw(st.sampled_from(["email", "mobile", "card.number"]))
    form = made.get("form", plain(name, True).form)
    able = [via for via, carries in CARRIERS.items() if form in carries.forms]
    if made["push"] and able and draw(st.booleans()):
        carries = CARRIERS[made.setdefault("via", draw(st.sampled_from(able)))]
        keys = {*carries.needs, *draw(st.sets(st.sampled_from(carries.options)))}
        values = TEXTS | st.booleans() | st.integers(0, 10**6) | st.lists(TEXTS, max_size=2)
        ways = st.sampled_from(["none", "starttls", "tls"])
        fitting = {"port": st.integers(1, 65535) | st.just("${PORT}"), "tls": ways}
        made["options"] = {key: draw(fitting.get(key, values)) for key in sorted(keys)}
        if draw(st.booleans()):
            made["rate"] = draw(st.floats(0.001, 1e6) | st.integers(1, 1000))
    return made


@given(channels())
def test_a_channel_comes_back_as_it_was(made: dict[str, Any]) -> None:
    catalog = from_data({"channels": [made]})
    again = from_bytes(to_bytes(catalog))
    assert again == catalog
    assert again.hash == catalog.hash
    found = channel(again, made["name"])
    assert {key: getattr(found, key) for key in made} == made


def test_each_key_changes_the_hash(shop: Shop) -> None:
    base = {"name": "email", "via": "smtp", "options": {"host": "a"}}
    changes: list[dict[str, Any]] = [
        {}, {"rate": 5}, {"to": "mail"}, {"options": {"host": "b"}}, {"options": {"host": "a", "port": 25}},
        {"via": "file", "options": {"folder": "a"}}, {"form": "letter", "via": "print", "options": {"folder": "a"}},
    ]  # fmt: skip
    hashes = [from_data({"channels": [{**base, **change}]}).hash for change in changes]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("{name: email, via: smpt, options: {host: a}}", "unknown via `smpt` in channel `email`; did you mean `smtp`?"),
        ("{name: email, form: mail}", "unknown form `mail` in channel `email`; did you mean `email`?"),
        ("{name: email, via: smtp}", "channel `email` does not say the option `host`, which `smtp` needs; add `host:`"),
        ("{name: email, via: smtp, options: {host: }}", "does not say the option `host`"),
        ("{name: email, via: smtp, options: {host: a, tsl: none}}", "`smtp` has no option `tsl`; did you mean `tls`?"),
        ("{name: email, via: smtp, options: [host]}", "`options` of channel `email` must be a mapping"),
        ("{name: email, via: smtp, rate: 0, options: {host: a}}", "`rate` of channel `email` is `0`"),
        ("{name: email, via: smtp, rate: fast, options: {host: a}}", "`rate` of channel `email` is `fast`"),
        ("{name: email, rate: 5}", "`rate` of channel `email` says how to send, but nothing sends there; add `via:`"),
        ("{name: email, options: {host: a}}", "`options` of channel `email` says how to send"),
        ("{name: app, via: webhook, options: {url: u, secret: s}}", "channel `app` does not push"),
        ("{name: sms, via: smtp, options: {host: a}}",
         "`smtp` cannot carry the form `sms` of channel `sms`; use apprise or file or webhook, or another `form`"),
        ("{name: letter, via: apprise, options: {url: a}}", "use file or print or webhook"),
        *((f"{{name: email, via: smtp, options: {{host: a, port: {port}}}}}", "must be a number from 1 to 65535")
          for port in ("abc", "0", "65536", "25.5", "true", "[25]", "nan", "-1")),
        *((f"{{name: email, via: smtp, options: {{host: a, tls: {tls}}}}}", "must be one of none, starttls, tls")
          for tls in ("yes", "true", "false", "TLS", "1", "[tls]")),
        ('{name: email, via: smtp, options: {host: "a.${HOST"}}',
         "2:49: `${` in channel `email` has no `}`; write ${NAME}"),
        ('{name: email, via: smtp, options: {host: a, port: "${P"}}', "`${` in channel `email` has no `}`"),
        ('{name: sms, via: webhook, options: {url: u, secret: "${S}", headers: {X: "${A"}}}', "has no `}`"),
        ("{name: email, vai: smtp}", "unknown key `vai` in channel `email`; did you mean `via`?"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_where_it_stands(shop: Shop, entry: str, told: str) -> None:
    problems = [p for p in check(shop(more=f"channels:\n  - {entry}\n")) if not p.warning]
    assert any(told in str(p) for p in problems), problems
    assert {(p.file.rpartition("/")[2], p.line) for p in problems} == {("more.yaml", 2)}
    with pytest.raises(BadCatalog):
        load(shop(more=f"channels:\n  - {entry}\n"))


@pytest.mark.parametrize(
    "option", ["port: 587", 'port: "587"', 'port: "${PORT}"', "tls: none", 'tls: "${TLS}"', 'hostname: "$x}{"']
)
def test_options_that_are_right_or_not_known_yet_pass(shop: Shop, option: str) -> None:
    more = f"channels: [{{name: email, via: smtp, options: {{host: a, {option}}}}}]"
    assert not [p for p in check(shop(more=more)) if not p.warning]


def test_a_secret_in_the_files_is_a_warning(shop: Shop) -> None:
    told = [str(p) for p in check(shop(more=SMTP.replace("${SMTP_PASSWORD}", "hunter2"))) if "password" in p.what]
    assert len(told) == 1
    assert 'write "${EMAIL_PASSWORD}" and set EMAIL_PASSWORD in the environment' in told[0]
    assert "hunter2" not in told[0]
    assert not any("password" in p.what for p in check(shop(more=SMTP)))


def test_the_environment_is_not_read(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(shop(more=SMTP)).hash
    monkeypatch.setenv("SMTP_PASSWORD", "hunter2")
    catalog = load(shop(more=SMTP))
    assert catalog.hash == first
    assert b"hunter2" not in to_bytes(catalog)


def test_yaml_and_data_agree(shop: Shop, shop_text: str) -> None:
    catalog = load(shop(more=SMTP))
    assert from_data({**yaml.safe_load(shop_text), **yaml.safe_load(SMTP)}).hash == catalog.hash
    assert from_data(to_data(catalog)) == catalog


def test_the_words_of_the_catalog_are_those_of_the_registries() -> None:
    assert set(CARRIERS) == set(carriers.CARRIERS)
    assert set(FORMS) == set(forms.FORMS)
    for name, carries in CARRIERS.items():
        assert set(carries.needs) <= set(carries.options), name
        assert set(carries.forms) <= set(FORMS), name
