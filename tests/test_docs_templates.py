"""The page on templates: its catalog may go live, and everything comes out as it says there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from opportune.catalog.build import from_data, to_data
from opportune.catalog.channel_sections import CARRIERS, CHANNELS, plain
from opportune.catalog.source import parse_yaml
from opportune.catalog.types import Action, Catalog
from opportune.deliver import gate, standards
from opportune.deliver.forms import FORMS, audience, email, form_of, letter, push, script, sms
from opportune.deliver.person import context
from opportune.deliver.render import names
from opportune.deliver.render.filters import FILTERS
from opportune.deliver.render.samples import NOW, ordinary
from opportune.deliver.render.templates import Templates
from opportune.deliver.render.worker import Renderer
from opportune.deliver.types import Job, Rendered
from opportune.errors import Problem

DOCS = Path(__file__).parent.parent / "docs"
PAGE, MESSAGES = ((DOCS / name).read_text() for name in ("templates.md", "messages.md"))
FENCE = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of code: its language, what stands behind that, and its text."""

    kind: str
    about: str
    text: str


BLOCKS = [Block(*found.groups("")) for found in FENCE.finditer(PAGE)]
FILTERED = [
    (block.about, line)
    for block in BLOCKS
    if block.kind == "liquid"
    for line in block.text.splitlines()
]
SAID = [block for block in BLOCKS if block.kind in ("json", "text") and block.about]


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalog | None, list[Problem]]:
    folder = tmp_path_factory.mktemp("shop")
    for number, block in enumerate(BLOCKS):
        if block.kind == "yaml":
            (folder / f"{number:02}.yaml").write_text(block.text)
        elif block.kind == "html":
            path = folder / block.about
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text)
    return gate.examine(folder)


@pytest.fixture(scope="module")
def catalog(examined: tuple[Catalog | None, list[Problem]]) -> Catalog:
    assert examined[0] is not None, examined[1]
    return examined[0]


@pytest.fixture(scope="module")
def made(catalog: Catalog) -> dict[tuple[str, str], Mapping[str, Any]]:
    """What each treatment says to the sample customer, by action/treatment and language."""
    work = [
        (action, treatment, language)
        for action in catalog.actions
        for treatment in action.treatments
        for language in (catalog.language, *treatment.languages)
    ]
    with Renderer(catalog) as renderer:
        answers = renderer.render([Job(a.name, t.name, lang, _maya(catalog, a, lang)) for a, t, lang in work])
    contents: dict[tuple[str, str], Mapping[str, Any]] = {}
    for (action, treatment, language), answer in zip(work, answers, strict=True):
        assert isinstance(answer, Rendered), (action.name, treatment.name, answer)
        contents[f"{action.name}/{treatment.name}", language] = answer.content
    return contents


def _is_a_customer_without_letters(problem: Problem) -> bool:
    """Whether a sample customer has no postal address, or a name that letters cannot be set in."""
    return problem.what.startswith("fails for") and "  - name: letter_spring\n" in Path(problem.file).read_text()


def _maya(catalog: Catalog, action: Action, language: str) -> dict[str, Any]:
    """The sample customer, with a postal address."""
    person = ordinary(catalog, action, language)
    return {**person, "traits": {**person["traits"], "address": "Street 2, 10115 Berlin"}}


def test_the_catalog_of_the_page_may_go_live(examined: tuple[Catalog | None, list[Problem]]) -> None:
    assert [p for p in examined[1] if not (p.warning or _is_a_customer_without_letters(p))] == []


def _data(text: str) -> dict[str, Any]:
    tree = parse_yaml(text, "messages.md", [])
    assert tree is not None
    found: dict[str, Any] = tree.plain()
    return found


def test_the_imprint_asks_what_has_no_footer(catalog: Catalog) -> None:
    [example] = [block for block in FENCE.findall(MESSAGES) if block[2].startswith("standards:")]
    action: dict[str, Any] = {"issue": "service", "group": "bills", "benefit": "You know what you owe"}
    said = {"channel": "email", "placements": ["email.weekly"], "content": {"subject": "Bill", "text": "Paid."}}
    data = to_data(catalog)
    data["standards"] = [s for s in _data(example[2])["standards"] if s["name"] == "imprint"]
    assert standards.check(from_data(data)) == []
    data["actions"] += [{**action, "name": "bill", "kind": "service", "treatments": [{"name": "mail", **said}]}]
    [told] = standards.check(from_data(data))
    assert "action `bill` has no" in told.what


def test_there_is_an_example_of_every_form_and_of_both_questions(catalog: Catalog) -> None:
    channels = {channel.name: channel for channel in catalog.channels}
    forms = {form_of(channels[t.channel], t.content) for action in catalog.actions for t in action.treatments}
    assert forms == set(FORMS)
    assert {"pulse", "ask_birthday_month"} <= {action.name for action in catalog.actions}


