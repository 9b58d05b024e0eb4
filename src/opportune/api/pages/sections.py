"""The parts of the customer's page, as HTML: plain forms that work without any script."""

from __future__ import annotations

from collections.abc import Sequence

from opportune.api.pages.changes import PAUSES
from opportune.api.pages.frame import button, form, section, select
from opportune.api.pages.language import Words, languages, readable
from opportune.api.pages.markup import Html, Inner, tag
from opportune.api.pages.reasons import Reason, shown, told
from opportune.api.pages.standing import OFTEN, Standing, Way
from opportune.api.pages.values import written
from opportune.catalog.types import Catalog, Trait
from opportune.deliver.render.languages import base
from opportune.profiles.facts import LONGEST
from opportune.rules import Kind, Value

_OFTEN = {"": "often_any", "1/1": "often_day", "1/7": "often_week", "1/30": "often_month"}


def choices(was: Standing, catalog: Catalog, words: Words) -> Html:
    """Return the form of channels, topics, frequencies, the preferred channel and the language."""
    texts = catalog.consent.texts
    saw = words.titled(texts, "") if texts else None
    ways = [_way(way, was, words) for way in was.ways]
    hint = saw and tag("p", saw, class_="hint")
    parts: list[Inner] = [_do("choices"), _fieldset(words("ways"), words("ways_hint"), hint, ways)]
    if was.topics:
        rows = [_tick(f"topic-{name}", words.titled(titles, name), None, on) for name, titles, on in was.topics]
        parts.append(_fieldset(words("topics"), words("topics_hint"), rows))
    reach = [way.name for way in was.ways if way.push and not way.ads]
    if len(reach) > 1:
        options = [("", words("preferred_none")), *((name, words.channel(name)) for name in reach)]
        first = select("preferred", options, was.preferred, id="preferred")
        parts.append(_field("preferred", words("preferred"), first))
    own = base(was.language) if isinstance(was.language, str) and base(was.language) in languages() else words.language
    speech = select("language", [(code, name) for code, name in languages().items()], own, id="language")
    parts += [_field("language", words("speech"), speech), tag("div", button(words("save")), class_="actions")]
    return form(*parts, id="choices")


def pause(was: Standing, words: Words) -> Html:
    """Return the form that takes a break, and one that ends those that there are."""
    end = form(_do("resume"), button(words("resume_button"), "quiet"))
    if was.pause is not None:
        return section("pause", words("pause"), tag("p", _break(was.pause, was, words)), end)
    parts: Inner = None
    if was.breaks:
        some = [words.channel(way.name) for way in was.ways if way.pause is not None]
        parts = [tag("p", words("paused")), tag("ul", [tag("li", name) for name in some]) if some else None, end]
    spans = select("for", [(span, words(key)) for span, key in PAUSES.items()], "30d", id="for")
    inner = form(_do("pause"), _field("for", words("pause_for"), spans), button(words("pause_button"), "quiet"))
    return section("pause", words("pause"), parts, tag("p", words("pause_hint"), class_="hint"), inner)


def why(one: Reason | None, was: Standing, words: Words) -> Html:
    """Return why the message came that led here."""
    if one is None:
        return section("why", words("why"), tag("p", words("why_unknown")))
    facts: Inner = None
    if one.facts:
        rows = [
            [tag("dt", tag("bdi", name)), tag("dd", tag("bdi", shown(kind, value, words, was.zone)))]
            for name, kind, value in one.facts
        ]
        facts = [tag("p", words("why_facts")), tag("dl", rows)]
    return section("why", words("why"), [tag("p", text) for text in told(one, words, was.zone)], facts)


def recent(found: Sequence[Reason], was: Standing, words: Words) -> Html:
    """Return what the customer got lately."""
    if not found:
        return section("recent", words("recent"), tag("p", words("recent_none")))
    names = ("recent_date", "recent_what", "recent_way", "recent_why")
    head = tag("thead", tag("tr", [tag("th", words(name), scope="col") for name in names]))
    rows = [
        tag(
            "tr",
            tag("th", words.day(one.at, was.zone, "medium"), scope="row"),
            tag("td", tag("bdi", one.what)),
            tag("td", words.channel(one.channel)),
            tag("td", [tag("p", text) for text in told(one, words, was.zone)[1:]]),
        )
        for one in found
    ]
    return section("recent", words("recent"), tag("div", tag("table", head, tag("tbody", rows)), class_="table"))


def facts(was: Standing, words: Words) -> Html | None:
    """Return the form that corrects what is known; None where there is nothing to correct."""
    if not was.facts:
        return None
    rows = [
        _field(f"fact-{trait.name}", readable(trait.name), _input(trait, value, was, words))
        for trait, value in was.facts
    ]
    hint = tag("p", words("facts_hint"), class_="hint")
    return section("facts", words("facts"), hint, form(_do("facts"), rows, button(words("facts_save"), "quiet")))


