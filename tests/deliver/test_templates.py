"""Liquid as messages use it: values in the reader's language, safe in HTML, and mistakes with their place."""

from __future__ import annotations

import html
from typing import Any

import liquid
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opportune.deliver.render.languages import locale_of, nearest
from opportune.deliver.render.liquid_environment import Environment
from opportune.deliver.render.salutation import GREETINGS, greeting
from opportune.deliver.render.templates import BadTemplate, RenderFailed, Templates, is_plain

NBSP = "\u00a0"
THIN = "\u202f"


def text(source: str, language: str = "en", locale: str = "", **context: Any) -> str:
    customer = {"locale": locale, "time_zone": "Europe/Berlin"} | context.pop("customer", {})
    given = {"currency": "EUR", "now": "2026-01-31T23:30:00Z", **context, "customer": customer}
    return Templates(context.pop("blocks", {}), language).text(source, "text").render(given)


@pytest.mark.parametrize(
    ("language", "locale", "money", "number", "date"),
    [
        ("en", "en-US", "€1,234.50", "1,234,567.891", "Feb 1, 2026"),
        ("en", "en-GB", "€1,234.50", "1,234,567.891", "1 Feb 2026"),
        ("en", "de-DE", f"1.234,50{NBSP}€", "1.234.567,891", "1 Feb 2026"),
        ("de", "de-DE", f"1.234,50{NBSP}€", "1.234.567,891", "01.02.2026"),
        ("de", "de-AT", f"€{NBSP}1.234,50", "1.234.567,891", "01.02.2026"),
        ("fr", "", f"1{THIN}234,50{NBSP}€", f"1{THIN}234{THIN}567,891", "1 févr. 2026"),
        ("pl", "pl-PL", f"1{NBSP}234,50{NBSP}€", f"1{NBSP}234{NBSP}567,891", "1 lut 2026"),
        ("de", "en-US", "1.234,50\u00a0€", "1.234.567,891", "01.02.2026"),
    ],
)
def test_money_numbers_and_dates_are_those_of_language_and_region(
    language: str, locale: str, money: str, number: str, date: str
) -> None:
    assert text("{{ 1234.5 | money }}", language, locale) == money
    assert text("{{ 1234567.891 | number }}", language, locale) == number
    assert text("{{ now | date }}", language, locale) == date  # in Berlin it is tomorrow already


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("{{ 12 | money: 'USD' }}|{{ 12 | money: 'JPY' }}|{{ 9.5 | money: digits: 0 }}", "US$12.00|JP¥12|€10"),
        ("{{ '12.345' | money }}|{{ -3 | money }}|{{ 0 | money }}", "€12.34|-€3.00|€0.00"),
        ("{{ 0.256 | percent }}|{{ 0.256 | percent: 1 }}|{{ 3 | number: 2 }}", "26%|25.6%|3.00"),
        ("{{ '2026-03-01' | date: 'full' }}|{{ now | time }}", "Sunday, 1 March 2026|00:30"),
        ("{{ now | datetime: 'long' }}", "1 February 2026, 00:30"),
        ("{{ 1767225600 | date }}|{{ 1767225600000000 | date }}", "1 Jan 2026|1 Jan 2026"),
        ("{{ 'now' | date }}|{{ '2026-01-31T12:00' | time }}", "1 Feb 2026|12:00"),
        ("{{ 1 | plural: 'day', 'days' }}|{{ 0 | plural: 'day', 'days' }}", "day|days"),
        (
            "{{ list | list }}|{{ two | list }}|{{ list | list: 'or' }}|{{ one | list }}",
            "a, b and c|a and b|a, b or c|a",
        ),
        ("{{ ' maya lena' | initial }}|{{ '' | initial }}|{{ nobody | initial }}", "M.||"),
        ("{{ x | money }}{{ x.y.z }}{{ x | date }}{{ x | number }}{{ x | plural: 'a', 'b' }}{{ x | list }}", ""),
        ("{{ customer.first_name | default: 'you' }}|{{ x | default: 'z' | upcase }}", "you|Z"),
        ("{{ today }}{{ nan | money }}", ""),
    ],
)
def test_filters(source: str, shown: str) -> None:
    got = text(source, locale="en-GB", list=["a", "b", "c"], two=["a", "b"], one="a", nan=float("nan"))
    assert got == shown


def test_plural_knows_the_forms_of_the_language() -> None:
    words = "plural: one: 'dzień', few: 'dni', many: 'dni!', other: 'dnia'"
    assert text(f"{{% for n in (1..5) %}}{{{{ n | {words} }}}} {{% endfor %}}", "pl") == "dzień dni dni dni dni! "


