"""Who reads a message: the names that templates may use, made from a profile as it is now. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from opportune.catalog.content import LANGUAGE
from opportune.catalog.types import Action, Catalog
from opportune.clock import to_datetime
from opportune.deliver.render.salutation import INFORMAL

DEEPEST, MOST = 6, 1000
"""How deep traits may be nested, and how many values one list or mapping may have; the rest is left out."""

LINKS = ("unsubscribe", "preferences", "why", "confirm", "web", "answer")
"""The links that a message may have; those that are not given are empty."""


COUPON = ("code", "name", "ends", "value", "percent", "up_to", "minimum")
"""What a message may say of the code that its action gives; None where there is none."""


def links_of(action: Action) -> tuple[str, ...]:
    """Return the names of the links that a message of an action has: a way out of marketing, an answer to a question.

    None has `web` yet.
    """
    asks = action.survey or action.asks
    ways = ("unsubscribe", "preferences") if action.kind == "marketing" else ()
    return ("why", "confirm", *ways, *(("answer",) if asks else ()))


_TITLES = frozenset(
    ("dr", "prof", "dipl", "ing", "med", "phil", "rer", "nat", "jur", "h", "c", "mag", "mult", "habil", "phd", "md")
)


def context(
    customer: str,
    traits: Mapping[str, Any],
    values: Mapping[str, Any],
    catalog: Catalog,
    now: int,
    time_zone: str,
    action: Action | None = None,
    value: float | None = None,
    decision_id: str | None = None,
    items: Sequence[Any] = (),
    links: Mapping[str, str] | None = None,
    coupon: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what templates may read about one person and one action: plain data, and nothing else.

    `traits` are all that are known, declared or not; `values` hold the declared features (`View.values`). `time_zone`
    is the customer's, `value` what the action is worth for them. Names lose line breaks and control characters; traits
    keep what they hold. `items` and `coupon` are what the action carries. What is unknown is None or "", so that
    `default` finds it.
    """
    plain = {str(name): tidied(v) for name, v in traits.items()}
    return {
        "customer": _customer(customer, plain, catalog.language, time_zone),
        "traits": plain,
        "features": {f.name: tidied(values.get(f.name)) for f in catalog.features},
        "action": _action(action, value),
        "decision": {"id": decision_id},
        "items": tidied(list(items)),
        "coupon": {name: tidied((coupon or {}).get(name)) for name in COUPON},
        "links": {name: (links or {}).get(name, "") for name in LINKS},
        "sender": _sender(catalog),
        "currency": catalog.currency,
        "now": _local(now, time_zone).isoformat(timespec="seconds"),
    }


def language_of(traits: Mapping[str, Any], default: str) -> str:
    """Return the language that a customer reads: the trait `language`, else that of `locale`, else the default.

    >>> language_of({"language": "de_AT"}, "en"), language_of({"locale": "pt-BR"}, "en"), language_of({}, "en")
    ('de-AT', 'pt-BR', 'en')
    """
    for key in ("language", "locale"):
        found = _tag(traits.get(key))
        if found:
            return found
    return default


def tidied(value: Any, depth: int = 0) -> Any:
    """Return plain data: text, numbers, bools, None, lists and mappings of them, within bounds.

    A whole number is one however it was computed (`39.0` reads `39`), NaN and infinity are unknown.

    >>> tidied({"a": 39.0, "b": [float("nan"), object]})
    {'a': 39, 'b': [None, None]}
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 64 else str(value) if value.bit_length() < 4000 else None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 1e15 else value
    if depth >= DEEPEST:
        return None
    if isinstance(value, Mapping):
        return {str(k): tidied(v, depth + 1) for k, v in list(value.items())[:MOST]}
    if isinstance(value, list | tuple):
        return [tidied(v, depth + 1) for v in value[:MOST]]
    return value.isoformat() if isinstance(value, datetime) else None


def _customer(customer: str, traits: Mapping[str, Any], default: str, time_zone: str) -> dict[str, Any]:
    first = _name(traits, "first_name", "firstName")
    last = _name(traits, "last_name", "lastName")
    name = _name(traits, "name") or f"{first} {last}".strip()
    language = language_of(traits, default)
    country = _name(traits, "country").upper()
    regional = f"{language}-{country}" if "-" not in language and len(country) == 2 else language
    return {
        "id": customer,
        "name": name,
        "first_name": first,
        "last_name": last,
        "title": _title(_name(traits, "title")),
        "salutation": _name(traits, "salutation"),
        "manner": "informal" if _name(traits, "manner", "formality").lower() in INFORMAL else "formal",
        "language": language,
        "locale": _tag(traits.get("locale")) or regional,
        "time_zone": time_zone,
        "country": country,
    }


def _name(traits: Mapping[str, Any], *keys: str) -> str:
    """Return the first of some traits that is a text, on one line and without characters that cannot be seen."""
    for key in keys:
        value = traits.get(key)
        if isinstance(value, str) and value.strip():
            # invisible ones turn the direction of what follows, or end a header
            return " ".join("".join(c if c.isprintable() or c in "\u200c\u200d" else " " for c in value).split())
    return ""


def _title(text: str) -> str:
    """Return an academic title; what else `title` holds is a job, and nobody is greeted with that."""
    words = text.replace(".", " ").replace("-", " ").lower().split()
    return text if words and all(word in _TITLES for word in words) else ""


def _tag(value: Any) -> str:
    """Return a language or locale as it is written in BCP 47; "" if it is none."""
    if not isinstance(value, str) or len(value) > 20:
        return ""
    language, *rest = value.strip().partition(".")[0].replace("_", "-").split("-")
    parts = [part.title() if len(part) == 4 else part.upper() for part in rest]
    tag = "-".join([language.lower(), *parts])
    return tag if LANGUAGE.fullmatch(tag) else ""


def _action(action: Action | None, value: float | None) -> dict[str, Any]:
    if action is None:
        return dict.fromkeys(("name", "issue", "group", "value", "benefit", "campaign"))
    worth = action.value if value is None and isinstance(action.value, float) else value
    return {
        "name": action.name,
        "issue": action.issue,
        "group": action.group,
        "value": tidied(worth),
        "benefit": action.benefit,
        "campaign": action.campaign,
    }


def _sender(catalog: Catalog) -> dict[str, str]:
    sender = catalog.sender
    return {key: getattr(sender, key) for key in ("name", "email", "reply_to", "address", "website")}


def _local(now: int, time_zone: str) -> datetime:
    return to_datetime(now).astimezone(_zone(time_zone))


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
