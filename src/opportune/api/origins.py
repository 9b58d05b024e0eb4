"""Browser origins: scheme, host and port, as in the header `Origin` (RFC 6454)."""

from __future__ import annotations

import re
from collections.abc import Collection

from opportune.errors import BadInput

LONGEST = 300
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_HOST = r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+|\[[0-9a-f:.]+\]"
_ORIGIN = re.compile(rf"([a-z][a-z0-9+.-]*)://({_HOST})(?::([0-9]{{1,5}}))?")


def within(origin: str, allowed: Collection[str]) -> bool:
    """Return True where an origin is one of the allowed entries, each in the form that `entry` gives.

    >>> within("https://Shop.example.com:443", ["https://*.example.com"])
    True
    >>> within("https://example.com", ["https://*.example.com"])  # only what lies below it
    False
    """
    plain = _normal(origin)
    return plain is not None and (plain in allowed or any("*" in one and _below(plain, one) for one in allowed))


def entry(text: str) -> str:
    """Return an allowed origin in its normal form: lower case, no default port, international names as browsers send.

    `https://*.example.com` stands for all that lies below `example.com`, on that scheme and port alone. `BadInput`
    for anything else, and for a star that stands for a whole top-level domain.

    >>> entry("HTTPS://Example.com:443/"), entry("http://*.example.com:8080")
    ('https://example.com', 'http://*.example.com:8080')
    """
    head, star, tail = str(text).strip().removesuffix("/").partition("://*.")
    plain = _normal(f"{head}://{tail}" if star else head)
    if plain is None or (star and "." not in plain):
        raise BadInput(
            f"{str(text)[:LONGEST]!r} is not an origin; write scheme, host and port without a path, such as "
            "https://shop.example.com, or https://*.example.com for all that lies below"
        )
    return plain.replace("://", "://*.") if star else plain


def _normal(text: str) -> str | None:
    if len(text) > LONGEST:
        return None
    found = _ORIGIN.fullmatch(text.lower() if text.isascii() else _ascii(text))
    if found is None:
        return None
    scheme, host, port = found.groups()
    return f"{scheme}://{host}" if port in (None, _DEFAULT_PORTS.get(scheme)) else f"{scheme}://{host}:{int(port)}"


def _ascii(text: str) -> str:
    """Return the text with its host in the ASCII form of international names; empty where there is none."""
    import idna

    scheme, _, rest = text.lower().partition("://")
    host, colon, port = rest.partition(":")
    try:
        return f"{scheme}://{idna.encode(host, uts46=True).decode()}{colon}{port}"
    except (idna.IDNAError, UnicodeError):
        return ""


def _below(plain: str, starred: str) -> bool:
    head, _, tail = starred.partition("*")
    return plain.startswith(head) and plain.endswith(tail)
