"""The page on personal pages: its catalog goes live, its calls get the answers that it shows, no name is missing."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from opportune.api.beside import beside
from opportune.api.serving import listen
from opportune.catalog import check, load
from opportune.catalog.page_sections import MOST_OFFERS, MOST_SLOTS
from opportune.catalog.page_types import VISIT_NAMES
from opportune.hub import Hub
from opportune.wire.pages import PageRequest

PAGE = (Path(__file__).parent.parent / "docs" / "pages.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SCRIPT = files("opportune.api").joinpath("opportune.js").read_text("utf-8")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("docs")
    for number, (kind, _, text) in enumerate(BLOCKS):
        if kind == "yaml":
            (folder / f"{number}.yaml").write_text(text, "utf-8")
    (folder / "hub.yaml").write_text("currency: EUR\ntime_zone: UTC\nmodel: {random_share: 0}\n", "utf-8")
    assert [problem for problem in check(folder) if not problem.warning] == []
    hub = Hub.of(load(folder))
    with beside(hub, listen("127.0.0.1", 0)) as (address, secret), httpx.Client(base_url=address) as http:
        http.headers["Authorization"] = f"Bearer {secret}"
        yield http
    hub.close()


def test_the_request_gets_the_answer_that_is_shown(door: httpx.Client) -> None:
    [(path, body)] = [(about[5:], text) for _, about, text in BLOCKS if about.startswith("POST /v1/pages")]
    [shown] = [json.loads(text) for _, about, text in BLOCKS if about == "answer"]
    told = door.post(path, content=body).raise_for_status().json()
    assert set(told) == set(shown)
    assert told["silence"] == shown["silence"]
    assert list(told["slots"]) == list(shown["slots"])
    [[offer], [expected]] = told["slots"]["hero"], shown["slots"]["hero"]
    assert expected["content"].items() <= offer["content"].items()
    assert {key: offer[key] for key in expected if key != "content"} == {
        key: value for key, value in expected.items() if key != "content"
    }
    assert told["slots"]["tiles"] == [], "what the hero took, the tiles cannot have"


def test_the_other_calls_work(door: httpx.Client) -> None:
    [asked] = [text for _, about, text in BLOCKS if about == "POST /v1/decide"]
    assert door.post("/v1/decide", content=asked).status_code == 200
    made = door.post("/v1/pages/home", json={"userId": "maya", "context": {"utm_campaign": "halloween"}}).json()
    [outcome] = [json.loads(text) for _, about, text in BLOCKS if about == "POST /v1/outcomes"]
    assert door.post("/v1/outcomes", json={**outcome, "decisionId": made["decisionId"]}).json() == {"news": True}


def test_a_description_comes_for_its_reader_in_the_language_of_the_page(door: httpx.Client) -> None:
    door.post("/v1/identify", json={"userId": "vlad", "traits": {"reads": "horror"}}).raise_for_status()
    told = door.get("/v1/pages/product", params={"userId": "vlad", "language": "de"}).json()
    assert told["slots"]["text"][0]["content"]["text"].startswith("Die Erstausgabe")
    assert door.get("/v1/pages/product", params={"userId": "kim"}).json()["slots"]["text"] == []


def test_every_name_is_told() -> None:
    ticked = set(re.findall(r"`([^`\n]+)`", PAGE))
    assert set(VISIT_NAMES) <= ticked
    fields = {field: field.title().replace("_", "") for field in PageRequest.__struct_fields__}
    assert {name[:1].lower() + name[1:] for name in fields.values()} <= ticked
    attributes = re.search(r"const \{(.*?)\} = script\.dataset", SCRIPT)
    assert attributes
    read = {word.partition(":")[0].strip() for word in attributes[1].split(",")}
    read |= set(re.findall(r'"(\w+)" in script\.dataset', SCRIPT))
    rows = {name for name in ticked if name.startswith("data-")}
    assert {f"data-{name}" for name in read} <= rows
    assert {f"data-{name}" for name in re.findall(r'\[data-(\w+)\]', SCRIPT)} <= rows | {"data-opportune", "data-items"}
    assert {"page", "identify", "consent"} <= set(re.findall(r"opportune\.(\w+)\(", PAGE))


def test_every_figure_is_true() -> None:
    assert len(gzip.compress(SCRIPT.encode(), 9)) < 5000
    plain = " ".join(PAGE.split())
    assert "less than 5 KB (gzip)" in plain
    assert f"up to {MOST_SLOTS} slots, a slot up to {MOST_OFFERS} actions" in plain
    assert "Number(patience) || 150" in SCRIPT
    [rule] = [text for kind, _, text in BLOCKS if kind == "css"]
    assert "opportune-wait" in rule
    assert '"opportune-wait"' in SCRIPT