@pytest.mark.parametrize(
    ("source", "what", "line", "column"),
    [
        ("a\n {{ b", "expected '}}'", 2, 2),
        ("a\n{% if b %}\n{% if c %}{% endif %}", "`{% if %}` has no `{% endif %}`", 2, 1),
        ("a {{ }}", "expected a primitive", 1, 3),
        ("ä🎈 {{ a | }}", "expected word", 1, 4),
        ("x\n  {% foo %}", "unexpected tag 'foo'", 2, 6),
        ("{% endif %}", "unexpected tag 'endif'", 1, 4),
        ("{% if a %}" * 40 + "{% endif %}" * 40, "nesting limit", 1, 314),
    ],
)
def test_a_mistake_has_its_line_and_column(source: str, what: str, line: int, column: int) -> None:
    with pytest.raises(BadTemplate, match=r"^text:") as found:
        text(source)
    [problem] = found.value.problems
    assert what in problem.what
    assert (problem.line, problem.column, problem.file) == (line, column, "text")


@pytest.mark.parametrize(
    ("source", "what", "place"),
    [
        ("\n {{ 1 | foor }}", "unknown filter 'foor'; did you mean `floor`?", ("text", 2, 9)),
        ("{{ 'x' | money }}", "`money` got 'x'; give it a number", ("text", 1, 10)),
        ("{{ 'soon' | date }}", "`date` got 'soon'", ("text", 1, 13)),
        ("{{ now | date: 'tiny' }}", "one of short, medium, long, full", ("text", 1, 10)),
        ("{{ 5 | divided_by: 0 }}", "divide by 0", ("text", 1, 8)),
        ("{% if true %}{{ 1 | money: 'nope' }}{% endif %}", "ISO 4217", ("text", 1, 21)),
        ("{% render 'bey' %}", "there is no block `bey`; did you mean `bye`?", ("text", 1, 11)),
        ("a\n{% render 'wrong' %}", "got 'x'", ("block wrong", 2, 10)),
        ("a\n{% render 'open' %}", "has no `{% endif %}`", ("block open", 2, 2)),
        ("{% render 'again' %}", "context depth", ("block again", 1, 5)),
        ("{% break %}", "outside of a loop", ("text", 1, 4)),
        ("{{ (1..300000000) | join }}", "a range of more than 10,000", ("text", 1, 4)),
        ("{% for a in (1..200) %}{% for b in (1..200) %}{% endfor %}{% endfor %}", "loop iteration", ("text", 1, 4)),
        ("{% assign a = 'aaaaaaaa' %}{% for i in (1..40) %}{% assign a = a | append: a %}{% endfor %}", "namespace",
         ("text", 1, 31)),
        ("{% for i in (1..9999) %}{{ wide }}{% endfor %}", "more than 2,000,000 characters", ("text", 1, 1)),
    ],
)  # fmt: skip
def test_a_failure_says_what_and_where(source: str, what: str, place: tuple[str, int, int]) -> None:
    blocks = {"bye": "Bye", "wrong": "\n{{ 'x' | money }}", "open": "\n {% if x %}", "again": "{%- render 'again' %}"}
    templates = Templates({name: {"en": block} for name, block in blocks.items()}, "en")
    with pytest.raises(RenderFailed) as found:
        templates.text(source, "text").render({"now": "2026-01-31T12:00:00Z", "wide": "w" * 1000})
    failure = found.value.failure
    assert what in failure.what
    assert (failure.field, failure.line, failure.column) == place


@given(st.text(max_size=40))
def test_a_value_is_never_markup(value: str) -> None:
    """Whatever a customer is called, HTML shows it and does not obey it."""
    templates = Templates({"name": {"en": "{{ v }}"}}, "en")
    for source in (
        "{{ v }}",
        "{% render 'name' %}",
        "{{ v | default: 'x' }}",
        "{% capture a %}{{ v }}{% endcapture %}{{ a }}",
    ):
        shown = templates.html(source, "html").render({"v": value})
        assert not set("<>\"'") & set(shown)
        assert html.unescape(shown) == (value or ("x" if "default" in source else "")) or "&" in value or "\r" in value
        assert templates.text(source, "text").render({"v": value}) == (value or ("x" if "default" in source else ""))


