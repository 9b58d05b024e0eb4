"""The section `channels`: the ways to the customer, what a message in each consists of, and what carries it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Fields, nearest
from opportune.catalog.node import Node
from opportune.catalog.types import Catalog, Channel

CHANNELS = {
    **dict.fromkeys(("app", "web", "agent"), False),
    **dict.fromkeys(("email", "sms", "push", "letter", "call", "ads", "webhook"), True),
}
"""The channels that need no declaration, and whether they push. `agent` is the call centre when the customer calls."""

FORMS = ("audience", "email", "json", "letter", "push", "script", "sms")
"""What a message can consist of: the names of `deliver.forms`."""

_FORM_OF = {
    **{name: name for name in ("email", "sms", "push", "letter")},
    "call": "script",
    "agent": "script",
    "ads": "audience",
}
_TRAIT_OF = {
    "email": "email",
    "sms": "phone",
    "push": "push_token",
    "letter": "address",
    "call": "phone",
    "ads": "email",
}


@dataclass(frozen=True, slots=True)
class Carries:
    """What a carrier can be told: the forms that it takes, the options that it knows, and those that it must have."""

    forms: tuple[str, ...]
    options: tuple[str, ...]
    needs: tuple[str, ...]


CARRIERS: Mapping[str, Carries] = {
    "apprise": Carries(("json", "push", "sms"), ("url",), ("url",)),
    "file": Carries(FORMS, ("folder",), ("folder",)),
    "print": Carries(("letter",), ("folder",), ("folder",)),
    "smtp": Carries(
        ("email",),
        (
            "host", "port", "tls", "user", "password", "hostname", "from", "reply_to", "bounces_to", "connections",
            "connect_seconds", "reply_seconds", "accept_seconds",
        ),
        ("host",),
    ),
    "webhook": Carries(FORMS, ("url", "secret", "headers", "allow_private"), ("url", "secret")),
}  # fmt: skip
"""The carriers of `deliver.carriers` by name."""

SECRETS = ("password", "secret")
"""Options that do not belong into files."""

TLS = ("none", "starttls", "tls")
"""How a connection to a relay is kept private."""

_FILLED = re.compile(r"\$\{[A-Za-z_]")
"""Where the environment says a value, which nobody knows yet."""

_UNCLOSED = re.compile(r"\$\{[^}]*\Z")

TRACKED = ("clicks", "opens")
"""What can be heard of a message that arrived."""

SLOWEST = 0.001


def plain(name: str, push: bool) -> Channel:
    """Return a channel as it is where nothing more is said of it.

    >>> plain("sms", True).form, plain("sms", True).to, plain("kiosk", False).form
    ('sms', 'phone', 'json')
    """
    return Channel(name, push, _FORM_OF.get(name, "json"), to=_TRAIT_OF.get(name, ""))


def read_channels(draft: Draft, node: Node | None) -> tuple[Channel, ...]:
    channels = {name: plain(name, push) for name, push in CHANNELS.items()}
    for item in entries(node):
        fields, name = draft.named("channels", "channel", item, readable=True)
        if "push" not in fields.values and name not in CHANNELS:
            cure = "add `push: true` if it reaches out, `push: false` if the customer comes to it"
            draft.report.error(item.spot, f"{fields.what} does not say whether it pushes", cure)
        channels[name] = _channel(fields, plain(name, fields.flag("push", CHANNELS.get(name, False))))
        fields.close()
    return tuple(channels[name] for name in sorted(channels))


def _channel(fields: Fields, usual: Channel) -> Channel:
    form = fields.choice("form", FORMS, usual.form)
    via = fields.choice("via", tuple(CARRIERS)) or None
    rate_node = fields.find("rate")
    rate = None if rate_node is None else fields.number_of(rate_node, "rate", 1.0, SLOWEST, 1e15)
    options = {key: value.plain() for key, _, value in fields.pairs("options") if value.value is not None}
    if via is None:
        for key in ("rate", "options"):
            if fields.find(key) is not None:
                what = f"`{key}` of {fields.what} says how to send, but nothing sends there"
                fields.report.error(fields.spot(key), what, f"add `via:` ({', '.join(CARRIERS)})")
    else:
        _check_carrier(fields, usual.push, form, via)
    return Channel(usual.name, usual.push, form, via, fields.text("to", usual.to), rate, options, _track(fields, usual))


def _track(fields: Fields, usual: Channel) -> tuple[str, ...]:
    for item in fields.items("track"):
        if item.text not in TRACKED:
            fields.report.error(item.spot, f"unknown word `{item.text}` in `track`", nearest(item.text, TRACKED))
    return tuple(sorted(fields.words("track", usual.track)))


def _check_carrier(fields: Fields, push: bool, form: str, via: str) -> None:
    carries = CARRIERS[via]
    if not push:
        what = f"{fields.what} does not push, so nothing is sent through `{via}`"
        fields.report.error(fields.spot("via"), what, "remove `via`, or set `push: true`")
    if form not in carries.forms:
        others = [name for name, other in CARRIERS.items() if form in other.forms]
        what = f"`{via}` cannot carry the form `{form}` of {fields.what}"
        fields.report.error(fields.spot("via"), what, f"use {' or '.join(others)}, or another `form`")
    given = dict.fromkeys(carries.needs, False)
    for key, spot, value in fields.pairs("options"):
        given[key] = value.value is not None
        if key not in carries.options:
            fields.report.error(spot, f"`{via}` has no option `{key}`", nearest(key, carries.options))
        elif key in SECRETS and given[key] and "${" not in value.text:
            name = f"{fields.text('name')}_{key}".upper()
            what = f"the {key} of {fields.what} stands in the files for all to read"
            fields.report.warn(value.spot, what, f'write "${{{name}}}" and set {name} in the environment')
        elif key in _CHECKED and given[key] and not _FILLED.search(value.text) and not _CHECKED[key][0](value):
            fields.wrong(value, key, _CHECKED[key][1])
        _check_closed(fields, value)
    for key in (key for key in carries.needs if not given[key]):
        what = f"{fields.what} does not say the option `{key}`, which `{via}` needs"
        fields.report.error(fields.spot("via"), what, f"add `{key}:` under `options:`")


def _check_closed(fields: Fields, value: Node) -> None:
    """Report a `${` that never ends: it would be taken as it stands."""
    inner = value.value
    for node in inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else ():
        _check_closed(fields, node)
    if found := _UNCLOSED.search(value.text):
        before = value.text[: found.start()]
        spot = value.inside(before.count("\n") + 1, len(before) - before.rfind("\n"))
        fields.report.error(spot, f"`${{` in {fields.what} has no `}}`", "write ${NAME}")


def _is_port(value: Node) -> bool:
    try:
        number = float(value.text)
    except ValueError:
        return False
    return 1 <= number <= 65535 and number == int(number)


_CHECKED: Mapping[str, tuple[Callable[[Node], bool], str]] = {
    "port": (_is_port, "a number from 1 to 65535"),
    "tls": (lambda value: value.text in TLS, f"one of {', '.join(TLS)}"),
}
"""Options that can be checked before they are used, and what they must be."""


def write_channels(catalog: Catalog) -> Any:
    return [written for c in catalog.channels if len(written := _written(c)) > 1]


def _written(c: Channel) -> dict[str, Any]:
    """Return what differs from the channel of that name; a name that is not built in always says whether it pushes."""
    usual = plain(c.name, c.push)
    written = slim(
        name=c.name,
        push=None if CHANNELS.get(c.name) is c.push else c.push,
        form=None if c.form == usual.form else c.form,
        via=c.via,
        to=None if c.to == usual.to else c.to,
        rate=c.rate,
        options=dict(c.options),
    )
    # `slim` would drop an empty list, which says something here
    return written if c.track == usual.track else {**written, "track": list(c.track)}
