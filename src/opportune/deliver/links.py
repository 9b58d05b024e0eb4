"""Links of a finished message: made into tracking links, and marked with UTM parameters.

All of it works on what was rendered, so that Liquid in links, escaped ampersands and blocks are past. What is no link
to the web (`mailto:`, `tel:`, anchors) is left as it is, and what `make` gives back unchanged stays to the byte.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Collection, Mapping
from urllib.parse import quote, urlsplit

# Customers may have written any of it: what was read once is never tried another way, so the time grows with the text.
_ANCHOR = re.compile(r"""<(?:a|area|v:\w++)(?=[\s/])(?:[^<>"']++|"[^"]*+"|'[^']*+')*+>""", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""((?<=\s)([^\s=<>"'/]++)\s*+=\s*+)(?:"([^"]*+)"|'([^']*+)'|([^\s"'<>]++))""")
_URL = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_WEB = re.compile(r"https?://", re.IGNORECASE)
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_AFTER = ".,;:!?'…”’»)]}"
"""What may stand behind an address and belong to the sentence around it."""
_LONGEST_HOST = 253


def linked_html(text: str, make: Callable[[str], str]) -> str:
    """Return HTML in which the `href` of each `a`, `area` and Outlook shape that leads to the web is `make(href)`.

    `make` gets the address as a browser reads it (entities decoded, spaces around it cut); what it gives is escaped.
    Pictures, style sheets and plain addresses in the text are no links. Comments count, since Outlook reads some.

    >>> linked_html('<a href="https://a.example/?x=1&amp;y=2">', lambda url: url + "&z=3")
    '<a href="https://a.example/?x=1&amp;y=2&amp;z=3">'
    """

    def attribute(found: re.Match[str]) -> str:
        if found[2].lower() != "href":
            return found[0]
        address = html.unescape(found[3] or found[4] or found[5] or "").strip()
        if not _WEB.match(address) or (made := make(address)) == address:
            return found[0]
        return f'{found[1]}"{html.escape(made)}"'

    return _ANCHOR.sub(lambda tag: _ATTRIBUTE.sub(attribute, tag[0]), text)


def linked_text(text: str, make: Callable[[str], str]) -> str:
    """Return plain text in which each http(s) address is `make(address)`.

    An address ends before a space, a quote or an angle bracket; a full stop, comma or the like at its end and a bracket
    that it does not open itself belong to the sentence.

    >>> linked_text("See (https://a.example/x_(y)), now.", str.upper)
    'See (HTTPS://A.EXAMPLE/X_(Y)), now.'
    """

    def address(found: re.Match[str]) -> str:
        url = _trimmed(found[0])
        return make(url) + found[0][len(url) :]

    return _URL.sub(address, text) if "://" in text else text


def _trimmed(url: str) -> str:
    kept = len(url.rstrip(_AFTER))
    for closing, opening in _BRACKETS.items():
        own = min(url.count(opening), url.count(closing))
        if own:  # as many as it opens itself belong to it, from the left
            kept = max(kept, len(url) - len(url.split(closing, own)[-1]))
    return url[:kept]


def with_utm(url: str, params: Mapping[str, str]) -> str:
    """Return an address with the parameters that it does not have yet; what it has stays to the byte.

    Empty values are left out; names (in lower case) and values are percent-encoded as UTF-8; the fragment stays at the
    end.

    >>> with_utm("https://a.example/p?utm_source=me#top", {"utm_source": "x", "utm_medium": "e mail"})
    'https://a.example/p?utm_source=me&utm_medium=e%20mail#top'
    """
    front, hash_, fragment = url.partition("#")
    _, mark, query = front.partition("?")
    given = {pair.partition("=")[0].lower() for pair in re.split("[&;]", query)}
    added = [f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in params.items() if v and k not in given]
    if not added:
        return url
    joint = "" if mark and (not query or query.endswith("&")) else "&" if mark else "?"
    return f"{front}{joint}{'&'.join(added)}{hash_}{fragment}"


def utm(source: str, medium: str, campaign: str, content: str) -> dict[str, str]:
    """Return the parameters by which web analytics know where a visit came from."""
    return {"utm_source": source, "utm_medium": medium, "utm_campaign": campaign, "utm_content": content}


def is_own(url: str, website: str) -> bool:
    """Whether an address belongs to a website: the same host or one below it, whatever the port; `www.` says nothing.

    >>> [is_own(url, "https://www.acme.example") for url in ("https://shop.acme.example/x", "https://notacme.example/")]
    [True, False]
    """
    own = _host(website if "://" in website else f"https://{website}")
    host = _host(url)
    return bool(own) and (host == own or host.endswith(f".{own}"))


def _host(url: str) -> str:
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
        return host.encode("idna").decode().removeprefix("www.") if len(host) <= _LONGEST_HOST else ""
    except (ValueError, UnicodeError):
        return ""


def maker(
    track: Callable[[str], str] | None,
    website: str = "",
    params: Mapping[str, str] | None = None,
    keep: Collection[str] = (),
) -> Callable[[str], str]:
    """Return what `Form.linked` takes: UTM parameters on links to the sender's own website, then `track` on all.

    `keep` are addresses that stay as they are, such as the one to unsubscribe. `track` None tracks nothing. The same
    address gives the same link within one message.
    """
    kept = {address for address in keep if address}
    made: dict[str, str] = {}

    def make(url: str) -> str:
        if url in kept:
            return url
        if url not in made:
            marked = with_utm(url, params) if params and is_own(url, website) else url
            made[url] = track(marked) if track else marked
        return made[url]

    return make
