"""What a customer changed on their page, as events: only what differs from what holds, each with what they saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opportune.api.pages.language import languages
from opportune.api.pages.standing import Standing, Way
from opportune.api.pages.values import alike, value_of, written
from opportune.catalog.types import Catalog
from opportune.deliver.render.languages import base
from opportune.errors import BadInput

SOURCE = "preference-center"
WORDING = "preference-center/1"
"""The version of the words of the page; where the catalog has a wording of its own, that is shown and named."""

PAUSES = {"7d": "pause_week", "30d": "pause_month", "90d": "pause_quarter"}

Call = dict[str, Any]


def chosen(
    was: Standing, form: Mapping[str, str], catalog: Catalog, language: str, proven: str = "", moved: str = ""
) -> list[Call]:
    """Return the calls that the form of channels, topics and frequencies amounts to.

    `proven` is the channel that brought the customer here, if the link came to the address that they have now: what
    they allow there needs no second opt-in. `moved` is that channel if the address is another one by now: whoever has
    the link can ask for messages to it, not allow them.
    """
    calls: list[Call] = []
    words = [*_ways(was, form, proven, moved), *_topics(was, form, moved)]
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
    """Return the calls that end every break: of all channels, of one, about a topic."""
    topics = ({"topic": key[2]} if len(key) == 3 else {} for key in was.breaks)
    return [_track("Contact Resumed", channel=key[1], **topic) for key, topic in zip(was.breaks, topics, strict=True)]


def corrected(was: Standing, form: Mapping[str, str], language: str) -> tuple[list[Call], bool]:
    """Return the calls that correct what is known, and whether some text could not be read: it changes nothing.

    Only what differs from the text that the page showed was corrected.
    """
    calls, unread = list[Call](), False
    for trait, value in was.facts:
        text = form.get(f"fact-{trait.name}")
        if text is None or alike(text, written(trait.kind, value, language, was.zone)):
            continue
        try:
            new = value_of(trait.kind, text.strip(), language)
        except (ValueError, BadInput):
            unread = True
            continue
        if new != value:
            said = {"remove": True} if new is None else {"value": new}
            calls.append(_track("Fact Corrected", name=trait.name, was=value, **said))
    return calls, unread


def denied(was: Standing, form: Mapping[str, str]) -> list[Call]:
    """Return the call by which a customer says that they are not in a situation."""
    name = form.get("situation", "")
    known = [situation for situation, _ in was.situations]
    return [_track("Situation Corrected", situation=name, holds=False)] if name in known else []


def refusals(calls: Sequence[Call]) -> list[Call]:
    """Return what of some calls takes consent back."""
    words = [(call, [w for w in call["properties"].get("consents", ()) if w["status"] == "withdrawn"])
             for call in calls if "properties" in call]  # fmt: skip
    return [{**call, "properties": {**call["properties"], "consents": taken}} for call, taken in words if taken]


def asks(calls: Sequence[Call]) -> bool:
    """Return whether some calls only ask for what is still to be confirmed."""
    return any(w["status"] == "requested" for c in calls for w in c.get("properties", {}).get("consents", ()))


def _ways(was: Standing, form: Mapping[str, str], proven: str, moved: str) -> Iterator[dict[str, str]]:
    for way in was.ways:
        wanted = f"way-{way.name}" in form
        if wanted and not way.allowed and (way.status != "requested" or way.name == proven):
            status = "requested" if way.name == moved else "granted"
            how = {"method": "double_opt_in"} if way.name == proven else {}
            yield _word(way, status) | how
            if way.shut:  # who stopped everything here and comes back wants to hear of their contract again
                yield _word(way, status) | how | {"purpose": "all"}
        elif not wanted and (way.allowed or way.status == "requested"):
            yield _word(way, "withdrawn")


def _word(way: Way, status: str) -> dict[str, str]:
    return {"purpose": way.purpose, "channel": way.name, "status": status}


def _topics(was: Standing, form: Mapping[str, str], moved: str) -> Iterator[dict[str, str]]:
    open_ = [way.name for way in was.ways if f"way-{way.name}" in form and not way.ads and way.name != moved]
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
    short = len(number) <= 4 and len(days) <= 2 and number.isdecimal() and days.isdecimal()
    if not (short and 0 < int(days) <= 90 and int(number) <= 1000):
        return _track("Frequency Chosen", channel=channel, at_most=None)
    return _track("Frequency Chosen", channel=channel, at_most=int(number), **{"in": f"{int(days)}d"})


def _track(event: str, **properties: Any) -> Call:
    return {"type": "track", "event": event, "properties": properties}
