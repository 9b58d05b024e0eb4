"""Standards: what is found, what is not, and where in the files it stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from opportune.catalog import from_data, to_data
from opportune.catalog.places import in_data
from opportune.catalog.project import write_project
from opportune.catalog.types import Catalog
from opportune.cli import app
from opportune.deliver import gate, standards
from opportune.deliver.standards import content_hash
from opportune.deliver.standards.looking import Looking
from opportune.deliver.standards.spoken import View
from opportune.deliver.standards.texts import folded
from opportune.deliver.standards.wording import Source
from opportune.errors import BadCatalog, Problem

FILE = """\
currency: EUR
time_zone: UTC
traits:
  - {name: religion, type: text}
  - {name: plan, type: text}
  - {name: tax, type: number}
features:
  - {name: clinic_views, event: Page Viewed, where: "page = 'diabetes'", aggregate: count, window: 7d, by: 1d}
context_weights:
  - {on: all, when: plan = 'gold', percent: 10}
  - {on: all, when: religion IS NULL, percent: 5}
model: {predictors: [plan, religion]}
placements:
  - {name: app.home, channel: app, price: 0.1 * clinic_views}
  - {name: email.weekly, channel: email}
blocks:
  end:
    en: |
      Yours
      The best team, Acme Ltd
    de: Ihre Acme
actions:
  - name: tv
    issue: grow
    group: more
    owner: ana
    campaign: spring
    benefit: TV
    eligible: >-
      plan = 'gold'
      AND religion = 'none'
    treatments:
      - name: hero
        channel: app
        content:
          title: It's guaranteed to be good
          items: [{text: "Not \\u00e4 best seller"}]
      - name: mail
        channel: email
        content: {subject: TV, html: "<p>Guar<b>anteed</b></p>{% render 'end' %}"}
        languages:
          de:
            subject: 'Jetzt: "Garantiert"'
