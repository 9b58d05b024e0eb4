"""The sections on what customers may choose: topics, how consent is asked for, and whose holidays count."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Fields, nearest
from opportune.catalog.node import Node
from opportune.catalog.types import Catalog, ConsentRules, Holidays, Topic
from opportune.clock import format_instant, format_span

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of the week, the first as `datetime.weekday` has it."""

LANGUAGE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*")

RESERVED_TOPIC = "all"


def read_topics(draft: Draft, node: Node | None) -> tuple[Topic, ...]:
    topics = []
    for item in entries(node):
        fields, name = draft.named("topics", "topic", item)
        if name == RESERVED_TOPIC or len(name) > 64 or name != name.lower():
            cure = "events of consent name it: lower case, at most 64 characters, and not `all`"
            draft.report.error(fields.spot("name"), f"`{name}` cannot name a topic", cure)
        topics.append(Topic(name, by_language(fields, "title")))
        fields.close()
    return tuple(sorted(topics, key=lambda t: t.name))


def write_topics(catalog: Catalog) -> Any:
    return [slim(name=t.name, title=_written(t.title)) for t in catalog.topics]


def read_consent(draft: Draft, node: Node | None) -> ConsentRules:
    if node is None:
        return ConsentRules()
    draft.nodes["consent"] = {"": node}
    fields = Fields(node, draft.report, "`consent`")
    known = [c.name for c in draft.parts["channels"]]
    for item in fields.items("double_opt_in"):
        if item.text not in known:
            what = f"unknown channel `{item.text}` in `double_opt_in`"
            draft.report.error(item.spot, what, nearest(item.text, known))
    version, texts = _wording(draft, fields)
    rules = ConsentRules(
        double_opt_in=frozenset(fields.words("double_opt_in")),
        since=fields.instant("since", draft.zone),
        expires=fields.span("expires"),
        wording=version,
        texts=texts,
        controller=fields.text("controller"),
    )
    if rules.since is not None and not rules.double_opt_in:
        what, cure = "`since` of `consent` is about `double_opt_in`, which is absent", "name the channels, or remove it"
        draft.report.error(fields.spot("since"), what, cure)
    fields.close()
    return rules


def _wording(draft: Draft, consent: Fields) -> tuple[str, dict[str, str]]:
    node = consent.find("wording")
    if node is None:
        return "", {}
    fields = Fields(node, draft.report, "`wording` of `consent`")
    version, texts = fields.text("version", required=True), by_language(fields, "text")
    if not texts:
        draft.report.error(node.spot, "`wording` of `consent` has no `text`", "add what customers see, by language")
    fields.close()
    return version, texts


def write_consent(catalog: Catalog) -> Any:
    rules = catalog.consent
    return slim(
        double_opt_in=sorted(rules.double_opt_in),
        since=None if rules.since is None else format_instant(rules.since),
        expires=None if rules.expires is None else format_span(rules.expires),
        wording=slim(version=rules.wording, text=_written(rules.texts)),
        controller=rules.controller,
    )


def read_holidays(draft: Draft, node: Node | None) -> Holidays:
    if node is None:
        return Holidays()
    draft.nodes["holidays"] = {"": node}
    fields = Fields(node, draft.report, "`holidays`")
    found = Holidays(fields.text("country", required=True).upper(), fields.text("region").upper())
    fields.close()
    if found.country:
        _check_calendar(draft, fields, found)
    return found


def _check_calendar(draft: Draft, fields: Fields, found: Holidays) -> None:
    from holidays.utils import list_supported_countries

    calendars = list_supported_countries(include_aliases=True)
    if found.country not in calendars or len(found.country) != 2:
        cure = "write the two letters of ISO 3166, such as DE"
        draft.report.error(fields.spot("country"), f"no holidays are known of country `{found.country}`", cure)
    elif found.region and found.region not in {region.upper() for region in calendars[found.country]}:
        what = f"no holidays are known of region `{found.region}` of {found.country}"
        draft.report.error(fields.spot("region"), what, nearest(found.region, calendars[found.country]))


def write_holidays(catalog: Catalog) -> Any:
    return slim(country=catalog.holidays.country, region=catalog.holidays.region)


def week_days(fields: Fields) -> tuple[str, ...]:
    """Return the days of the week under `days`, in the order of the week."""
    words = fields.words("days")
    for item in fields.items("days"):
        if item.text not in WEEK:
            fields.report.error(item.spot, f"unknown day `{item.text}` in {fields.what}", nearest(item.text, WEEK))
    return tuple(day for day in WEEK if day in words)


def _written(texts: Mapping[str, str]) -> Any:
    return texts[""] if "" in texts else dict(texts)


def by_language(fields: Fields, key: str) -> dict[str, str]:
    """Return texts by language; one plain text stands under "", for every language."""
    node = fields.find(key)
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        text = fields.text(key)
        return {"": text} if text else {}
    texts = {}
    for language, spot, value in fields.pairs(key):
        if not LANGUAGE.fullmatch(language):
            what = f"`{language}` under `{key}` of {fields.what} is no language"
            fields.report.error(spot, what, "write en, de, pt-BR")
        elif isinstance(value.value, dict | list) or not value.text.strip():
            fields.wrong(value, f"{key}.{language}", "text")
        else:
            texts[language] = value.text.strip()
    return texts
