"""Languages, blocks, sender and files of texts: read, written back, and every mistake where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opportune.catalog import from_bytes, from_data, load, to_bytes, to_data
from opportune.catalog.types import Sender
from opportune.deliver.gate import examine
from opportune.deliver.render.check import check
from opportune.errors import BadCatalog, Problem
from opportune.testing import tiny_action, tiny_catalog

HEAD = """\
currency: EUR
time_zone: UTC
placements: [{name: app.home, channel: app}, {name: email.weekly, channel: email}]
traits: [{name: plan, type: text}, {name: points, type: number}]
"""
ACTION = """\
actions:
  - name: offer
    issue: grow
    group: any
    owner: ana
    campaign: spring
    benefit: More for you
    outcomes: {positive: [accept], negative: [reject], window: 7d}
    treatments:
"""


def shop(folder: Path, treatments: str, more: str = "", **files: str) -> Path:
    (folder / "shop.yaml").write_text(f"{HEAD}{more}{ACTION}{treatments}", "utf-8")
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def told(folder: Path) -> list[str]:
    unused = "no action has a treatment for placement"
    return [str(p).replace(str(folder), "") for p in examine(folder)[1] if unused not in p.what]


def with_content(content: dict[str, Any], **more: Any) -> dict[str, Any]:
    treatment = {"name": "card", "channel": "app", "content": content, **more}
    return {"actions": [tiny_action("hello", treatments=[treatment])]}


def test_what_is_said_survives_being_written() -> None:
    data = {
        **to_data(tiny_catalog()),
        "language": "de",
        "sender": {"name": "Acme", "email": "hello@acme.example", "website": "https://acme.example"},
        "blocks": {"bye": "Ihre {{ sender.name }}", "hi": {"de": "Hallo", "en": "Hello"}},
        **with_content({"title": "Hallo", "list": [1, {"a": None}]}, languages={"en": {"title": "Hello"}, "de-AT": {}}),
    }
    catalog = from_data(data)
    assert from_bytes(to_bytes(catalog)) == catalog
    assert catalog.sender == Sender("Acme", "hello@acme.example", "", "", "https://acme.example")
    assert catalog.blocks == {"bye": {"de": "Ihre {{ sender.name }}"}, "hi": {"de": "Hallo", "en": "Hello"}}
    assert catalog.actions[0].treatments[0].languages == {"en": {"title": "Hello"}, "de-AT": {}}
    assert to_data(catalog)["blocks"] == data["blocks"]


def test_a_catalog_that_uses_none_of_it_keeps_its_hash() -> None:
    written = to_data(tiny_catalog(language="en", sender={}, blocks={}))
    assert not {"language", "sender", "blocks"} & {*written}
    assert "languages" not in written["actions"][0]["treatments"][0]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ({"language": "german"}, "language:1:1: `german` is not a language; write a tag of BCP 47"),
        ({"sender": {"email": "acme"}}, "sender.email:1:1: `email` of `sender` is `acme`, must be an e-mail address"),
        ({"sender": {"website": "acme.example"}}, "an address that starts with https://"),
        ({"sender": {"mail": "a@b"}}, "unknown key `mail` in `sender`; did you mean `email`?"),
        ({"blocks": {"a": {"de": ["x"]}}}, "blocks.a.de:1:1: block `a` must be text"),
        ({"blocks": {"a": {"DE": "x"}}}, "`DE` is not a language"),
        ({"blocks": {"a": {}}}, "block `a` has no text"),
        ({"blocks": {"a/b": "x"}}, "block name `a/b`"),
        (with_content({"a": "b"}, languages={"en": {"a": "c"}}), "`en` is the catalog's language"),
        (with_content({"a": "b"}, languages={"de": "c"}), "must be a mapping of keys of the content"),
        (with_content({"a": "b"}, languages={"deutsch": {}}), "`deutsch` is not a language"),
    ],
)
def test_mistakes_in_the_keys(data: dict[str, Any], what: str) -> None:
    with pytest.raises(BadCatalog) as found:
        tiny_catalog(**data)
    assert what in str(found.value)


def place_of(text: str, word: str) -> str:
    at = text.index(word)
    return f"{text.count(chr(10), 0, at) + 1}:{at - text.rfind(chr(10), 0, at)}"


IN = "\n            "


@pytest.mark.parametrize(
    "title",
    [
        '"Hi {{ customer.nam }}"',
        "'It''s ''{{ customer.nam }} '",
        "Hi {{ customer.nam }}",
        r'"\u00e4\"\n\x41 {{ customer.nam }}"',
        f"|{IN}Hi,\n{IN} you {{{{ customer.nam }}}}",
        f"|-{IN}{{% if traits.plan %}}{IN}  {{{{ customer.nam }}}}{IN}{{% endif %}}",
        f">{IN}Hi,{IN}you\n{IN}and {{{{ customer.nam }}}}",
        f"Hi,{IN}you {{{{ customer.nam }}}}",
        "{a: [1, {b: '{{ customer.nam }}'}]}",
        "ä 🎈 {{ customer.nam }}",
    ],
)
def test_a_mistake_is_where_the_file_has_it(tmp_path: Path, title: str) -> None:
    treatment = f"      - name: card\n        channel: app\n        content:\n          title: {title}\n"
    folder = shop(tmp_path, treatment)
    place = place_of((folder / "shop.yaml").read_text("utf-8"), "customer.nam")
    assert told(folder) == [f"/shop.yaml:{place}: `customer` has no `nam`; did you mean `name`?"]


def test_a_mistake_in_another_language_says_so(tmp_path: Path) -> None:
    card = "      - {name: c, channel: app, content: {title: Hi}, languages: {de: {title: 'Hallo {{ custmer.id }}'}}}\n"
    folder = shop(tmp_path, card)
    place = place_of((folder / "shop.yaml").read_text(), "custmer")
    assert told(folder) == [f"/shop.yaml:{place}: unknown name `custmer` (in `de`); did you mean `customer`?"]


def test_a_mistake_in_a_block_is_told_once_where_the_block_is(tmp_path: Path) -> None:
    blocks = "blocks:\n  bye:\n    en: Bye\n    de: |\n      Tschüss,\n      {{ sender.nam }}\n"
    both = "      - {name: N, channel: app, content: {title: \"{% render 'bye' %}\"}, languages: {de: {}}}\n"
    folder = shop(tmp_path, both.replace("N", "a") + both.replace("N", "b"), blocks)
    place = place_of((folder / "shop.yaml").read_text("utf-8"), "sender.nam")
    assert told(folder) == [f"/shop.yaml:{place}: `sender` has no `nam` (in `de`); did you mean `name`?"]


MAIL = "      - {name: mail, channel: email, content: {subject: Hi, mjml_file: FILE}}\n"


def test_a_text_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    mjml = "<mjml><mj-body><mj-section><mj-column><mj-text>Hi</mj-text></mj-column></mj-section></mj-body></mjml>"
    folder = shop(tmp_path, MAIL.replace("FILE", "emails/spring.mjml"), emails__spring_dot_mjml=mjml)
    assert told(folder) == []
    catalog = load(folder)
    assert catalog.actions[0].treatments[0].content == {"subject": "Hi", "mjml": mjml}
    assert from_bytes(to_bytes(catalog)) == catalog  # what is live does not need the file
    (folder / "emails/spring.mjml").write_text(mjml.replace("Hi<", "\n{{ customr.id }}<"))
    assert told(folder) == ["/emails/spring.mjml:2:4: unknown name `customr`; did you mean `customer`?"]
    assert load(folder).hash != catalog.hash


def test_files_of_a_catalog_folder_are_relative_to_the_project(tmp_path: Path) -> None:
    (tmp_path / "catalog").mkdir()
    text = f"{HEAD}{ACTION}      - {{name: card, channel: app, content: {{title_file: texts/t.txt}}}}\n"
    (tmp_path / "catalog" / "shop.yaml").write_text(text)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "t.txt").write_text("\ufeffHallo\r\nMaya", "utf-8", newline="")
    assert load(tmp_path).actions[0].treatments[0].content == {"title": "Hallo\nMaya"}


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("emails/autumn.mjml", "there is no file `emails/autumn.mjml` in "),
        ("../secret.txt", "`../secret.txt` leads out of the project folder; name a file inside of it"),
        ("/etc/passwd", "`/etc/passwd` leads out of the project folder"),
        ("emails", "there is no file `emails`"),
        ("emails/latin.mjml", "`emails/latin.mjml` is not UTF-8"),
        ("emails/big.mjml", "more than 1 MB"),
        ("emails/out.mjml", "leads out of the project folder"),
    ],
)
def test_mistakes_with_files(tmp_path: Path, file: str, what: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "project"
    (folder / "emails").mkdir(parents=True)
    (folder / "emails/latin.mjml").write_bytes(b"caf\xe9")
    (folder / "emails/big.mjml").write_text("x" * 2_000_000)
    (folder / "emails/out.mjml").symlink_to(tmp_path / "secret.txt")
    found = told(shop(folder, MAIL.replace("FILE", file)))
    place = place_of((folder / "shop.yaml").read_text(), f"{file}}}}}")
    assert len(found) == 1
    assert found[0].startswith(f"/shop.yaml:{place}: ")
    assert what in found[0]


def test_a_key_and_its_file_exclude_each_other(tmp_path: Path) -> None:
    [problem] = told(shop(tmp_path, "      - {name: c, channel: app, content: {a: b, a_file: shop.yaml}}\n"))
    assert "both `a` and `a_file`; keep one of them" in problem


@pytest.mark.parametrize(
    ("title", "what"),
    [
        ("{{ traits.points | date: 'tiny' }}", "fails for an ordinary customer: `date` got 'tiny'"),
        ("{{ traits.plan | money }}", "fails for an ordinary customer: `money` got 'silver'"),
        ("{{ 1 | divided_by: traits.points }}", "fails for a customer of whom nothing is known"),
        ("{% if traits.points == 0 %}{{ 'x' | money }}{% endif %}", "fails for a customer whose numbers are zero"),
        ("{% if customer.last_name.size > 199 %}{{ 'x' | date }}{% endif %}", "names of 200 characters"),
        ("{% if traits.points > 1000 %}{{ 'x' | date }}{% endif %}", "whose numbers are huge"),
        ("{% if traits.plan == 'فضّي' %}{{ 'x' | date }}{% endif %}", "from right to left"),
        ("{% if traits.plan contains '\n' %}{{ 'x' | date }}{% endif %}", "quotes, markup and line breaks"),
        ("{% if x %}", "`{% if %}` has no `{% endif %}`"),
    ],
)
def test_each_kind_of_sample_customer_is_tried(title: str, what: str) -> None:
    traits = [{"name": "plan", "type": "text"}, {"name": "points", "type": "number"}]
    found = check(tiny_catalog(traits=traits, **with_content({"title": title})))
    assert what in str(found[0])
    assert found[0].file.startswith("actions.hello.treatments.card.content")


LETTERS: dict[str, Any] = {
    "placements": [{"name": "letter.home", "channel": "letter"}],
    "sender": {"name": "Acme", "address": "Weg 1, Bern"},
}


def posted(content: dict[str, Any]) -> list[Problem]:
    given = {"subject": "Hi", "text": "Dear {{ customer.name }},\n\n{{ traits.plan }} {{ traits.points }}", **content}
    traits = [{"name": "plan", "type": "text"}, {"name": "points", "type": "number"}]
    treatment = {"name": "post", "channel": "letter", "content": given}
    return check(tiny_catalog(traits=traits, actions=[tiny_action("hello", treatments=[treatment])], **LETTERS))


BY_STREET = "{{ customer.name }}\n{{ traits.street }}\n{{ traits.city }}"


@pytest.mark.parametrize("address", ["", BY_STREET, "{{ customer.name }}\n{{ traits.address.street }}"])
def test_names_that_no_letter_can_hold_are_warnings(address: str) -> None:
    found = posted({"address": address} if address else {})
    assert found
    assert all(problem.warning for problem in found), found
    told = [p.what for p in found if "is declared" not in p.what]
    assert any("writes from right to left" in what for what in told)
    assert any("there is no address" in what for what in told) == ("traits." in address)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({"text": "漢字"}, "the font of the letter has no 字 (U+5B57), 漢 (U+6F22)"),
        ({"text": "{% if traits.points == 0 %}漢{% endif %}Hi"}, "numbers are zero: the font of the letter has no 漢"),
        ({"text": "{{ action.benefit }}"}, "for an ordinary customer: the font of the letter has no ☃"),
        ({"text": "{% render 'bye' %}"}, "for an ordinary customer: the font of the letter has no ☂"),
        ({"subject": "שלום"}, "the font of the letter has no ו"),
        ({"text": "{{ traits.plan | money }}"}, "`money` got 'silver'"),
        ({"address": "{{ customer.name }}"}, "no address"),
        ({"address": "{{ customer.name }}\na\nb\nc\nd\ne\nf"}, "7 lines"),
    ],
)
def test_what_is_wrong_with_a_letter_itself_is_a_mistake(content: dict[str, Any], what: str) -> None:
    said = {"subject": "Hi", "text": "Dear {{ customer.name }}", **content}
    treatment = {"name": "post", "channel": "letter", "content": said}
    snow = tiny_action("hello", benefit="☃", treatments=[treatment])
    traits = [{"name": "plan", "type": "text"}, {"name": "points", "type": "number"}]
    found = check(tiny_catalog(traits=traits, blocks={"bye": "☂"}, actions=[snow], **LETTERS))
    assert any(what in p.what for p in found if not p.warning), found


def test_content_without_a_value_is_told(tmp_path: Path) -> None:
    card = "      - {name: c, channel: app, content: {title: Stay, and pay less, list: [1, {a: ~}, null], b: ''}}\n"
    folder = shop(tmp_path, card)
    text = (folder / "shop.yaml").read_text()
    places = [place_of(text, word) for word in ("and pay", "a: ~", "null]")]
    cure = "or remove it; a text with a comma in braces needs quotes around it"
    what = "of the content has no value; write"
    assert told(folder) == [
        f'/shop.yaml:{places[0]}: warning: `and pay less` {what} `and pay less: ""`, {cure}',
        f'/shop.yaml:{places[1]}: warning: `a` {what} `a: ""`, {cure}',
        f'/shop.yaml:{places[2]}: warning: an entry {what} "", or remove it',
    ]


@pytest.mark.parametrize(
    ("html", "word", "what"),
    [
        ("<p>Hi</p>\n <script>alert(1)</script>", "<script", "`<script>` runs in no e-mail; remove it"),
        ("<p>Hi</p>\n <a href='https://a.example' OnClick='x()'>a</a>", "OnClick", "`onclick` runs in no e-mail"),
        ("<p>{{ customer.name }}</p>\n\n <a href='JavaScript:x()'>a</a>", "href", "a link with `javascript:` works"),
        ("<a href=' java&#x09;script:x()'>a</a>", "href", "a link with `javascript:` works in no e-mail"),
    ],
)
def test_what_runs_is_refused_where_it_stands(tmp_path: Path, html: str, word: str, what: str) -> None:
    mail = "      - {name: mail, channel: email, content: {subject: Hi, KIND_file: mail.txt}}\n"
    mjml = f"<mjml><mj-body><mj-section><mj-column><mj-text>{html}</mj-text></mj-column></mj-section></mj-body></mjml>"
    for kind, text in (("html", html), ("mjml", mjml)):
        [problem] = told(shop(tmp_path, mail.replace("KIND", kind), mail_dot_txt=text))
        assert problem.startswith(f"/mail.txt:{place_of(text, word)}: {what}")


def test_what_only_looks_like_it_is_not_refused(tmp_path: Path) -> None:
    mail = "      - {name: mail, channel: email, content: {subject: Hi, html_file: mail.html}}\n"
    html = "<script type='application/ld+json'>{}</script><a data-onclick='x' href='https://a.example/?javascript:'>on=1</a>"
    assert told(shop(tmp_path, mail, mail_dot_html=html)) == []


def test_what_is_made_must_fit_the_schema_of_its_place() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string", "minLength": 3}}}
    places = [{"name": "app.home", "channel": "app", "schema": schema}]
    [problem] = check(tiny_catalog(placements=places, **with_content({"title": "{{ customer.first_name }}"})))
    assert "fails for a customer of whom nothing is known" in problem.what
    assert check(tiny_catalog(placements=places, **with_content({"title": "Hello {{ customer.first_name }}"}))) == []


def test_undeclared_traits_are_a_warning() -> None:
    [problem] = check(tiny_catalog(**with_content({"title": "{{ traits.shoe_size }}"})))
    assert problem.warning
    assert problem.what == "no trait `shoe_size` is declared"