"""


def found(text: str, tmp_path: Path, **changes: str) -> list[Problem]:
    for old, new in changes.items():
        text = text.replace(old, new)
    (tmp_path / "shop.yaml").write_text(text, encoding="utf-8")
    catalog, problems = gate.examine(tmp_path)
    assert catalog is not None, problems
    return [p for p in problems if "(standard" in p.what]


def places(problems: list[Problem]) -> set[tuple[int, int, str]]:
    return {(p.line, p.column, p.what.split(" in ")[0].split(" of ")[0]) for p in problems}


def at(text: str, word: str) -> tuple[int, int]:
    index = text.index(word)
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def test_words_are_found_where_they_are_written(tmp_path: Path) -> None:
    text = FILE + "standards: [{name: s, forbids: [guarant*, garantier*, best]}]\n"
    assert places(found(text, tmp_path)) == {
        (*at(text, "guaranteed to"), "`guaranteed`"),
        (*at(text, "best seller"), "`best`"),
        (*at(text, "Guar<b>"), "`guaranteed`"),
        (*at(text, "best team"), "`best`"),
        (*at(text, "Garantiert"), "`garantiert`"),
    }


def test_what_is_read_is_found_where_it_stands(tmp_path: Path) -> None:
    text = FILE + "standards: [{name: fair, protects: [religion, health]}]\n"
    problems = found(text, tmp_path)
    assert {(p.line, p.column) for p in problems} == {
        at(text, "religion IS NULL"),
        at(text, "religion]}"),
        at(text, "clinic_views}"),
        at(text, "religion = 'none'"),
    }
    assert "reads `religion`, which tells of religion" in problems[-1].what


def test_an_error_keeps_a_catalog_from_going_live_and_a_warning_does_not(tmp_path: Path) -> None:
    text = FILE + "standards: [{name: s, forbids: [guarant*]}]\n"
    assert found(text, tmp_path)
    with pytest.raises(BadCatalog, match=r"shop\.yaml:36:23: `guaranteed`.*leave it out"):
        gate.load(tmp_path)
    (tmp_path / "shop.yaml").write_text(text.replace("[guarant*]", "[guarant*], severity: warning"), encoding="utf-8")
    assert gate.load(tmp_path).standards[0].warns


def test_check_and_publish_refuse_what_does_not_meet_a_standard(tmp_path: Path) -> None:
    """Through the command line, as people do it: told with its place, and what is live stays live."""
    write_project(tmp_path)
    store = f"sqlite:///{tmp_path / 'hub.db'}"

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, [*words, "--dir", str(tmp_path), "--json"])

    assert run("check").exit_code == 0
    live = json.loads(run("publish", "--store", store).stdout)["catalog"]
    (tmp_path / "standards.yaml").write_text("standards: [{name: s, forbids: [thank you]}]\n")
    checked = run("check")
    assert checked.exit_code == 2
    told = [p for p in json.loads(checked.stdout)["problems"] if "(standard" in p["what"]]
    assert {Path(p["file"]).name for p in told} == {"actions_nurture.yaml"}
    refused = run("publish", "--store", store)
    assert isinstance(refused.exception, BadCatalog)
    assert "`thank you`" in str(refused.exception)
    (tmp_path / "standards.yaml").unlink()
    assert json.loads(run("publish", "--store", store).stdout) == {"published": False, "catalog": live, "warnings": []}


def catalog(*rules: dict[str, Any], content: Any = None, languages: Any = None, **action: Any) -> Catalog:
    channel = action.pop("channel", "app")
    treatment = {"name": "t", "channel": channel, "content": content or {}, "languages": languages or {}}
    blocks = action.pop("blocks", {})
    actions = [{"name": "a", "issue": "i", "group": "g", "treatments": [treatment], **action}]
    placements = [{"name": "p", "channel": channel}]
    base = {"currency": "EUR", "time_zone": "UTC", "placements": placements, "blocks": blocks}
    traits = [{"name": "health", "type": "text"}, {"name": "plan", "type": "text"}]
    return from_data({**base, "traits": traits, "actions": actions, "standards": list(rules)})


def said(text: str, rule: dict[str, Any], **more: Any) -> list[str]:
    """Return the words found fault with in a text."""
    made = catalog({"name": "s", **rule}, content={more.pop("key", "text"): text}, **more)
    return [p.what.split("`")[1] for p in standards.check(made)]


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("Guaranteed!", ["guaranteed"]), ("GUARANTEED", ["guaranteed"]), ("unguaranteed", []),
        ("guaranteedly", []), ("ｇｕａｒａｎｔｅｅｄ", ["guaranteed"]), ("guar\u00adan\u200bteed", ["guaranteed"]),
        ("guar&shy;anteed", ["guaranteed"]), ("<b>guar</b>anteed", ["guaranteed"]), ("best\n  price", ["best price"]),
        ("best&nbsp;price", ["best price"]), ("<p>best</p><p>price</p>", ["best price"]),
        ("freedom", []), ("Free", ["free"]), ("free_text", []), ("20% off", ["% off"]), ("Straße", ["strasse"]),
        ("{{ traits.free }}", []), ("{% if plan == 'free' %}x{% endif %}", []),
        ("{{ customer.name | default: 'free' }}", ["free"]), ("{% assign x = \"free\" %}{{ x }}", ["free"]),
        ("{% comment %}free{% endcomment %}", []), ("<!-- free -->a</p>", ["free"]), ("<a href='/free'>x</a>", []),
        ("<img alt='free' src='a.png'/>", ["free"]), ("a <free> b", ["free"]),
        ("Steuerfreie", ["steuerfreie"]), ("frei", ["frei"]), ("don’t wait", ["don't wait"]),
    ],
)  # fmt: skip
def test_forbidden_words_are_whole_words_as_a_customer_reads_them(text: str, hits: list[str]) -> None:
    words = ["guaranteed", "best price", "FREE", "% off", "STRASSE", "*freie*", "frei", "don't wait"]
    assert said(text, {"forbids": words}) == hits


@pytest.mark.parametrize(
    "text",
    [
        '{% liquid echo "guaranteed" %}', '{% liquid\nassign w = "guar"\necho w | append: "anteed" %}',
        '{% liquid render "says" %}', '{% render "x", w: "guaranteed" %}', "{% assign b = 'says' %}{% include b %}",
        "{% assign w = 'guaranteed' %}{% render 'x' with w %}", "{% assign w = 'guaranteed' %}{% include 'x', w: w %}",
        "guar{% if true %}anteed{% endif %}", "{% if a %}guar{% else %}x{% endif %}anteed",
        "{% if a %}x{% elsif b %}y{% elsif c %}guar{% endif %}{% unless d %}y{% else %}anteed{% endunless %}",
        "{% case a %}{% when 1 %}x{% when 2 %}guar{% when 3 %}y{% endcase %}anteed", "guar{{ traits.plan }}anteed",
        "guar{{ traits.plan }}{{ traits.plan }}anteed", '{% for w in "guaranteed" %}{{ w }}{% endfor %}',
        '{% assign all = "a,guaranteed" | split: "," %}{{ all[1] }}', '{{ "GUAR" | append: "ANTEED" | downcase }}',
        "{% capture c %}guar{% endcapture %}{{ c }}anteed", "{% for i in items %}anteed guar{% endfor %}",
        '{{ traits.plan | default: "guar" }}anteed', "{% for i in (1..2) %}{% cycle 'guar', 'anteed' %}{% endfor %}",
        "{% tablerow i in (1..2) %}guaranteed{% endtablerow %}", "{% ifchanged %}guar{% endifchanged %}anteed",
        "{% raw %}{% comment %}{% endraw %}guaranteed{% raw %}{% endcomment %}{% endraw %}", "<!-- guaranteed -->",
        "<style>guaranteed</style>", "<p title=guaranteed>x</p>", "{{ '<' }}!-- guaranteed --{{ '>' }}</p>",
        "{% if a %}x{% endif %}guar{% if b %}{% if c %}y{% else %}anteed{% endif %}{% endif %}",
        "{% if a %}x{% endif %}" * 9 + "guar{% if b %}{% if c %}y{% else %}anteed{% endif %}{% endif %}",
        "guar\u034fanteed", "guar\ufe0fanteed", "guar\u115fanteed", "guar&#8205;anteed", "g\u0332uaranteed",
        "gu\u0430rant\u0435ed", "GU\u0391RANTEED", "gu<b>\u0430</b>ranteed", "guar{% comment %}x{% endcomment %}anteed",
        "guar{%- if true -%}\n anteed{% endif %}", "{% increment n %}{% decrement n %} guaranteed",
        "{% for i in (1..3) %}{% if i == 2 %}{% continue %}{% endif %}guar{% break %}{% endfor %}anteed",
    ],
)  # fmt: skip
def test_words_are_found_however_liquid_puts_them_together(text: str) -> None:
    blocks = {"says": "guaranteed", "x": "{{ w }}{{ x }}"}
    assert set(said(text, {"forbids": ["guarante*"]}, blocks=blocks)) == {"guaranteed"}


@pytest.mark.parametrize(
    "text",
    [
        "<!-- guaranteed --><p>x</p>", "<!-- <p>guaranteed {{ a }}</p> -->", "<style>.guaranteed {}</style>",
        "{% if false %}guaranteed{% endif %}", "{% assign a = 1 %}{% if a == 2 %}guaranteed{% endif %}",
        "{% assign w = 'guaranteed' %}x", "{% if a == 'guaranteed' %}x{% endif %}", "{{ 'guaranteed' | size }}",
        "{% if a %}un{% endif %}unguaranteed", "{% doc %}guaranteed{% enddoc %}", "{% # guaranteed %}",
        "{% render 'x', style: 'guaranteed' %}", "{% if a %}guar{% else %}anteed{% endif %}", "guar {{ a }} anteed",
        "{% if a %}un{% else %}non{% endif %}guaranteed",
    ],
)  # fmt: skip
def test_words_that_nobody_gets_to_read_are_allowed(text: str) -> None:
    assert said(text, {"forbids": ["guarante*"]}, key="html", blocks={"x": "{% if style == 'a' %}b{% endif %}"}) == []


@pytest.mark.parametrize(
    "html",
    [
        "<!--> guaranteed <!-- -->", "<!-- --!> guaranteed <!-- -->", "<p>x</p><!--[if mso]>guaranteed<![endif]-->",
        "<style>p::after { content: 'guaranteed' }</style>", "{{ '<!--' }} guaranteed {{ '-->' }}",
        "<b \"> guaranteed <i \">", "guar<!-- x -->anteed", "<input value='guaranteed'>", "{% render 'x' %}",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_comment_is_read(html: str) -> None:
    found = said(html, {"forbids": ["guarante*"]}, key="html", blocks={"x": "<!-- guaranteed -->"})
    assert set(found) == {"guaranteed"}


def unclear(text: str, rule: dict[str, Any], **more: Any) -> list[tuple[int, str]]:
    made = catalog({"name": "s", **rule}, content={more.pop("key", "text"): text}, **more)
    told = [p for p in standards.check(made) if "cannot be checked" in p.what]
    return [(p.column, p.what.split(" in treatment")[0]) for p in told]


@pytest.mark.parametrize("rule", [{"forbids": ["a"]}, {"requires": ["x"]}, {"terms": ["Acme"]}, {"claims": ["a"]}])
def test_what_cannot_be_known_is_a_problem_of_every_standard_about_texts(rule: dict[str, Any]) -> None:
    assert unclear("x {% include traits.plan %}", rule) == [(6, "`include` of a block without its name")]
    many = "{% if a %}{% assign b = 'x' %}{% endif %}{% include b %}"
    assert unclear(many, rule) == [(many.index("include") + 1, "`include` of a block without its name")]
    assert unclear("{% render 'loop' %}", rule, blocks={"loop": "{% render 'loop' %}"})
    assert unclear("{% for i in (1..900) %}{% for k in (1..900) %}x{% endfor %}{% endfor %}", rule)
    assert unclear("{% assign a = 'xxxxx' %}" + "{% capture a %}{{ a }}{{ a }}{% endcapture %}" * 40, rule)
    assert unclear("x {{ customer.name }}{% render 'no' %}", rule) == []


@pytest.mark.parametrize(
    "html",
    ["<!-- {% if false %} -->best<!-- {% endif %} -->",
     "<p title='{% if false %}'>best</p><p title='{% endif %}'>x</p>",
     "<style>/* {% capture x %} */</style>best<style>/* {% endcapture %} */</style>",
     "<!-- {% assign w = '' %} -->{{ w }}",
     "<!--[if mso]>{% if false %}<![endif]-->best<!--[if mso]>{% endif %}<![endif]-->"],
)  # fmt: skip
def test_liquid_that_reaches_out_of_markup_is_a_problem(html: str) -> None:
    """Forms leave markup out with the Liquid in it: what is left says something else."""
    told = "Liquid that reaches out of a tag, comment or style sheet"
    assert {what for _, what in unclear(html, {"forbids": ["x"]}, key="html")} == {told}
    fine = "<p {% if a %}class='b'{% endif %}>{% if a %}<b title='{{ c }}'>x</b>{% endif %}<!--{% if a %}{% endif %}-->"
    assert unclear(fine, {"forbids": ["best"]}, key="html") == []


def test_a_word_that_is_put_together_is_told_where_it_begins(tmp_path: Path) -> None:
    liquid = "<p>{% assign w = 'anteed' %}Guar{{ w }} {{ traits.no | default: 'guarantor' }}</p>"
    text = FILE.replace("<p>Guar<b>anteed</b></p>", liquid)
    text += "standards: [{name: s, forbids: [guarant*]}]\n"
    assert places(found(text, tmp_path)) == {
        (*at(text, "guaranteed to"), "`guaranteed`"),
        (*at(text, "Guar{{"), "`guaranteed`"),
        (*at(text, "guarantor"), "`guarantor`"),
    }


def test_what_allows_a_word() -> None:
    rule = {"forbids": ["best"], "unless": "*Source:"}
    assert said("The best. *Source: a test", rule) == []
    assert said("The best. Source: a test", rule) == ["best"]
    assert said("The best", {"claims": ["best"]}) == ["best"]
    assert said("The best", {"claims": ["best"]}, proof="https://acme.example/test") == []
    assert said("The best", {"forbids": ["best"]}, proof="https://acme.example/test") == ["best"]


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("Acme Inc. has wi-fi", ["wi-fi"]), ("ACME Inc. rules", ["ACME"]), ("Acme rules", ["Acme"]),
        ("Wi‑Fi", []), ("WiFi at Acme Inc.", ["WiFi"]), ("https://acme.example/wifi", []), ("info@acme.example", []),
        ("acme.example", []), ("<a href='/wifi'>Wi-Fi</a>", []), ("{{ acme }} and {{ links.wifi }}", []), ("swifi", []),
    ],
)  # fmt: skip
def test_terms_are_spelled_right(text: str, hits: list[str]) -> None:
    assert said(text, {"terms": {"acme": "Acme Inc.", "wifi": "Wi-Fi", "wi-fi": "Wi-Fi"}}) == hits


def demands(text: str, **more: Any) -> list[tuple[bool, str]]:
    made = catalog({"name": "s", "requires": ["{{sender.address}}", "Street 1"]}, content={"text": text}, **more)
    return [(p.warning, p.cure.split(",")[0]) for p in standards.check(made)]


@pytest.mark.parametrize(
    "text",
    ["{% if true %}Street 1{% endif %}", "{% assign a = 'Street 1' %}{{ a }}", "{% liquid echo sender.address %}",
     "<style>@media print { p { display: none } }</style><p>Street 1</p>", "<p hidden>x</p>Street 1",
     "{{ 'Street' }} 1", "<br style='display:none'>Street 1",
     "<div style='display:none'><p>x</p></div><p>Street 1</p>",
     "{% render 'x', w: 'Street 1' %}",
     "At STREET\n1", "<b>Street</b> 1</p>", "{{ sender.address }}", "{{-sender.address-}}", "{% render 'end' %}",
     '{%- include "end" -%}', "{% render 'two' %}"],
)  # fmt: skip
def test_text_that_must_appear_is_there(text: str) -> None:
    assert demands(text, blocks={"end": "Acme, Street 1", "two": "{% render 'end' %}", "x": "{{ w }}"}) == []


@pytest.mark.parametrize(
    "text",
    ["", "Street 2", "<!-- Street 1 --></p>", "{% comment %}Street 1{% endcomment %}", "{% render 'else' %}",
     "<style>Street 1</style>", "<p style='color: red; display : none'>Street 1</p>", "<p hidden>Street 1</p>",
     "<div style=display:none><p>x</p>Street 1</div>", "<template>Street 1</template>", "<p title='Street 1'>x</p>",
     "<style>p.a, .b { display: none }</style><p class='c b'>Street 1</p>", "<p style='visibility:hidden'>Street 1</p>",
     "<mj-preview>Street 1</mj-preview>", "<!--[if mso]>Street 1<![endif]--></p>", "{% assign a = 'Street 1' %}",
     "{% capture a %}Street 1{% endcapture %}", "{% liquid\nif false\necho 'Street 1'\nendif %}", "<p>x<!-- Street 1",
     "{% if false %}Street 1{% endif %}", "{% unless true %}Street 1{% endunless %}",
     "<img alt='Street 1' src='a.png'/>",
     "{% for i in (2..1) %}Street 1{% endfor %}", "{{ 'x' | default: 'Street 1' }}", "Street{% if a %} 2{% endif %} 3",
     "<a title='x' href='Street 1'>y</a>"],
)  # fmt: skip
def test_text_that_must_appear_is_missing(text: str) -> None:
    assert demands(text, blocks={"end": "Street 1"}) == [(False, "add it")]


def test_text_that_not_everybody_gets_is_told() -> None:
    assert demands("{% if customer.country == 'DE' %}Street 1{% endif %}") == [(True, "write it outside of them")]
    assert demands("{{ customer.street | default: 'Street 1' }}") == [(True, "write it outside of them")]
    assert demands("{{ x | replace: 'Street 1', '' }}") != []
    assert demands("{% assign a = 'Street 1' %}{% if b %}{% assign a = '' %}{% endif %}{{ a }}")[0][0]
    assert demands("{% if a %}{% if b %}x{% endif %}y{% endif %}Street 1") == []


def test_every_language_must_have_it_with_its_own_blocks() -> None:
    content, blocks = {"text": "Hi", "end": "{% render 'end' %}"}, {"end": {"en": "Imprint", "de": "Impressum"}}
    rule = {"name": "s", "requires": "Imprint"}
    both = catalog(rule, content=content, languages={"de": {"text": "Hallo"}}, blocks=blocks)
    assert ["in `de`" in p.what for p in standards.check(both)] == [True]
    assert standards.check(catalog({**rule, "languages": ["en"]}, content=content, blocks=blocks)) == []
    own = catalog({**rule, "languages": ["de"]}, content=content, languages={"de-AT": {}}, blocks=blocks)
    assert len(standards.check(own)) == 1, "de is about de-AT too"


def test_scopes_kinds_and_fields_narrow_a_standard() -> None:
    def count(**standard: Any) -> int:
        rule = {"name": "s", "forbids": ["free"], **standard}
        content = {"title": "free", "body": {"text": "free"}}
        return len(standards.check(catalog(rule, content=content, channel="web")))

    assert count() == 2
    assert [count(on=s) for s in ("all", "i", "i/g", "action/a", "channel/web")] == [2] * 5
    assert count(on=["channel/app"]) == 0
    assert (count(kind="marketing"), count(kind="service")) == (2, 0)
    assert (count(field="title"), count(field="body.*"), count(field="text")) == (1, 1, 0)


def test_a_pattern_is_another_way_to_say_what_must_appear() -> None:
    rule = {"name": "s", "pattern": r"\bHRB \d{4,}"}
    assert standards.check(catalog(rule, content={"text": "Berlin HRB 12345"})) == []
    assert len(standards.check(catalog(rule, content={"text": "Berlin hrb 12345"}))) == 1
    assert standards.check(catalog({**rule, "requires": "x"}, content={"text": "x"})) == []


def test_predictors_are_all_unless_they_are_listed() -> None:
    rule = {"name": "s", "protects": ["health"]}
    [problem] = standards.check(catalog(rule))
    assert "predicts from `health`" in problem.what
    assert standards.check(catalog({**rule, "allows": ["health"]})) == []
    [named] = standards.check(catalog({"name": "s", "protects": ["age"], "names": ["plan"]}))
    assert "predicts from `plan`, which is protected" in named.what
    listed = from_data({**to_data(catalog(rule)), "model": {"predictors": ["plan"]}})
    assert standards.check(listed) == []


def test_a_value_that_reads_a_protected_constant_is_told() -> None:
    rule = {"name": "s", "protects": ["health"], "allows": ["health"]}
    made = catalog(rule, value="CASE WHEN plan = 'diabetes_care' THEN 2 ELSE 1 END")
    [problem] = standards.check(made)
    assert (problem.file, problem.column) == ("actions.a.value", len("CASE WHEN plan = 'x"))


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ({}, "names no legal basis"),
        ({"basis": "consent", "channel": "email"}, ""),
        ({"basis": "legitimate_interest", "channel": "email"}, ""),
        ({"basis": "contract", "channel": "email"}, "cannot reach out in channel `email`"),
        ({"basis": "contract", "channel": "app"}, ""),
        ({"basis": "contract", "channel": "email", "kind": "service"}, ""),
        ({"basis": "contract", "kind": "service", "content": {"text": "20% off"}}, "may not carry an offer"),
        ({"basis": "contract", "kind": "service", "content": {"text": "20% off"}, "value": 0}, ""),
        ({"basis": "consent", "content": {"text": "20% off"}}, ""),
    ],
)
def test_the_basis_fits(action: dict[str, Any], told: str) -> None:
    problems = standards.check(catalog({"name": "s", "needs_basis": True}, **action))
    assert len(problems) == bool(told)
    assert all(told in p.what for p in problems)


def approved(by: str, digest: str, text: str = "Hi", **more: Any) -> list[Problem]:
    blocks = {"end": more.pop("end", "Bye"), "other": more.pop("other", "")}
    approval = {"by": by, "at": "2026-01-01", "hash": digest} if by else None
    content = {"text": text, "end": "{% render 'end' %}"}
    made = catalog({"name": "s", "needs_approval": True}, owner="ana", approved=approval, content=content,
                   blocks=blocks, **more)  # fmt: skip
    return standards.check(made)


def test_an_edited_text_is_no_longer_approved() -> None:
    [asked] = approved("", "")
    digest = asked.cure.split("hash: ")[1].split("}")[0]
    assert approved("ben", digest) == []
    assert approved("ben", digest, other="edited, but not used", value=7.0, lever=20) == []
    for edit in ({"text": "Hi!"}, {"end": "Bye!"}, {"languages": {"de": {"text": "Hallo"}}}, {"benefit": "More"}):
        [problem] = approved("ben", digest, **edit)
        assert "says something else since `ben` approved it" in problem.what
        assert digest not in problem.cure
    [problem] = approved("Ana", digest)
    assert "owns" in problem.what


def test_a_text_with_blocks_upon_blocks_is_read_in_bounds() -> None:
    many = {f"b{n}": f"{{% render 'b{n + 1}' %}}" * 20 + "x" * 100 for n in range(7)}
    catalog_of = catalog({"name": "s", "forbids": ["best"]}, content={"text": "{% render 'b0' %}"}, blocks=many)
    assert [p.what.split(",")[0] for p in standards.check(catalog_of)] == ["it says too much"]


@pytest.mark.parametrize(
    "text",
    ["{% render 'x' %}", "{% liquid render 'x' %}", "{% liquid\nassign a = 1\ninclude 'x' %}", "{% render 'two' %}",
     "{% if a %}{% liquid render 'x' %}{% endif %}", "{% assign b = 'x' %}{% include b %}", "{% include traits.plan %}",
     "{% if %}{% liquid render 'x'"],
)  # fmt: skip
def test_an_approval_is_of_the_blocks_as_they_are(text: str) -> None:
    """Those that it names, and all where a name is not written or the text cannot be read."""
    def digest(**blocks: str) -> str:
        made = catalog(content={"text": text}, blocks={"x": "old", "two": "{%liquid render 'x' %}", "o": "", **blocks})
        return content_hash(made, made.actions[0])

    assert digest() != digest(x="new")
    unnamed = ("{% assign b", "{% include traits", "{% if %}")
    assert (digest() != digest(o="new")) == text.startswith(unnamed)


def test_the_example_of_the_docs_is_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "messages.md").read_text("utf-8").split("## Standards", 1)[1]
    example = yaml.safe_load(page.split("```yaml", 1)[1].split("```", 1)[0].replace(" on:", " 'on':"))
    treatments = [{"name": "t", "channel": "email"}]
    there = [{"name": i, "issue": i, "group": "bundle", "treatments": treatments} for i in ("grow", "retain")]
    read_again = from_data({"placements": [{"name": "p", "channel": "email"}], "actions": there, **example})
    assert len(read_again.standards) == len(example["standards"]) == 8


words = st.text(st.sampled_from("ab ßÄﬁ<>/{}%'\"&; \n\u00ad’e\u0301{{}}<b></b>"), max_size=40)


def read(text: str, view: View, key: str = "html") -> Any:
    made = catalog()
    return Looking(made, in_data(made)).read("en", Source(("x",), text, key), view)


@given(words, words)
def test_what_is_found_lies_where_it_is_said_to(before: str, after: str) -> None:
    """Whatever stands around it: a word by itself is found, at its own first character."""
    text = f"{before.replace('<', '').replace('{', '')} zebra {after.replace('<', '').replace('{', '')}"
    for view in View:
        reading = read(text, view, "")[0]
        assert "zebra" in reading.text
        assert reading.at(reading.text.index("zebra")) == (Source(("x",), text), text.index("zebra"))


liquids = st.lists(
    st.sampled_from(
        ("a", " zeb", "ra ", "{% if x %}", "{% else %}", "{% endif %}", "{{ y }}", "{% assign w = 'ra' %}", "{{ w }}",
         "<b>", "{% for i in z %}", "{% endfor %}", "{% raw %}", "{% endraw %}", "<!--", "-->", "&shy;", "ß",
         "{% break %}")
    ), max_size=14,
).map("".join)  # fmt: skip


@given(liquids)
def test_reading_never_fails_and_is_stable(text: str) -> None:
    for view in View:
        for reading in read(text, view):
            starts = [m[0] for m in reading.marks]
            assert starts == sorted(starts)
            places = [reading.at(offset) for offset in range(len(reading.text))]
            assert all(0 <= offset <= len(text) for _, offset in places)
    assert "  " not in folded(text)


@given(liquids)
def test_whatever_is_rendered_was_read(text: str) -> None:
    """A word that some customer gets is one that was found."""
    from opportune.deliver.render.templates import BadTemplate, RenderFailed, Templates

    people: tuple[dict[str, Any], ...] = ({}, {"x": 1}, {"x": 1, "z": [1, 2]}, {"z": [1], "y": "n"})
    try:
        template = Templates({}, "en").text(text, "text")
        rendered = [template.render(person) for person in people]
    except (BadTemplate, RenderFailed):
        return
    if any("zebra" in one.split() for one in rendered):
        assert said(text, {"forbids": ["zebra"]})


def test_the_benefit_of_an_action_is_read_where_a_text_says_it() -> None:
    from test_outgoing import data

    from opportune.catalog.build import from_data
    from opportune.deliver import standards

    told = data(standards=[{"name": "no_fee", "forbids": ["late fee"]}])
    told["actions"][0]["benefit"] = "Never a late fee again"
    assert standards.check(from_data(told)) == []
    told["actions"][0]["treatments"][0]["content"]["text"] = "Hello: {{ action.benefit }}"
    [problem] = standards.check(from_data(told))
    assert "`late fee`" in problem.what
