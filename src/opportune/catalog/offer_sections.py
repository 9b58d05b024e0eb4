"""The sections on what customers can redeem: `coupons`, and the points of `loyalty`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Fields
from opportune.catalog.node import Node
from opportune.catalog.offer_types import Coupon, Earn, Loyalty, Tier
from opportune.catalog.types import Catalog, Trait
from opportune.clock import DAY, format_instant, format_span, parse_instant
from opportune.rules import Kind

POINTS, TIER, EXPIRING = "points", "tier", "points_expiring"
"""The traits that the account of a customer's points writes."""

TOLD = ("Points Changed", "Points Expiring")
"""The events by which the hub tells of an account; they earn nothing."""

RESERVED = ("redeem", "release", "show")
"""Words of the addresses under `/v1/coupons/`, which cannot name a coupon."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_PREFIX = re.compile(r"[0-9A-HJKMNP-TV-Z]{0,8}")
_CODE = re.compile(r"[A-Z0-9][A-Z0-9-]{4,30}[A-Z0-9]")


def read_coupons(draft: Draft, node: Node | None) -> tuple[Coupon, ...]:
    found = [_coupon(draft, item) for item in entries(node)]
    codes: dict[str, str] = {}
    for coupon in (c for c in found if c.code):
        plain = coupon.code.replace("-", "").translate(str.maketrans("OIL", "011"))
        if plain in codes:
            what = f"`{coupon.name}` and `{codes[plain]}` have the same code"
            draft.report.error(draft.spot("coupons", coupon.name, "code"), what, "give each a code of its own")
        codes[plain] = coupon.name
    return tuple(sorted(found, key=lambda c: c.name))


def _coupon(draft: Draft, item: Node) -> Coupon:
    fields, name = draft.named("coupons", "coupon", item)
    if name in RESERVED:
        draft.report.error(fields.spot("name"), f"`{name}` cannot name a coupon", f"not one of {', '.join(RESERVED)}")
    kind = fields.choice("kind", ("unique", "shared"), "unique")
    value, percent = fields.number("value", 0.0, 0.0, 1e6), fields.number("percent", 0.0, 0.0, 100.0)
    if (value > 0) == (percent > 0):
        what = f"coupon `{name}` needs one of `value` and `percent`, above 0"
        draft.report.error(fields.node.spot, what, "value: 10 is money, percent: 10 a share of the order")
    coupon = Coupon(
        name=name,
        kind="shared" if kind == "shared" else "unique",
        value=value,
        percent=percent,
        up_to=_number(fields, "up_to"),
        at_most=_whole(fields, "at_most"),
        per_customer=_whole(fields, "per_customer"),
        budget=_number(fields, "budget"),
        valid=fields.span("valid"),
        until=_until(draft, fields),
        minimum=fields.number("minimum", 0.0, 0.0, 1e6),
        only={key: _values(fields, key, value) for key, _, value in fields.pairs("for")},
        prefix=fields.text("prefix"),
        code=fields.text("code").upper(),
        cost=_number(fields, "cost"),
    )
    fields.close()
    _check(draft, fields, coupon)
    return coupon


def _check(draft: Draft, fields: Fields, c: Coupon) -> None:
    error, spot = draft.report.error, fields.spot
    if c.value and c.up_to is not None:
        error(spot("up_to"), f"coupon `{c.name}` is worth `value`; `up_to` bounds `percent`", "remove one of them")
    if c.percent and c.budget is not None and c.up_to is None and c.cost is None:
        what = f"coupon `{c.name}` has a `budget`, and a percentage may cost anything"
        error(spot("budget"), what, "add `up_to`, the most money that one order gets off")
    if not _PREFIX.fullmatch(c.prefix):
        cure = "at most 8 digits and capital letters without I, L, O and U, which are mistaken for others"
        error(spot("prefix"), f"`{c.prefix}` cannot begin a code", cure)
    if c.code and not _CODE.fullmatch(c.code):
        error(spot("code"), f"`{c.code}` cannot be a code", "write 6 to 32 letters, digits and dashes")
    if c.kind == "unique" and c.code:
        error(spot("code"), f"coupon `{c.name}` has one `code` for everybody", "add `kind: shared`")
    if c.kind == "shared" and c.valid is not None:
        what = f"coupon `{c.name}` is shared: everybody has the same code"
        error(spot("valid"), what, "say `until` when it is good; `valid` counts from when a code was made")


def _number(fields: Fields, key: str) -> float | None:
    return fields.number(key, 0.0, 0.0, 1e12) if fields.find(key) is not None else None


def _whole(fields: Fields, key: str) -> int | None:
    return fields.whole(key, 1, 1) if fields.find(key) is not None else None


def _until(draft: Draft, fields: Fields) -> int | None:
    """Return an instant; a date alone is the whole of that day, as people read it on a coupon."""
    at, node = fields.instant("until", draft.zone), fields.find("until")
    if at is None or node is None or not _DATE.fullmatch(node.text.strip()):
        return at
    after = datetime.fromisoformat(node.text.strip()) + timedelta(days=1)
    return parse_instant(after.replace(tzinfo=draft.zone).isoformat())


def _values(fields: Fields, key: str, node: Node) -> tuple[str, ...]:
    nodes = node.value if isinstance(node.value, list) else [node]
    for one in nodes:
        if isinstance(one.value, dict | list) or not one.text:
            fields.wrong(one, f"for.{key}", "a text or a list of texts")
    return tuple(sorted({one.text for one in nodes}))


def write_coupons(catalog: Catalog) -> Any:
    return [
        slim(
            name=c.name,
            kind=None if c.kind == "unique" else c.kind,
            value=c.value or None,
            percent=c.percent or None,
            up_to=c.up_to,
            at_most=c.at_most,
            per_customer=c.per_customer,
            budget=c.budget,
            valid=None if c.valid is None else format_span(c.valid),
            until=None if c.until is None else format_instant(c.until),
            minimum=c.minimum or None,
            for_={key: list(values) for key, values in c.only.items()},
            prefix=c.prefix,
            code=c.code,
            cost=c.cost,
        )
        for c in catalog.coupons
    ]


def read_loyalty(draft: Draft, node: Node | None) -> Loyalty | None:
    if node is None:
        return None
    draft.nodes["loyalty"] = {"": node}
    fields = Fields(node, draft.report, "`loyalty`")
    loyalty = Loyalty(
        earn=tuple(_earn(draft, item) for item in fields.items("earn", required=True)),
        tiers=tuple(sorted((_tier(draft, item) for item in fields.items("tiers")), key=lambda t: t.at)),
        expire=_days(fields, "expire"),
        notice=_days(fields, "notice") or 0,
        since=fields.instant("since", draft.zone),
    )
    fields.close()
    if loyalty.notice and (loyalty.expire is None or loyalty.notice > loyalty.expire):
        what = "`notice` of `loyalty` is longer than points are good"
        draft.report.error(fields.spot("notice"), what, "give `expire` a longer span, or remove `notice`")
    names = [t.name for t in loyalty.tiers]
    for name in {name for name in names if names.count(name) > 1}:
        draft.report.error(fields.spot("tiers"), f"two tiers are called `{name}`", "rename one")
    _declare(draft, fields)
    return loyalty


def _earn(draft: Draft, item: Node) -> Earn:
    fields = Fields(item, draft.report, "a rule of `earn`")
    event = fields.text("event", required=True)
    if event in TOLD:
        draft.report.error(fields.spot("event"), f"`{event}` is told of an account", "it cannot earn points itself")
    where = fields.find("where")
    found = Earn(
        event,
        fields.number("points", 1.0, 0.0, 1e6),
        fields.text("per") or None,
        None if where is None else draft.conditions.read(where, anything=True),
    )
    fields.close()
    return found


def _tier(draft: Draft, item: Node) -> Tier:
    fields = Fields(item, draft.report, "a tier")
    tier = Tier(fields.text("name", required=True), fields.whole("at", 1, 1, required=True), _days(fields, "window"))
    fields.close()
    return tier


def _days(fields: Fields, key: str) -> int | None:
    span = fields.span(key)
    if span is not None and (span % DAY or span > 36_500 * DAY):
        fields.report.error(fields.spot(key), f"`{key}` of {fields.what} must be whole days", "write 365d or 52w")
    return None if span is None else max(1, span // DAY)


def _declare(draft: Draft, fields: Fields) -> None:
    """Add the traits that the account writes, so that conditions can read them."""
    traits: dict[str, Trait] = {t.name: t for t in draft.parts["traits"]}
    others = [x.name for key in ("features", "context") for x in draft.parts[key]]
    for name, kind in ((POINTS, Kind.NUMBER), (TIER, Kind.TEXT), (EXPIRING, Kind.NUMBER)):
        if name in others or traits.get(name, Trait(name, kind)).kind is not kind:
            what = f"`loyalty` writes the {kind.value} trait `{name}`, which is declared as something else"
            draft.report.error(fields.node.spot, what, "rename yours")
        else:
            traits.setdefault(name, Trait(name, kind))
    draft.parts["traits"] = tuple(sorted(traits.values(), key=lambda t: t.name))


def write_loyalty(catalog: Catalog) -> Any:
    loyalty = catalog.loyalty
    if loyalty is None:
        return {}
    return slim(
        earn=[
            slim(event=e.event, points=e.points, per=e.per, where=None if e.where is None else e.where.canonical)
            for e in loyalty.earn
        ],
        tiers=[slim(name=t.name, at=t.at, window=_span(t.days)) for t in loyalty.tiers],
        expire=_span(loyalty.expire),
        notice=_span(loyalty.notice or None),
        since=None if loyalty.since is None else format_instant(loyalty.since),
    )


def _span(days: int | None) -> str | None:
    return None if days is None else f"{days}d"