def test_nothing_lets_a_value_into_html_as_it_is() -> None:
    templates = Templates({}, "en")
    with pytest.raises(RenderFailed, match="unknown filter 'safe'"):
        templates.html("{{ v | safe }}", "html").render({"v": "<b>"})
    for chain in ("escape", "escape_once", "newline_to_br", "strip_html | upcase",
                  "split: '' | join: ''", "append: '<i>'", "prepend: ''", "replace: 'x', 'y'",
                  "url_encode | url_decode", "initial", "truncate: 5"):  # fmt: skip
        shown = templates.html("{{ v | " + chain + " }}", "html").render({"v": "<b>x</b>\n"})
        assert "<b>" not in shown, chain
        assert "<B>" not in shown, chain
    assert templates.html("<b>{{ '&' }}</b>{{ v | list }}", "html").render({"v": ["<", "x"]}) == "<b>&</b>&lt; and x"


@pytest.mark.parametrize(
    ("wanted", "known", "chosen"),
    [
        ("de-AT", ["en", "de", "de-AT"], "de-AT"), ("de_at", ["de-AT", "en"], "de-AT"), ("de-CH", ["de", "en"], "de"),
        ("zh-Hant-TW", ["en", "zh-Hant", "zh"], "zh-Hant"), ("fr", ["de", "en"], "en"), ("fr", ["de", "pl"], "de"),
        ("", ["de", "en"], "en"), ("fr", [], "en"),
    ],
)  # fmt: skip
def test_a_language_falls_back_to_what_is_nearest(wanted: str, known: list[str], chosen: str) -> None:
    assert nearest(wanted, known, "en") == chosen


def test_blocks_speak_the_language_of_the_text() -> None:
    blocks = {"bye": {"en": "Yours", "de": "Ihre", "de-AT": "Servus"}, "only": {"pl": "Tak"}}
    shown = {one: Templates(blocks, one).text("{% render 'bye' %} {% include 'only' %}", "t").render({}) for one in
             ("en", "de", "de-AT", "de-CH", "fr")}  # fmt: skip
    assert shown == {"en": "Yours Tak", "de": "Ihre Tak", "de-AT": "Servus Tak", "de-CH": "Ihre Tak", "fr": "Yours Tak"}


def test_a_text_keeps_its_language_and_takes_the_region() -> None:
    assert str(locale_of("en", "de_DE")) == "en_DE"
    assert str(locale_of("de-CH", "")) == "de_CH"
    assert str(locale_of("xx", "de_DE")) == "en"
    assert str(locale_of("de", "nonsense-!!")) == "de"


@pytest.mark.parametrize(
    ("language", "known", "says"),
    [
        ("de", {"salutation": "Frau", "last_name": "Kruse"}, "Sehr geehrte Frau Kruse"),
        (
            "de",
            {"salutation": "Herr", "title": "Prof. Dr.", "last_name": "Kruse"},
            "Sehr geehrter Herr Prof. Dr. Kruse",
        ),
        (
            "de",
            {"salutation": "divers", "first_name": "Kim", "last_name": "Kruse", "name": "Kim Kruse"},
            "Guten Tag Kim Kruse",
        ),
        ("de", {"first_name": "Maya", "last_name": "Kruse"}, "Guten Tag Maya Kruse"),
        ("de", {"first_name": "Maya", "manner": "informal"}, "Hallo Maya"),
        ("de", {"manner": "informal"}, "Hallo"),
        ("en", {"salutation": "Mx", "last_name": "Kruse"}, "Dear Mx Kruse"),
        ("en", {"salutation": "Mr.", "title": "Dr", "last_name": "Kruse"}, "Dear Dr Kruse"),
        ("en", {"salutation": "Frau", "last_name": "Kruse"}, "Dear Ms Kruse"),
        ("en", {"salutation": "Ms"}, "Hello"),
        ("en", {"salutation": "King", "name": "Maya Kruse"}, "Dear Maya Kruse"),
        ("en", {"title": "Dr.", "name": "Dr. Maya Kruse"}, "Dear Dr. Maya Kruse"),
        ("en", {"name": "Maya Kruse", "manner": "informal"}, "Hello Maya Kruse"),
        ("fr", {"salutation": "Mme", "last_name": "Dupont"}, "Bonjour Madame Dupont"),
        ("es", {"salutation": "Sra.", "last_name": "Ruiz"}, "Estimada Sra. Ruiz"),
        ("it", {"salutation": "Sig.", "last_name": "Rossi"}, "Gentile Sig. Rossi"),
        ("nl", {"salutation": "mevrouw", "last_name": "Bakker"}, "Geachte mevrouw Bakker"),
        ("pt-BR", {"salutation": "Sr.", "last_name": "Silva"}, "Caro Sr. Silva"),
        ("pl", {"salutation": "Pani", "last_name": "Nowak"}, "Szanowna Pani"),
        ("sv", {"first_name": "Maya"}, "Maya"),
        ("de", {}, "Guten Tag"),
    ],
)
def test_salutations(language: str, known: dict[str, str], says: str) -> None:
    assert greeting(known, language) == says
    assert text("{{ customer | salutation }}", language, customer=known) == says