@pytest.mark.parametrize("block", SAID, ids=lambda block: block.about)
def test_a_treatment_says_what_the_page_shows(block: Block, made: dict[tuple[str, str], Mapping[str, Any]]) -> None:
    treatment, _, which = block.about.partition(" ")
    if block.kind == "text":
        assert made[treatment, "en"][which].strip() == block.text.strip()
    else:
        assert made[treatment, which or "en"] == json.loads(block.text)


def test_enough_is_shown() -> None:
    assert len(SAID) >= 6


def test_emails_and_letters_are_made(made: dict[tuple[str, str], Mapping[str, Any]]) -> None:
    spring, german, tip = made["spring/mail", "en"], made["spring/mail", "de"], made["tip/mail", "en"]
    assert spring["subject"] == "10 GB more for the same price"
    assert spring["from_name"] == german["from_name"] == "Acme Offers"
    assert "Dear Ms Kruse," in spring["html"]
    assert "you spent €12.50" in spring["html"]
    assert "Yours, Acme" in spring["text"]
    assert "Sehr geehrte Frau Kruse," in german["html"]
    assert "Ihre Acme" in german["text"]
    assert "html" not in tip
    for mail in (spring, tip):
        assert mail["text"].count("Street 1, 10115 Berlin") == 1
        assert "Unsubscribe" in mail["text"]
    assert made["letter_spring/post", "en"]["pdf"].startswith(b"%PDF")
    assert made["ads_spring/list", "en"]["list"] == "spring silver"


@pytest.mark.parametrize(("language", "line"), FILTERED, ids=lambda one: one.partition("->")[0].strip())
def test_a_filter_gives_what_the_page_shows(language: str, line: str, catalog: Catalog) -> None:
    source, _, wanted = line.partition("->")
    traits = {
        "first_name": "Maya", "last_name": "Kruse", "salutation": "Ms", "language": language,
        "note": "one\ntwo", "sizes": ["S", None, "M"],
    }  # fmt: skip
    items = [{"title": "Tea", "price": 4}, {"title": "Cups", "price": 12}]
    person = context("maya", traits, {}, catalog, NOW, "Europe/Berlin", items=items)
    shown = Templates({}, language).text(source.strip(), "text").render(person)
    assert " ".join(shown.split()) == wanted.strip()


def test_every_filter_is_shown() -> None:
    from opportune.deliver.render.liquid_environment import Environment

    known = set(Environment({}, "en", "en", escape=False).filters)
    shown = {name for _, line in FILTERED for name in re.findall(r"\| (\w+)", line.partition("->")[0])}
    assert set(FILTERS) <= known
    assert shown == known


def test_every_name_is_told(catalog: Catalog) -> None:
    section = PAGE.partition("\n## Names\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"`([a-z_]+(?:\.\w+)?)`", "".join(re.findall(r"^\| (.+?) \|", section, re.MULTILINE))))
    known = {
        f"{name}.{inner}" if inner else name
        for name, below in names.known(catalog).items()
        for inner in (["NAME"] if name in ("traits", "features") else below or [""])
    }
    assert told == known


@pytest.mark.parametrize(
    ("title", "fields"),
    [
        ("Email", email.FIELDS), ("SMS", sms.FIELDS), ("Push", push.FIELDS), ("Letter", letter.FIELDS),
        ("Script", script.ORDER), ("Audience", audience.FIELDS),
    ],
)  # fmt: skip
def test_every_key_of_a_content_is_told(title: str, fields: tuple[str, ...]) -> None:
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    table = section.partition("| key | | |\n")[2].partition("\n\n")[0]
    assert re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (.+?) \|", table, re.MULTILINE))) == [*fields]


def test_every_option_of_a_carrier_is_told() -> None:
    section = PAGE.partition("\n## Carriers\n")[2].partition("\n## ")[0]
    told: dict[str, set[str]] = {}
    needed: dict[str, set[str]] = {}
    takes: dict[str, str] = {}
    carrier = ""
    for row in re.findall(r"^\| (?!carrier|-)(.*) \|$", section.replace("| |", "|  |"), re.MULTILINE):
        name, forms, options, usual, _ = (cell.strip() for cell in re.split(r" \| ?| ?\| ", f"{row} ", maxsplit=4))
        if name:
            carrier = name.strip("`")
            takes[carrier] = forms
        words = re.findall(r"`(\w+)`", options)
        told.setdefault(carrier, set()).update(words)
        needed.setdefault(carrier, set()).update(words if usual == "needed" else ())
    assert told == {name: set(one.options) for name, one in CARRIERS.items()}
    assert needed == {name: set(one.needs) for name, one in CARRIERS.items()}
    for name, one in CARRIERS.items():
        wanted = set(FORMS) if takes[name] == "every form" else set(takes[name].split(", "))
        assert wanted == set(one.forms)


def test_the_traits_that_hold_addresses_are_told() -> None:
    section = PAGE.partition("\n## Traits that messages read\n")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^\| `(email|phone|push_token|address)` \| (.+) \|$", section, re.MULTILINE))
    for name, push_ in CHANNELS.items():
        if trait := plain(name, push_).to:
            assert f"`{name}`" in told[trait]
    for trait in audience.POSTAL_CODES:
        assert f"`{trait}`" in section
