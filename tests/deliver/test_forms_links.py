"""Links of finished messages: exact, whatever is written around them."""

from __future__ import annotations

import html as entities
import time
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.deliver.forms import open_form
from opportune.deliver.forms.contract import PERSON
from opportune.deliver.links import is_own, linked_html, linked_text, maker, utm, with_utm
from opportune.deliver.render.templates import Templates


class Hrefs(HTMLParser):
    """The addresses of the links of a page, as a browser reads them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("a", "area"):
            self.found += [(value or "").strip() for key, value in attrs if key == "href"]


def upper(url: str) -> str:
    return url.replace("example", "EXAMPLE")


@pytest.mark.parametrize(
    ("html", "made"),
    [
        ('<a href="https://a.example/">x</a>', '<a href="https://a.EXAMPLE/">x</a>'),
        ("<A class=x HREF='https://a.example/' id=y>", '<A class=x HREF="https://a.EXAMPLE/" id=y>'),
        ("<a href=https://a.example/?a=1&amp;b>x", '<a href="https://a.EXAMPLE/?a=1&amp;b">x'),
        ('<a\n href = " https://a.example/ ">', '<a\n href = "https://a.EXAMPLE/">'),
        (
            '<a title="a > b" data-href="https://a.example/1" href="https://a.example/2">',
            '<a title="a > b" data-href="https://a.example/1" href="https://a.EXAMPLE/2">',
        ),
        (
            "<a title=' href=\"https://a.example/1\"' href='https://a.example/2'>",
            '<a title=\' href="https://a.example/1"\' href="https://a.EXAMPLE/2">',
        ),
        (
            '<!--[if mso]><v:rect href="https://a.example/"><![endif]-->',
            '<!--[if mso]><v:rect href="https://a.EXAMPLE/"><![endif]-->',
        ),
        ('<area shape="rect" href="https://a.example/"/>', '<area shape="rect" href="https://a.EXAMPLE/"/>'),
    ],
)
def test_links_of_html(html: str, made: str) -> None:
    assert linked_html(html, upper) == made


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:a@a.example">',
        '<a href="tel:+49301234">',
        '<a href="#example">',
        '<a href="/example">',
        '<a name="example">',
        '<link href="https://a.example/x.css">',
        '<img src="https://a.example/x.png">',
        "<p>https://a.example</p>",
        '<abbr href="https://a.example">',
        '<article href="https://a.example">',
        "<a href='javascript:example'>",
    ],
)
def test_what_is_no_link_stays(html: str) -> None:
    assert linked_html(html, upper) == html


_ADDRESSES = st.builds(
    lambda host, path, query, fragment: (
        f"https://{host}.example/{path}{'?' + query if query else ''}{'#' + fragment if fragment else ''}"
    ),
    st.from_regex("[a-z]{1,5}", fullmatch=True),
    st.text(alphabet="ab/é%20()'&;", max_size=8),
    st.text(alphabet="ab=&;%é'\"<>", max_size=8),
    st.text(alphabet="ab?=&", max_size=4),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_ADDRESSES, max_size=4), st.sampled_from("\"'"))
def test_each_link_is_made_once_from_what_a_browser_reads(addresses: list[str], quote: str) -> None:
    addresses = [address for address in addresses if '"' not in address or quote != '"']
    html = "".join(
        f"<p>{i}<a class=b title='>' href={quote}{entities.escape(a)}{quote}>t</a></p>" for i, a in enumerate(addresses)
    )
    seen: list[str] = []

    def make(url: str) -> str:
        seen.append(url)
        return f'https://hub.example/c/{len(seen)}?q="&<>'

    made = linked_html(html, make)
    assert seen == Hrefs(html).found == addresses
    assert Hrefs(made).found == [f'https://hub.example/c/{i + 1}?q="&<>' for i in range(len(addresses))]
    assert linked_html(html, lambda url: url) == html


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("See https://a.example/x. Or http://b.example/?q=1, now!", ["https://a.example/x", "http://b.example/?q=1"]),
        ("Go (https://a.example/x) or (https://a.example/x_(y))", ["https://a.example/x", "https://a.example/x_(y)"]),
        ("<https://a.example/x> “https://a.example/é”", ["https://a.example/x", "https://a.example/é"]),
        ("mailto:a@b.example ftp://x.example //x.example", []),
        ("https://a.example/?a[]=1&b=2#c;", ["https://a.example/?a[]=1&b=2#c"]),
        ("HTTPS://A.EXAMPLE/X\nhttps://b.example", ["HTTPS://A.EXAMPLE/X", "https://b.example"]),
    ],
)
def test_links_of_text(text: str, seen: list[str]) -> None:
    found: list[str] = []
    assert linked_text(text, lambda url: found.append(url) or "Z") == _replaced(text, seen)  # type: ignore[func-returns-value]
    assert found == seen


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="a()[].,", max_size=12))
def test_the_end_of_an_address(tail: str) -> None:
    """The same as by taking off one character after the other."""
    url, pairs = f"https://a.example/x{tail}", {")": "(", "]": "["}
    while url[-1] in ".," or (url[-1] in pairs and url.count(url[-1]) > url.count(pairs[url[-1]])):
        url = url[:-1]
    found: list[str] = []
    linked_text(f"https://a.example/x{tail}", lambda one: found.append(one) or one)  # type: ignore[func-returns-value]
    assert found == [url]


MANY = 50_000


@pytest.mark.parametrize(
    "make",
    [
        lambda: linked_text("https://x" + ")" * MANY, upper),
        lambda: linked_text("https://x" + ".)" * (MANY // 2), upper),
        lambda: linked_text("https://x(" * 9 + ")]" * (MANY // 2), upper),
        lambda: linked_html("<a " + " " * MANY + ">", upper),
        lambda: linked_html("<a " + "x " * (MANY // 2) + ">", upper),
        lambda: linked_html("<a " * (MANY // 3), upper),
        lambda: linked_html("<a " + "''" * (MANY // 2), upper),
        lambda: linked_html("<v:" + "v" * MANY, upper),
        lambda: is_own("https://" + "é" * 20 * MANY, "acme.example"),
    ],
)
def test_no_text_takes_more_time_than_its_length_says(make: Callable[[], object]) -> None:
    start = time.process_time()
    make()
    assert time.process_time() - start < 0.3, "some thousandths of a second; what grows faster takes many seconds"


def _replaced(text: str, seen: list[str]) -> str:
    for url in sorted(seen, key=len, reverse=True):
        text = text.replace(url, "Z")
    return text


@pytest.mark.parametrize(
    ("url", "marked"),
    [
        ("https://a.example", "https://a.example?utm_source=s"),
        ("https://a.example/?", "https://a.example/?utm_source=s"),
        ("https://a.example/?a=1", "https://a.example/?a=1&utm_source=s"),
        ("https://a.example/?a=1&", "https://a.example/?a=1&utm_source=s"),
        ("https://a.example/#f?x=1", "https://a.example/?utm_source=s#f?x=1"),
        ("https://a.example/?UTM_Source=me#f", "https://a.example/?UTM_Source=me#f"),
        ("https://a.example/?utm_source=#f", "https://a.example/?utm_source=#f"),
        ("https://a.example/?a=1;utm_source=me", "https://a.example/?a=1;utm_source=me"),
        ("https://a.example/é?q=ü%20+", "https://a.example/é?q=ü%20+&utm_source=s"),
    ],
)
def test_utm(url: str, marked: str) -> None:
    assert with_utm(url, {"utm_source": "s", "utm_content": ""}) == marked


@settings(max_examples=300, deadline=None)
@given(_ADDRESSES, st.dictionaries(st.sampled_from(["utm_source", "utm_medium", "a"]), st.text(max_size=8)))
def test_utm_only_adds(url: str, params: dict[str, str]) -> None:
    marked = with_utm(url, params)
    before, after = urlsplit(url), urlsplit(marked)
    assert before[:3] == after[:3]
    assert before.fragment == after.fragment
    assert after.query.startswith(before.query.removesuffix("&"))
    added = dict(parse_qsl(after.query[len(before.query) :].lstrip("&"), keep_blank_values=True))
    has = {pair.partition("=")[0].lower() for part in before.query.split("&") for pair in part.split(";")}
    assert added == {key: value for key, value in params.items() if value and key not in has}
    assert with_utm(marked, params) == marked


@pytest.mark.parametrize(
    ("url", "website", "own"),
    [
        ("https://acme.example/x", "https://acme.example", True),
        ("https://www.acme.example:8443/x", "acme.example", True),
        ("https://shop.acme.example", "https://www.acme.example/de", True),
        ("https://acme.example.evil.example", "acme.example", False),
        ("https://evilacme.example", "acme.example", False),
        ("https://acme.example@evil.example/", "acme.example", False),
        ("https://müller.example/", "https://xn--mller-kva.example", True),
        ("https://acme.example", "", False),
        ("https://[::1", "acme.example", False),
    ],
)
def test_only_the_senders_own_website_is_marked(url: str, website: str, own: bool) -> None:
    assert is_own(url, website) is own


def test_the_links_of_a_message() -> None:
    source = (
        '<a href="{{ sender.website }}/tea?a=1&amp;b=2#top">Tea</a> <a href="https://other.example/">Other</a> '
        '<a href="{{ links.unsubscribe }}">Bye</a> <a href="mailto:x@acme.example">Write</a>'
    )
    form = open_form("email")
    content = form.compile({"subject": "https://acme.example", "html": source}, "en", Templates({}, "en")).render(
        PERSON
    )
    calls: list[str] = []

    def track(url: str) -> str:
        calls.append(url)
        return f"https://hub.example/c/{len(calls)}"

    params = utm("opportune", "email", "spring", "tea/mail")
    linked = form.linked(content, maker(track, PERSON["sender"]["website"], params, PERSON["links"].values()))
    marked = "utm_source=opportune&utm_medium=email&utm_campaign=spring&utm_content=tea%2Fmail"
    assert calls == [f"https://acme.example/tea?a=1&b=2&{marked}#top", "https://other.example/"]
    assert Hrefs(linked["html"]).found == [
        "https://hub.example/c/1",
        "https://hub.example/c/2",
        "https://hub.example/u/1?a=1&b=2",
        "mailto:x@acme.example",
    ]
    assert linked["text"] == (
        "Tea (https://hub.example/c/1) Other (https://hub.example/c/2) "
        "Bye (https://hub.example/u/1?a=1&b=2) Write (x@acme.example)"
    )
    assert linked["subject"] == "https://acme.example"


@pytest.mark.parametrize("track", [None, upper])
def test_without_a_website_nothing_is_marked(track: Any) -> None:
    make = maker(track, "", {"utm_source": "x"}, [""])
    assert make("https://a.example/") == (upper("https://a.example/") if track else "https://a.example/")