def situations(was: Standing, words: Words) -> Html | None:
    """Return the situations that the customer is in, each with a way to say that it is not so."""
    if not was.situations:
        return None
    rows = []
    for name, since in was.situations:
        title = readable(name)
        day = None if since is None else words.day(since, was.zone)
        text = words("situation_since", situation=title, date=day) if day else title
        deny = button(words("situation_button", situation=title), "quiet", name="situation", value=name)
        rows.append(tag("li", tag("p", text), form(_do("situation"), deny)))
    return section("situations", words("situations"), tag("ul", rows))


def data(words: Words) -> Html:
    """Return the forms that give everything out, and that ask to delete it."""
    out = form(_do("download"), tag("p", words("download_hint")), button(words("download"), "quiet"))
    end = form(_do("forget"), tag("p", words("forget_hint")), button(words("forget"), "quiet"))
    return section("data", words("data"), out, end)


def downloading(words: Words) -> Inner:
    """Return the step before everything is given out: who asks for it names the address that the message went to."""
    acts = tag("div", button(words("download")), _back(words), class_="actions")
    return [tag("p", words("download_hint")), form(_do("download-now"), _named(words), acts)]


def forgetting(words: Words) -> Inner:
    """Return the step that says what deleting means, before it is done; it asks for the address, too."""
    box = tag("input", type="checkbox", name="sure", value="yes", required=True)
    sure = tag("label", box, tag("span", words("forget_sure")), class_="tick")
    acts = tag("div", button(words("forget_button"), "grave"), _back(words), class_="actions")
    return [tag("p", words("forget_text")), form(_do("forget-now"), _named(words), sure, acts)]


def _named(words: Words) -> Inner:
    hint = tag("p", words("prove_hint"), class_="hint", id="prove")
    field = tag("input", type="text", name="address", id="address", required=True, maxlength="320",
                autocomplete="off", dir="ltr", aria_describedby="prove")  # fmt: skip
    return [hint, _field("address", words("prove"), field)]


def _back(words: Words) -> Html:
    return tag("a", words("back"), href="?", class_="button quiet")


def _way(way: Way, was: Standing, words: Words) -> Html:
    state = _state(way, was, words)
    tick = _tick(f"way-{way.name}", words.channel(way.name), state, way.allowed or way.status == "requested")
    if not way.push or way.ads:
        return tag("div", tick, class_="row")
    options = [(value, words(_OFTEN[value])) for value in OFTEN]
    if way.often not in OFTEN:
        number, _, days = way.often.partition("/")
        options.append((way.often, words("often_other", number=number, days=days)))
    label = words("often", channel=words.channel(way.name))
    often = select(f"often-{way.name}", options, way.often, aria_label=label)
    return tag("div", tick, tag("div", often, class_="often"), class_="row")


def _break(until: int, was: Standing, words: Words) -> str:
    return words("paused_until", date=words.day(until, was.zone)) if until else words("paused")


def _state(way: Way, was: Standing, words: Words) -> str:
    if way.allowed and way.pause is not None and was.pause is None:
        return _break(way.pause, was, words)
    day = words.day(way.at, was.zone) if way.at is not None else ""
    if way.allowed:
        return words("allowed", date=day) if way.status == "granted" else words("not_refused")
    if way.status in ("refused", "withdrawn"):
        return words("refused", date=day)
    return words({"requested": "requested", "expired": "expired"}.get(way.status, "never_asked"))


def _tick(name: str, text: str, state: str | None, on: bool) -> Html:
    box = tag("input", type="checkbox", name=name, value="on", checked=on)
    about = tag("span", state, class_="state") if state else None
    return tag("label", box, tag("span", tag("bdi", text), about), class_="tick")


def _fieldset(legend: str, hint: str, *inner: Inner) -> Html:
    return tag("fieldset", tag("legend", legend), tag("p", hint, class_="hint"), inner)


def _field(name: str, label: str, control: Html) -> Html:
    return tag("div", tag("label", tag("bdi", label), for_=name), control, class_="field")


def _input(trait: Trait, value: Value, was: Standing, words: Words) -> Html:
    name, text = f"fact-{trait.name}", written(trait.kind, value, words.language, was.zone)
    if trait.kind is Kind.BOOL:
        options = [("", words("unknown")), ("yes", words("yes")), ("no", words("no"))]
        return select(name, options, text, id=name)
    if len(text) > 80 or "\n" in text:
        return tag("textarea", text, name=name, id=name, rows="4", maxlength=str(LONGEST), autocomplete="off")
    kinds = {Kind.NUMBER: {"type": "text", "inputmode": "decimal"}, Kind.TIME: {"type": "date"}}
    kind = kinds.get(trait.kind, {"type": "text", "maxlength": str(LONGEST)})
    return tag("input", name=name, id=name, value=text, autocomplete="off", **kind)


def _do(what: str) -> Html:
    return tag("input", type="hidden", name="do", value=what)