NAMES = st.fixed_dictionaries({}, optional={key: st.text(max_size=20) | st.none() | st.integers() for key in
                              ("first_name", "last_name", "name", "title", "salutation", "manner")})  # fmt: skip


@given(NAMES, st.sampled_from([*GREETINGS]))
def test_nobody_is_guessed_to_be_a_man_or_a_woman(known: dict[str, Any], language: str) -> None:
    """Without a form of address that the customer gave, no greeting has one, whatever the names are."""
    words, said = GREETINGS[language], greeting({**known, "salutation": None}, language)
    assert not said.startswith((words.mr.partition("{")[0], words.ms.partition("{")[0]))


PIECES = st.sampled_from(
    [
        "a ", "\n", " ", "{{ a }}", "{{ a.b }}", "{{ a['b'] }}", "{{ a.b.c.d }}", "{{ l.size }}", "{{ l.first }}",
        "{{ l[0] }}",
        "{{ n | plus: 2 | times: 1.5 }}", "{{ s | append: '<i>' | upcase }}", "{{ s | default: 'd' }}",
        "{{ x | default: s }}",
        "{{ s | replace: 'x', a.b }}", "{{ t }}{{ f }}{{ none }}", "{{ 'lit<' }}{{ 3 }}{{ 1.50 }}", "{{ l }}",
        "{{ a }}",
        "{{ 'now' | size }}", "{% assign s = 'new' %}", "{% capture s %}[{{ n }}]{% endcapture %}",
        "{{ forloop.index }}",
    ]
)  # fmt: skip
LISTS = st.sampled_from(["l", "a", "a.z", "s", "n", "none", "x", "a.b", "l[1]", "(1..n)", "l limit: 2", "l reversed",
                         "l offset: 1", "l limit: 1 offset: continue"])  # fmt: skip
ENDS = st.sampled_from(["", "", "{% break %}", "{% if i == 1 %}{% continue %}{% endif %}", "{{ forloop.last }}",
                        "{{ forloop.parentloop.index }}", "{% if n > 2 %}{% break %}{% endif %}"])  # fmt: skip
CONDITIONS = st.sampled_from(
    ["t", "f", "x", "a.b", "n > 2 and t", "x or s == 'x<y'", "f and x or t", "none", "l contains 1", "n"]
)


def _blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joined = st.lists(inner, max_size=3).map("".join)
    return st.one_of(
        st.builds("{{% if {0} %}}{1}{{% elsif {2} %}}{3}{{% else %}}{4}{{% endif %}}".format, CONDITIONS, joined,
                  CONDITIONS, joined, joined),
        st.builds("{{% if {0} %}}{1}{{% endif %}}".format, CONDITIONS, joined),
        st.builds("{{% unless {0} %}}{1}{{% endunless %}}".format, CONDITIONS, joined),
        st.builds("{{% for i in {0} %}}{1}{2}{{{{ i }}}}{{% endfor %}}".format, LISTS, joined, ENDS),
        st.builds("{{% for i in {0} %}}{1}{2}{{% else %}}{3}{{% endfor %}}".format, LISTS, joined, ENDS, joined),
    )  # fmt: skip


@example("{% for i in l %}{{ i }}{% endfor %}{% for i in l offset: continue %}again{% endfor %}", False)
@example("{% for i in l %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% break %}{% endfor %}", False)
@given(st.lists(st.recursive(PIECES, _blocks, max_leaves=8), max_size=6).map("".join), st.booleans())
def test_quick_nodes_say_what_liquid_says(source: str, escape: bool) -> None:
    context = {
        "a": {"b": "B&", "z": {}},
        "l": [1, "<2>", None],
        "n": 3,
        "s": "x<y",
        "t": True,
        "f": False,
        "none": None,
    }
    told = Environment({}, "en", "en", escape).template(source, "t").render(context)
    assert told == liquid.Environment(autoescape=escape).from_string(source).render(**context)


def test_plain_content_has_no_markup_anywhere() -> None:
    assert is_plain({"a": ["b", {"c": 1, "d": None}], "e": "{ % }"})
    assert not is_plain({"a": ["b", {"c": "{% if x %}"}]})
