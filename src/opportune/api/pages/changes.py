"""What a customer changed on their page, as events: only what differs from what holds, each with what they saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from opportune.api.pages.language import languages
from opportune.api.pages.standing import Standing, Way
from opportune.catalog.types import Catalog
from opportune.clock import parse_instant
from opportune.deliver.render.languages import base
from opportune.errors import BadInput
from opportune.rules import Kind, Value

SOURCE = "preference-center"
WORDING = "preference-center/1"
"""The version of the words of the page; where the catalog has a wording of its own, that is shown and named."""

PAUSES = {"7d": "pause_week", "30d": "pause_month", "90d": "pause_quarter"}

LONGEST = 200
"""Characters of a fact that a customer may write."""

Call = dict[str, Any]


def chosen(was: Standing, form: Mapping[str, str], catalog: Catalog, language: str, proven: str) -> list[Call]:
    """Return the calls that the form of channels, topics and frequencies amounts to.

    `proven` is the channel that brought the customer here: what they allow there needs no second opt-in, because the
    link itself came that way.
    """
    calls: list[Call] = []
    words = [*_ways(was, form, proven), *_topics(was, form)]
    if words:
        saw = {"wording": catalog.consent.wording or WORDING, "language": language, "source": SOURCE, "method": "form"}
        calls.append(_track("Consent Updated", **saw, consents=words))
    calls += _frequencies(was, form)
    preferred = form.get("preferred", was.preferred)
    if preferred != was.preferred and (preferred == "" or preferred in [way.name for way in was.ways]):
        calls.append(_track("Channel Preferred", channel=preferred or None, only=False))
    told, own = form.get("language", ""), was.language if isinstance(was.language, str) else language
    if told in languages() and told != base(own):
        calls.append({"type": "identify", "traits": {"language": told}})
    return calls


def paused(form: Mapping[str, str]) -> list[Call]:
    """Return the call that takes a break from all marketing."""
    span = form.get("for", "")
    return [_track("Contact Paused", channel="all", **{"for": span})] if span in PAUSES else []


def resumed(was: Standing) -> list[Call]:
    """Return the call that ends a break."""
    return [] if was.pause is None else [_track("Contact Resumed", channel="all")]


def corrected(was: Standing, form: Mapping[str, str]) -> list[Call]:
    """Return the calls that correct what is known; a value that cannot be read changes nothing."""
    calls: list[Call] = []
    for trait, value in was.facts:
        text = form.get(f"fact-{trait.name}")
        if text is None:
            continue
        try:
            new = value_of(trait.kind, text.strip())
        except (ValueError, BadInput):
            continue
        if new != value:
            said = {"remove": True} if new is None else {"value": new}
            calls.append(_track("Fact Corrected", name=trait.name, was=value, **said))
    return calls


def denied(was: Standing, form: Mapping[str, str]) -> list[Call]:
    """Return the call by which a customer says that they are not in a situation."""
    name = form.get("situation", "")
    known = [situation for situation, _ in was.situations]
    return [_track("Situation Corrected", situation=name, holds=False)] if name in known else []


def _ways(was: Standing, form: Mapping[str, str], proven: str) -> Iterator[dict[str, str]]:
    for way in was.ways:
        wanted = f"way-{way.name}" in form
        if wanted and not way.allowed and way.status != "requested":
            yield _word(way, "granted") | ({"method": "double_opt_in"} if way.name == proven else {})
        elif wanted and not way.allowed and way.name == proven:
            yield _word(way, "granted") | {"method": "double_opt_in"}
        elif not wanted and (way.allowed or way.status == "requested"):
            yield _word(way, "withdrawn")


def _word(way: Way, status: str) -> dict[str, str]:
    return {"purpose": way.purpose, "channel": way.name, "status": status}


def _topics(was: Standing, form: Mapping[str, str]) -> Iterator[dict[str, str]]:
    open_ = [way.name for way in was.ways if f"way-{way.name}" in form and not way.ads]
    for topic, _, wanted_before in was.topics:
        wanted = f"topic-{topic}" in form
        about = {"purpose": "marketing", "topic": topic}
        if wanted_before and not wanted:
            yield {**about, "channel": "all", "status": "withdrawn"}
        elif wanted and not wanted_before:
            # a grant for all channels lifts no refusal of one; where offers are not wanted at all, none is given
            for channel in ("all", *open_):
                yield {**about, "channel": channel, "status": "granted"}


def _frequencies(was: Standing, form: Mapping[str, str]) -> list[Call]:
    told = {way: form.get(f"often-{way.name}", way.often) for way in was.ways if way.push and not way.ads}
    changed = {way: often for way, often in told.items() if often != way.often}
    if changed and was.often_all:  # one choice for all becomes one for each
        return [_often("all", ""), *(_often(way.name, often) for way, often in told.items())]
    return [_often(way.name, often) for way, often in changed.items()]


def _often(channel: str, often: str) -> Call:
    number, _, days = often.partition("/")
    if not (number.isdecimal() and days.isdecimal() and 0 < int(days) <= 90 and int(number) <= 1000):
        return _track("Frequency Chosen", channel=channel, at_most=None)
    return _track("Frequency Chosen", channel=channel, at_most=int(number), **{"in": f"{int(days)}d"})


def value_of(kind: Kind, text: str) -> Value:
    """Return the value that a text of a form stands for, None for an empty one; `ValueError`, `BadInput` for others."""
    if not text:
        return None
    if kind is Kind.NUMBER:
        number = float(text.replace(",", "."))
        if number - number != 0:
            raise ValueError("not finite")
        return number
    if kind is Kind.BOOL:
        if text not in ("yes", "no"):
            raise ValueError("neither yes nor no")
        return text == "yes"
    if kind is Kind.TIME:
        parse_instant(text)
    return text[:LONGEST]


def _track(event: str, **properties: Any) -> Call:
    return {"type": "track", "event": event, "properties": properties}
