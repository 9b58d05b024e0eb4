"""What a request for a page tells of the visit, as context for the decision (`catalog.page_types.VISIT_NAMES`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from opportune.api.pages.language import dearest
from opportune.catalog.page_sections import LONGEST
from opportune.catalog.page_types import VISIT_NAMES
from opportune.rules import Value
from opportune.wire.pages import PageRequest

LONGEST_ADDRESS, MOST_PARAMETERS = 8_000, 200

_TAG = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,4}")
_TABLET = re.compile(r"ipad|tablet|kindle|silk/|playbook|android(?!.*mobi)", re.IGNORECASE)
_MOBILE = re.compile(r"mobi|iphone|ipod|windows phone|opera mini", re.IGNORECASE)


def visit(asked: PageRequest, headers: Mapping[str, str], browser: bool) -> dict[str, Value]:
    """Return what is known of a visit, by name; what is not known is not there.

    The headers count where a `browser` sends them: a server that asks has a browser and a language of nobody.
    """
    page_host, page_path, parameters = _address(asked.url)
    told: dict[str, Value] = {
        "referrer_host": _address(asked.referrer)[0],
        "page_host": page_host,
        "page_path": page_path,
        "device": asked.device or (device_of(headers) if browser else ""),
        "language": language_of(asked, headers if browser else {}).partition("-")[0],
        **{name: parameters.get(name, "") for name in VISIT_NAMES if name.startswith("utm_")},
    }
    return {name: value[:LONGEST] for name, value in told.items() if isinstance(value, str) and value}


def opted_out(headers: Mapping[str, str]) -> dict[str, Value]:
    """Return the context that a browser opts out of sale (`Sec-GPC: 1`), whatever else a request says of it; else none.

    Only what opts out says something: a browser without the header may just not know it.
    """
    return {"gpc": True} if headers.get("sec-gpc") == "1" else {}


def language_of(asked: PageRequest, headers: Mapping[str, str]) -> str:
    """Return the tag of the page's language, or else of the one that the browser likes best; "" for none.

    >>> language_of(PageRequest(language="de_AT"), {}), language_of(PageRequest(), {"accept-language": "fr, en;q=0.5"})
    ('de-AT', 'fr')
    """
    for tag in (asked.language, *dearest(headers.get("accept-language", ""))):
        if _TAG.fullmatch(tag):
            head, *rest = tag.replace("_", "-").split("-")
            return "-".join([head.lower(), *rest])
    return ""


def device_of(headers: Mapping[str, str]) -> str:
    """Return desktop, mobile or tablet, by what a browser says of itself; "" where it says nothing.

    >>> device_of({"user-agent": "Mozilla/5.0 (Linux; Android 15; Pixel 9) Mobile Safari/537.36"})
    'mobile'
    """
    agent = headers.get("user-agent", "")[:500]
    if headers.get("sec-ch-ua-mobile") == "?1":
        return "mobile"
    if not agent:
        return ""
    return "tablet" if _TABLET.search(agent) else "mobile" if _MOBILE.search(agent) else "desktop"


def _address(url: str) -> tuple[str, str, dict[str, str]]:
    """Return host (without `www.`), path and the first value of each parameter of an address, as far as it is one."""
    try:
        parts = urlsplit(url[:LONGEST_ADDRESS].strip())
        host = (parts.hostname or "").removeprefix("www.")
        pairs = parse_qsl(parts.query, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        return "", "", {}
    return host, parts.path or ("/" if host else ""), dict(reversed(pairs))
