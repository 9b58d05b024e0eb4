"""Drafts: asked over a real wire, checked, kept in a file, taken by a person into the files of the catalog."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from opportune.catalog import load
from opportune.cli import app
from opportune.deliver.draft_files import read, waiting
from opportune.deliver.drafts import accept, ask, draft, find
from opportune.deliver.generators import Chat, GeneratorFailed, Plain, Wanted
from opportune.errors import BadCatalog, BadInput

AT = 1_767_225_600_000_000
FILE = """\
currency: EUR
time_zone: UTC
# where we speak
placements: [{name: app.home, channel: app}, {name: sms.any, channel: sms}, {name: email.weekly, channel: email}]
blocks: {end: "Acme, Street 1"}
standards:
  - {name: imprint, requires: Street 1, on: channel/sms}
  - {name: honest, forbids: [guaranteed]}
  - {name: brand, terms: [Acme TV]}
  - {name: four_eyes, needs_approval: true, severity: warning}
actions:
  - name: tv
    issue: grow
    group: more
    owner: ana
    benefit: TV for a month
    treatments:
      - name: hero   # the big one
        channel: app
        content: {title: Old title, image: /tv.png, hero: {text: "Old {{ traits.plan }} text", url: "https://a.example"}}
      - name: text
        channel: sms
        content: {text: "Hi Street 1"}
      - {name: mail, channel: email, content: {subject: TV, html: "<p>Hello</p>"}}
      - {name: new, channel: app, content: {}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.yaml").write_text(FILE, encoding="utf-8")
    return tmp_path


Answer = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """Speaks the wire of chat completions; `answer` says how, `asked` is what came in."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: Answer = reply({})
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, dict(self.headers), body))
        self.server.answer(self)

    def log_message(self, *args: Any) -> None:
        pass


def raw(data: bytes, status: int = 200, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"content-length": str(len(data)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def says(content: Any, **choice: Any) -> Answer:
    return raw(json.dumps({"choices": [{"message": {"role": "assistant", "content": content}, **choice}]}).encode())


def reply(texts: dict[str, Any]) -> Answer:
    return says(json.dumps(texts))


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running
        running.shutdown()


WANTED = Wanted("grow/more/tv", "TV", "marketing", "app", "en", ("title",), {"title": "Old"})


def test_what_is_sent_and_what_comes_back(server: Server) -> None:
    server.answer = reply({"title": " TV,\x00 now\u200d ", "more": "ignored"})
    written = Chat(server.url + "/", "small", "secret").write(WANTED)
    assert written == {"title": "TV, now\u200d"}
    [(path, headers, body)] = server.asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret"
    assert body["model"] == "small"
    assert [m["role"] for m in body["messages"]] == ["system", "user"]
    told = json.loads(body["messages"][1]["content"])
    assert told == {"action": "grow/more/tv", "benefit": "TV", "kind": "marketing", "channel": "app",
                    "language": "en", "fields": ["title"], "now": {"title": "Old"}}  # fmt: skip


def test_without_a_key_none_is_sent(server: Server) -> None:
    server.answer = says("<think>{no}</think>Here you are:\n```json\n{\"title\": \"TV\"}\n```\nGood luck!")
    assert Chat(server.url, "small").write(WANTED) == {"title": "TV"}
    assert "Authorization" not in server.asked[0][1]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (raw(b"", 401), "OPPORTUNE_GENERATOR_KEY"),
        (raw(b"", 404), "small"),
        (raw(b"", 429, retry_after="20"), "wait 20 s"),
        (raw(b"", 429, retry_after="<script>"), "try again later"),
        (raw(b'{"error":\n "no \x1b[31m GPU"}', 500), 'status 500: {"error": "no [31m GPU"}'),
        (raw(b"", 302, location="http://127.0.0.1:1/"), "status 302"),
        (raw(b"<html>"), "does not answer in JSON"),
        (raw(b"[" * 100_000), "does not answer in JSON"),
        (raw(b'{"choices": []}'), "choices[0].message.content"),
        (raw(b'{"choices": [{"message": "x"}]}'), "choices[0].message.content"),
        (raw(b'["x"]'), "choices[0].message.content"),
        (says(None), "without a text"),
        (says("{", finish_reason="length"), "broke off"),
        (says("I'd rather not."), "no JSON object"),
        (says("{]}"), "no JSON object"),
        (says("{" * 100_000 + "}"), "no JSON object"),
        (reply({}), "no text for `title`"),
        (reply({"title": 3}), "no text for `title`"),
        (reply({"title": "x" * 5001}), "more than 5000 characters"),
        (raw(b" " * 1_100_000), "more than 1 MB"),
        (raw(b"\x1f\x8b" + b"\0" * 50, content_encoding="gzip"), "does not answer in JSON"),
    ],
)
def test_an_answer_that_is_no_draft_is_told_clearly(server: Server, answer: Answer, told: str) -> None:
    server.answer = answer
    with pytest.raises(GeneratorFailed) as caught:
        Chat(server.url, "small", "secret-key").write(WANTED)
    assert told in str(caught.value)
    assert str(caught.value).startswith("the generator at 127.0.0.1 ")
    assert "secret-key" not in str(caught.value)
    assert len(server.asked) == 1, "a redirect would take the key elsewhere"


def test_a_slow_answer_ends_in_time_however_it_drips(server: Server) -> None:
    left = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with suppress(OSError):
            while not left.wait(0.05):
                handler.wfile.write(b" ")
                handler.wfile.flush()

    server.answer = drip
    with pytest.raises(GeneratorFailed, match=r"no answer within 0.3 s"):
        Chat(server.url, "small", timeout=0.3).write(WANTED)
    left.set()


def test_an_address_that_cannot_be(server: Server) -> None:
    for url, told in (("ftp://x", "no address"), ("localhost:8080", "no address"), ("", "no address")):
        with pytest.raises(BadInput, match=told):
            Chat(url, "small")
    with pytest.raises(BadInput, match="generator_model"):
        Chat(server.url, "")
    server.shutdown()
    server.server_close()
    with pytest.raises(GeneratorFailed, match="cannot be reached"):
        Chat(server.url, "small").write(WANTED)


def test_what_is_asked_comes_from_the_catalog_alone(shop: Path) -> None:
    catalog = load(shop)
    wanted = ask(catalog, *find(catalog, "tv", "hero"), "en", "be kind")
    assert wanted.fields == ("title", "hero.text"), "no address, no picture"
    assert wanted.now == {"title": "Old title", "hero.text": "Old {{ traits.plan }} text"}
    assert (wanted.required, wanted.forbidden, wanted.spelled) == ((), ("guaranteed",), ("Acme TV",))
    assert {"text": "Hi Street 1"} in wanted.others
    assert ask(catalog, *find(catalog, "tv", "text"), "en").required == ("Street 1",)
    assert ask(catalog, *find(catalog, "tv", "mail"), "en").fields == ("subject",)
    assert ask(catalog, *find(catalog, "tv", "new"), "en").fields == ("title", "text", "button")
    assert ask(catalog, *find(catalog, "tv", "hero"), "de").others == (), "nothing of it is said in German yet"


def test_a_draft_waits_and_goes_into_the_files_when_a_person_takes_it(shop: Path, server: Server) -> None:
    server.answer = reply({"title": "Acme TV, now", "hero.text": "One month.\nIt's: yours"})
    before = load(shop)
    path, made, problems = draft(shop, "tv", "hero", "", Chat(server.url, "small"), AT, "short")
    assert path == shop / "drafts" / "tv.hero.en.yaml"
    assert problems == []
    assert load(shop) == before, "nothing is live, and a draft is no part of the catalog"
    assert waiting(shop) == [(path, made)]
    assert read(path)[0] == made
    changed, record = accept(shop, path, "ben", AT)
    assert changed == [str(shop / "shop.yaml")]
    after = load(shop)
    assert after.actions[0].treatments[0].content == {
        "title": "Acme TV, now", "image": "/tv.png",
        "hero": {"text": "One month.\nIt's: yours", "url": "https://a.example"},
    }  # fmt: skip
    text = (shop / "shop.yaml").read_text()
    assert "# where we speak" in text
    assert "name: hero   # the big one" in text
    assert waiting(shop) == []
    assert "accepted: {by: \"ben\"" in record.read_text()
    assert record.parent == shop / "drafts" / "accepted"


def test_another_language_keeps_what_is_not_text(shop: Path, server: Server) -> None:
    server.answer = reply({"title": "Fernsehen", "hero.text": "Ein Monat"})
    path, _, problems = draft(shop, "tv", "hero", "de", Chat(server.url, "small"), AT)
    assert problems == []
    accept(shop, path, "ben", AT)
    assert load(shop).actions[0].treatments[0].languages == {
        "de": {"title": "Fernsehen", "hero": {"text": "Ein Monat", "url": "https://a.example"}}
    }
    assert load(shop).actions[0].treatments[0].content["title"] == "Old title"


@pytest.mark.parametrize(
    ("text", "told", "refused"),
    [
        ("It is guaranteed", "`guaranteed`", True),
        ("Get acme tv", "write `Acme TV`", True),
        ("Hi {% if %}", "", True),
        ("Hi {{ customer.first_name", "", True),
        ("Hi <script src='//x'></script>", "markup", True),
        ("Hi {{ traits.health }}", "is new in this text", False),
        ("Hi {{ customer.first_name }}", "", False),
        ("Old {{ traits.plan }} text", "", False),
    ],
)
def test_a_draft_is_checked_like_everything_else(
    shop: Path, server: Server, text: str, told: str, refused: bool
) -> None:
    server.answer = reply({"title": "TV", "hero.text": f"First line\n{text}"})
    path, _, problems = draft(shop, "tv", "hero", "", Chat(server.url, "small"), AT)
    assert bool(problems) == bool(told or refused)
    assert all(p.file == str(path) and p.line == 10 for p in problems), "the second line of the second text"
    assert any(told in str(p) for p in problems) or not told
    before = (shop / "shop.yaml").read_bytes()
    if refused:
        with pytest.raises(BadCatalog):
            accept(shop, path, "ben", AT)
        assert (shop / "shop.yaml").read_bytes() == before
        assert path.exists()
        path.write_text(path.read_text().replace(text, "mended by hand"))
    accept(shop, path, "ben", AT)
    expected = "mended by hand" if refused else text
    assert load(shop).actions[0].treatments[0].content["hero"]["text"] == f"First line\n{expected}"


def test_what_a_required_text_lacks_is_told(shop: Path, server: Server) -> None:
    server.answer = reply({"text": "TV for you"})
    _, _, problems = draft(shop, "tv", "text", "", Chat(server.url, "small"), AT)
    assert ["has no `Street 1`" in p.what for p in problems] == [True]


def test_a_draft_does_not_undo_what_was_changed_meanwhile(shop: Path) -> None:
    path, _, _ = draft(shop, "tv", "hero", "", Plain(), AT)
    (shop / "shop.yaml").write_text(FILE.replace("Old title", "Newer title"))
    with pytest.raises(BadInput, match="has changed since"):
        accept(shop, path, "ben", AT)
    with pytest.raises(BadInput, match="give --by"):
        accept(shop, path, " ", AT)


def test_a_draft_that_somebody_broke_is_told_with_its_place(shop: Path) -> None:
    path, _, _ = draft(shop, "tv", "hero", "", Plain(), AT)
    path.write_text(path.read_text().replace("texts:", "texts: []\nold:"))
    with pytest.raises(BadCatalog, match=r"tv\.hero\.en\.yaml:6:8: .*must be a mapping"):
        read(path)
    with pytest.raises(BadInput, match="draft list"):
        read(shop / "drafts" / "none.yaml")


@pytest.mark.parametrize("treatment", ["hero", "text", "mail", "new"])
@pytest.mark.parametrize("language", ["en", "de", "ar"])
def test_plain_words_make_a_draft_that_can_be_taken(shop: Path, treatment: str, language: str) -> None:
    path, made, problems = draft(shop, "tv", treatment, language, Plain(), AT)
    assert [p for p in problems if not p.warning] == []
    assert all(p.what == "this is still in `en`" for p in problems)
    assert bool(problems) == (language != "en"), "a benefit in English is no German text"
    assert "TV for a month" in " ".join(made.texts.values())
    accept(shop, path, "ben", AT)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("tw", "hero", "en"), "there is no action 'tw'; known: tv"),
        (("tv", "", "en"), "has several treatments"),
        (("tv", "heroo", "en"), "did you mean `hero`"),
        (("tv", "hero", "German"), "is not a language"),
    ],
)
def test_what_the_catalog_does_not_have(shop: Path, names: tuple[str, str, str], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        draft(shop, *names, Plain(), AT)


def test_the_command(shop: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*words: str) -> dict[str, Any]:
        done = CliRunner().invoke(app, ["draft", *words, "--dir", str(shop), "--json"])
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    assert run("tv", "--treatment", "mail")["by"] == "plain words"
    server.answer = reply({"subject": "Acme TV for you"})
    monkeypatch.setenv("OPPORTUNE_GENERATOR_KEY", "from the environment")
    (shop / "opportune.toml").write_text(f'generator_url = "{server.url}"\ngenerator_model = "small"\n')
    made = run("new", "tv", "--treatment", "mail", "--instruction", "short")
    assert made["by"] == "small at 127.0.0.1"
    assert server.asked[0][1]["Authorization"] == "Bearer from the environment"
    assert "from the environment" not in Path(made["file"]).read_text()
    assert [d["file"] for d in run("list")["drafts"]] == [made["file"]]
    beside = str(Path(made["file"]).relative_to(shop))
    assert run("accept", beside, "--by", "ben")["changed"] == [str(shop / "shop.yaml")]
    assert run("list")["drafts"] == []
    assert load(shop).actions[0].treatments[2].content["subject"] == "Acme TV for you"
