"""E-mail: from MJML or HTML with Liquid in it to what one person gets."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.deliver.forms import open_form
from opportune.deliver.forms.contract import PERSON
from opportune.deliver.forms.footer import WORDS
from opportune.deliver.forms.held import Held, line_and_column, offset_of
from opportune.deliver.forms.html_text import to_text
from opportune.deliver.render.templates import BadTemplate, RenderFailed, Templates

OFFER = (Path(__file__).parent / "assets" / "offer.mjml").read_text("utf-8")
FOR, END = "{% for i in items3 %}", "{% endfor %}"
BLOCKS = {"bye": {"en": "{{ sender.name }}, {{ links.unsubscribe }}"}, "wrong": {"en": "{{ 'a' | money }}"}}


def email(language: str = "en", person: dict[str, Any] | None = None, **content: Any) -> dict[str, Any]:
    compiled = open_form("email").compile({"subject": "Hi", **content}, language, Templates(BLOCKS, language))
    return compiled.render({**PERSON, **(person or {})})


def mjml(column: str = "", head: str = "", section: str = "", body: str = "") -> str:
    inner = section or f"<mj-column>{column}</mj-column>"
    body = body or f"<mj-section>{inner}</mj-section>"
    return f"<mjml><mj-head>{head}</mj-head><mj-body>{body}</mj-body></mjml>"


def problems(**content: Any) -> list[tuple[str, int, int, str]]:
    with pytest.raises(BadTemplate) as bad:
        open_form("email").compile({"subject": "Hi", **content}, "en", Templates(BLOCKS, "en"))
    return [(p.file, p.line, p.column, p.what) for p in bad.value.problems]


class Balance(HTMLParser):
    """Checks that every element is closed where it was opened, and that comments for Outlook do not tear."""

    VOID = frozenset(("meta", "img", "br", "hr", "link", "input"))

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open, tag
            assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        assert not data.startswith("zq"), "a word that stands for Liquid was left"
        assert "{%" not in data, "Liquid was left in a comment"
        assert "<!--" not in data or data.startswith("[if"), data


def test_the_offer_reads_well_in_both_parts() -> None:
    content = email(
        mjml=OFFER, preheader="For {{ customer.name }}", subject="{{ customer.first_name }}: {{ action.benefit }}"
    )
    assert content["subject"] == "Maya: Better tea"
    assert content["preheader"] == "For Maya Stone"
    Balance(content["html"])
    assert content["text"] == (
        "Acme\n[Better tea]\n\nHello Maya,\n\nBetter tea: €12.50 for you.\n\n"
        "You ordered 5 times since you came. Thank you.\n\n"
        "Chosen for you\n\nWhat  Price\nGreen (https://acme.example/1?from=mail&id=1)  €4.50\n"
        "See what changes (https://acme.example/offer?c=maya#plan)\n\n- No new contract\n- Ends whenever you say so\n\n"
        "Acme, Street 1, 10115 Berlin\nUnsubscribe (https://hub.example/u/1?a=1&b=2) | "
        "Choose what you get (https://hub.example/p/1) | Why this message?"
    )


def test_the_title_is_the_subject_unless_the_author_gave_one() -> None:
    def titles(**content: Any) -> list[str]:
        return re.findall(r"<title>(.*?)</title>", email(subject="{{ customer.first_name }} & <co>", **content)["html"])

    for source in ({"mjml": mjml("<mj-text>x</mj-text>")}, {"html": "<p>x</p>"}, {"html": "<title> </title><p>x</p>"}):
        assert titles(**source) == ["Maya &amp; &lt;co&gt;"]
        assert email(**source)["text"].startswith("x\n")
    own = "<mj-title>For {{ customer.first_name }}</mj-title>"
    assert titles(mjml=mjml("<mj-text>x</mj-text>", own)) == ["For Maya"]
    assert titles(html="<html><head><title>Mine</title></head><body>x</body></html>") == ["Mine"]


def test_css_is_inlined_and_only_media_queries_stay() -> None:
    style = ".a { color: red } .a:hover { color: blue } "
    style += "@media (prefers-color-scheme: dark) { .a { color: #eee !important } }"
    html = email(mjml=mjml('<mj-text><p class="a">x</p></mj-text>', f"<mj-style>{style}</mj-style>"))["html"]
    assert re.search(r'<p[^>]*style="[^"]*color: ?red', html)
    (kept,) = re.findall(r"<style>(.*?)</style>", html.split("<body")[0], re.DOTALL)
    assert "prefers-color-scheme: dark" in kept
    assert "color:red" not in kept.replace(" ", "")


def test_nothing_is_loaded_from_the_network() -> None:
    html = email(mjml=mjml("<mj-text>x</mj-text>"))["html"]
    assert "googleapis" not in html
    assert "@import" not in html
    found = problems(mjml=mjml('<mj-include path="https://evil.example/x.mjml" />'))
    assert "loads nothing" in found[0][3]
    linked = '<link rel="stylesheet" href="http://127.0.0.1:9/x.css"><p>Hi</p>'
    assert "Hi" in email(html=linked)["html"]


@pytest.mark.parametrize(
    ("source", "count"),
    [
        (mjml("{% for i in items3 %}<mj-text>row</mj-text>{% endfor %}"), 3),
        (mjml("<mj-text>a</mj-text>{% if no %}<mj-text>row</mj-text>{% endif %}"), 0),
        (mjml("<mj-text>{% for i in items3 %}row {% endfor %}</mj-text>"), 3),
        (mjml("<mj-table>{% for i in items3 %}<tr><td>row</td></tr>{% endfor %}</mj-table>"), 3),
        (mjml(section="{% for i in items3 %}<mj-column><mj-text>row</mj-text></mj-column>{% endfor %}"), 3),
        (
            mjml(section=f"<mj-group>{FOR}<mj-column><mj-text>row</mj-text></mj-column>{END}</mj-group>"),
            3,
        ),
        (
            mjml(body=f"{FOR}<mj-section><mj-column><mj-text>row</mj-text></mj-column></mj-section>{END}"),
            3,
        ),
        (
            mjml(
                body=f"<mj-wrapper>{FOR}<mj-section><mj-column><mj-text>row</mj-text></mj-column></mj-section>"
                "{% endfor %}</mj-wrapper>"
            ),
            3,
        ),
        (mjml(body="<mj-hero>{% for i in items3 %}<mj-text>row</mj-text>{% endfor %}</mj-hero>"), 3),
        (
            mjml(f'<mj-navbar>{FOR}<mj-navbar-link href="https://a.example">row</mj-navbar-link>{END}</mj-navbar>'),
            3,
        ),
        (
            mjml(
                '<mj-social>{% for i in items3 %}<mj-social-element src="x" href="https://a.example">row</mj-social-element>'
                "{% endfor %}</mj-social>"
            ),
            3,
        ),
        (
            mjml(
                "{% assign a = 1 %}{% unless no %}<mj-raw><tr><td>row</td></tr></mj-raw>"
                "{% else %}<mj-text>b</mj-text>{% endunless %}"
            ),
            1,
        ),
    ],
)
def test_liquid_may_stand_around_elements(source: str, count: int) -> None:
    content = email(mjml=source, person={"items3": [1, 2, 3]})
    assert content["html"].count("row") == count
    assert content["text"].count("row") == count
    Balance(content["html"])
    opened, closed = content["html"].count("<!--[if"), content["html"].count("<![endif]-->")
    assert opened == closed
    for part in re.findall(r"<!--\[if mso.*?<!\[endif\]-->", content["html"], re.DOTALL):
        assert part.count("<!--") == 1, "one comment inside another"


def test_liquid_and_odd_characters_in_attributes_survive() -> None:
    source = mjml(
        """<mj-image src="{{ 'https://a.example/?q=' | append: customer.name | replace: ' ', '+' }}" """
        """alt='5" \\ é 漢\u200f {{ "x>y" }}' />"""
        '<mj-button href="https://a.example/{{ action.name }}?a=1&amp;b={{ decision.id }}#x">'
        "Go {{ action.benefit }}</mj-button>"
    )
    html = email(mjml=source)["html"]
    assert 'src="https://a.example/?q=Maya+Stone"' in html
    assert 'alt="5&quot; \\ é 漢\u200f x>y"' in html
    assert 'href="https://a.example/tea?a=1&amp;b=01J#x"' in html
    assert "Go Better tea" in html


def test_values_are_escaped_in_html_and_not_in_text() -> None:
    person = {"customer": {"name": '<img src=x onerror="a()"> & Söhne'}}
    content = email(mjml=mjml('<mj-text title="{{ customer.name }}">Hi {{ customer.name }}</mj-text>'), person=person)
    assert "<img src=x" not in content["html"]
    assert "&lt;img src=x onerror=&#34;a()&#34;&gt; &amp; Söhne" in content["html"]
    assert content["text"].startswith('Hi <img src=x onerror="a()"> & Söhne')


@pytest.mark.parametrize(
    ("source", "line", "column", "what"),
    [
        (mjml("\n  {{ customer.name }}"), 2, 3, "between elements"),
        (mjml("\n {% render 'bye' %}"), 2, 2, "between elements"),
        (mjml("\n\n   loose words"), 3, 4, "directly in <mj-column>"),
        (mjml("\n<mj-txt>a</mj-txt>"), 2, 1, "<mj-txt>"),
        (mjml("<mj-text>\n a <b>b</mj-text>"), 2, 8, "before `<b>` is closed"),
        (
            mjml("<mj-text>{{ customer.name | default: 'xxxxxxxxxxxxxxxx' }} {% if a %}\n 3 < 4 {% endif %}</mj-text>"),
            2,
            4,
            "`<`",
        ),
        (mjml("\n<mj-text>a"), 2, 11, "before `<mj-text>` is closed"),
        ("<mjml>\n<mj-body>", 2, 1, "never closed"),
        ("Hello", 1, 1, "outside of <mjml>"),
        (
            mjml("<mj-text>a</mj-text>", "<mj-style>\n {% if a %} .x { color: red } {% endif %}</mj-style>"),
            2,
            2,
            "<mj-style>",
        ),
        (mjml("<mj-text>a</mj-text>\n </mj-button>"), 2, 2, "closes nothing"),
        (mjml("<mj-text>\n{% if a %}</mj-text>"), 2, 1, "if"),
    ],
)
def test_mistakes_name_line_and_column(source: str, line: int, column: int, what: str) -> None:
    found = problems(mjml=source)
    assert ("mjml", line, column) in [place[:3] for place in found], found
    assert what in found[0][3]


def test_what_fails_for_one_person_names_the_authors_line() -> None:
    source = mjml(
        "<mj-text>\n\n  {{ customer.name }} {{ traits.bad | money }}</mj-text>",
        "<mj-style>.a { color: red }</mj-style>",
    )
    with pytest.raises(RenderFailed) as failed:
        email(mjml=source, person={"traits": {"bad": "many"}})
    failure = failed.value.failure
    assert (failure.field, failure.line) == ("mjml", 3)
    assert source.split("\n")[2][failure.column - 1 :].startswith(("{{ traits.bad", "traits.bad", "money"))
    with pytest.raises(RenderFailed) as failed:
        email(mjml=mjml("<mj-text>{% render 'wrong' %}</mj-text>"))
    assert failed.value.failure.field == "block wrong"


def test_needed_fields() -> None:
    assert [p[0] for p in problems(subject="", mjml=OFFER)] == ["subject"]
    assert "no `mjml`, `html` or `text`" in problems()[0][3]
    assert "both `mjml` and `html`" in problems(mjml=OFFER, html="<p>")[0][3]
    assert "unknown field `preheadr`" in problems(mjml=OFFER, preheadr="x")[0][3]
    with pytest.raises(RenderFailed, match="subject is empty"):
        email(html="<p>x", subject="{{ traits.nothing }}")


def test_a_header_stays_one_line() -> None:
    content = email(
        html="x",
        subject="{{ customer.name }}",
        from_name="{{ customer.name }}",
        person={"customer": {"name": "Al\r\nBcc: everybody@x.example\x00"}},
    )
    assert content["subject"] == content["from_name"] == "Al Bcc: everybody@x.example"


def test_pictures_without_words_and_heavy_pages_are_warned_of() -> None:
    source = mjml('\n<mj-image src="a" />\n<mj-image src="b" alt="" />\n<mj-text><img src="c"></mj-text>')
    compiled = open_form("email").compile({"subject": "a", "mjml": source}, "en", Templates({}, "en"))
    assert [(p.file, p.line, p.column) for p in compiled.warnings] == [("mjml", 2, 1), ("mjml", 4, 10)]
    html = f"<p>{'x' * 105_000}</p>"
    heavy = open_form("email").compile({"subject": "a", "html": html}, "en", Templates({}, "en"))
    assert "102 kB" in heavy.warnings[0].what
    assert "102 kB" in open_form("email").remarks(heavy.render(PERSON))[0]


def test_language_and_direction() -> None:
    hebrew = email("he", mjml=mjml("<mj-text>שלום</mj-text>"))["html"]
    assert re.search(r'<html[^>]* lang="he"[^>]* dir="rtl"', hebrew)
    assert "text-align:right" in hebrew.replace(" ", "")
    german = email("de-AT", html="<p>Hallo</p>")["html"]
    assert german.startswith("<!DOCTYPE html><html")
    assert re.search(r'<html[^>]* lang="de-AT" dir="ltr"', german)
    assert 'lang="fr"' in email("de", html='<html lang="fr"><body>x</body></html>')["html"]


@pytest.mark.parametrize("language", sorted(WORDS))
def test_a_message_without_a_way_out_gets_one(language: str) -> None:
    content = email(language, html="<p>Offer</p>", text="Offer")
    unsubscribe, choose, _ = WORDS[language]
    for part in (content["html"], content["text"]):
        assert unsubscribe in part.replace("&#39;", "'")
        assert choose in part
        assert "Acme, Street 1, 10115 Berlin" in part
    assert 'href="https://hub.example/u/1?a=1&amp;b=2"' in content["html"]
    assert "https://hub.example/u/1?a=1&b=2" in content["text"]
    assert content["html"].rstrip().endswith("</body></html>")


def test_a_way_out_counts_where_the_reader_sees_it() -> None:
    kept = email(html='<a href="{{ links.unsubscribe }}">Bye</a>')
    assert "message-end" not in kept["html"]
    assert kept["text"] == "Bye (https://hub.example/u/1?a=1&b=2)"
    assert "message-end" not in email(html="<p>{% render 'bye' %}</p>")["html"]
    not_taken = email(html='{% if traits.vip %}<a href="{{ links.unsubscribe }}">Bye</a>{% endif %}')
    assert "message-end" in not_taken["html"]
    only_in_html = email(html='<a href="{{ links.preferences }}">Choose</a>', text="Offer")
    assert "message-end" not in only_in_html["html"]
    assert "https://hub.example/u/1?a=1&b=2" in only_in_html["text"]
    service = email(html="<p>Your parcel</p>", person={"links": {}})
    assert "message-end" not in service["html"]
    assert service["text"] == "Your parcel"


def test_the_preheader_is_hidden_and_escaped() -> None:
    content = email(
        html="<p>x</p>", preheader="{{ customer.name }}", person={"customer": {"name": "<b>&"}, "links": {}}
    )
    assert re.search(r'<body[^>]*><div style="display:none[^"]*">&lt;b&gt;&amp;', content["html"])
    assert content["text"] == "x"


def test_a_list_of_unknown_length_is_not_numbered() -> None:
    person = {"items3": [1, 2], "links": {}}
    assert email(html=f"<ol>{FOR}<li>row {{{{ i }}}}</li>{END}</ol>", person=person)["text"] == "- row 1\n- row 2"
    kept = email(html="<ol><li>a</li>{% if no %}<li>b</li>{% endif %}<li>c</li></ol>", person=person)
    assert kept["text"] == "- a\n- c"


def test_a_brace_in_the_text_is_no_liquid() -> None:
    content = email(html="<p>&#123;&#123; x }} and {&#37; if %}</p>", person={"links": {}})
    assert content["text"] == "{{ x }} and {% if %}"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["{{ a }}", "{% if a %}", "{% raw %}{{ b }}{% endraw %}", "text", "\n", "zq0z", "<b>", "é"])
    )
)
def test_what_is_held_back_comes_back_to_the_letter(parts: list[str]) -> None:
    source = "".join(parts)
    held = Held(source)
    assert held.restore(held.text) == source
    assert "{{" not in held.text
    for found in held.word.finditer(held.text):
        piece = held.piece(found[0])
        at = held.origin(found.start())
        assert source[at : at + len(piece)] == piece
        restored = held.restore(held.text)
        assert held.origin_of(held.text, restored.index(piece)) <= source.rindex(piece) + len(piece)


@given(st.text(alphabet="ab\n", max_size=30), st.data())
def test_places_in_a_text_are_found_again(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    assert offset_of(text, *line_and_column(text, offset)) == offset


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p>\n <p>b <b>c</b>\n d</p>", "a\n\nb c d"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<ol><li>one</li><li>two<ul><li>x</li></ul></li><li>three</li></ol>z", "1. one\n2. two\n  - x\n3. three\n\nz"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a  b\nc"),
        ('<a href="https://a.example">https://a.example</a>', "https://a.example"),
        ('<a href="mailto:x@a.example">Write</a> <a href="#top">up</a>', "Write (x@a.example) up"),
        (
            '<a href="https://a.example"><img src="x" alt="Shop"></a><img src="y" alt=""><img src="z" alt="Tea">',
            "Shop (https://a.example)[Tea]",
        ),
        ("<style>p{}</style><script>x</script><div style='display: none'>no<p>no</p></div>yes", "yes"),
        ("a &amp; b &lt;c&gt; &nbsp; d&shy;e", "a & b <c> d e"),
        ("<h1>T</h1><hr><p>x</p>", "T\n\n---\n\nx"),
        ("<div><div><div>a</div></div></div><div>b</div>", "a\nb"),
        ("</p></td>stray", "stray"),
    ],
)
def test_html_as_text(html: str, text: str) -> None:
    assert to_text(html) == text


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="<>&\r\x00"), max_size=80))
def test_words_are_never_lost_in_the_text_part(words: str) -> None:
    assert (
        to_text(f"<div><p>{words}</p></div>").split() == re.sub("[\u00ad\u200b-\u200d\u034f\ufeff]", " ", words).split()
    )
