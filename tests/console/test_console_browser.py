"""The console as people use it, in a real browser: signing in, Now, Customer, roles, and a hub that goes away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from opened import PASSWORD, Opened, opened
from serving import Server

HOSTILE = "<script>window.taken=1</script><img src=x onerror='window.taken=1'>"
STORY = Path("stories/lunch_break.jsonl")
SOON = 10_000
"""Milliseconds from an event to the screen, on a machine that others share: some hundred where nobody does."""


expect.set_options(timeout=10_000)


@pytest.fixture(scope="module")
def console(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    with certain(tmp_path_factory.mktemp("console") / "shop") as server, opened(server, browser) as made:
        made.sign_in()
        yield made


def certain(folder: Path) -> Server:
    """Return a server whose answers are not drawn."""
    server = Server(folder)
    usual = (folder / "hub.yaml").read_text("utf-8")
    greedy = usual.replace("explore: thompson", "explore: greedy\n  random_share: 0")
    (folder / "hub.yaml").write_text(greedy, "utf-8")
    return server


@pytest.fixture
def maya(console: Opened) -> str:
    """A customer at lunch, as the story has her, before she looks at the way out."""
    lines = (json.loads(line) for line in (console.folder / STORY).read_text("utf-8").splitlines())
    console.hub.ingest([{**line, "messageId": f"{line['messageId']}-again"} for line in lines][:9])
    return "maya"


def test_the_first_link_lets_the_administrator_in_once_and_now_is_live(browser: Browser, tmp_path: Path) -> None:
    with certain(tmp_path / "shop") as server, opened(server, browser) as console:
        stranger = console.stranger()
        stranger.goto(console.address + "/now")
        expect(stranger).to_have_url(f"{console.address}/sign-in?next=%2Fnow")
        page = console.sign_in()
        expect(page).to_have_url(f"{console.address}/now")

        expect(page.locator("h1")).to_have_text("Now")
        events = page.locator(".figure", has_text="Events today").locator(".value")
        expect(events).to_have_text("0")
        console.hub.ingest({"type": "page", "userId": "ana", "name": "home"})
        expect(page.locator(".feed")).to_contain_text("Page Viewed", timeout=SOON)
        expect(events).to_have_text("1", timeout=SOON)
        assert page.reload() is not None

        stranger.goto(console.link)
        expect(stranger.locator("h1")).to_have_text("This link is no longer good")
        answer = page.request.get(f"{console.address}/now").headers
        assert "unsafe-inline" not in answer["content-security-policy"].partition("script-src")[2].partition(";")[0]
        assert answer["x-frame-options"] == "DENY"


def test_cancellation_clicks_arrive_and_the_retention_action_rises_and_wins(console: Opened, maya: str) -> None:
    page = console.page()
    page.goto(f"{console.address}/customer")
    page.fill("[name=id]", maya)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{console.address}/customer?id=maya")
    hero = page.locator('[data-place="app.home.hero"]')
    expect(hero).to_be_visible()
    expect(hero).not_to_have_attribute("data-action", "keep_bundle")
    page.evaluate("window.same = 1")

    for number in range(2):
        console.hub.ingest({"type": "page", "userId": maya, "name": "cancel", "messageId": f"cancel-{number}"})
    page.wait_for_selector('[data-place="app.home.hero"][data-action^="keep_"]', timeout=SOON)
    expect(page.locator(".head")).to_contain_text(["", "leaving"])
    expect(page.locator(".feed.one")).to_contain_text("entered the situation leaving")
    expect(hero.locator(".fall")).to_have_count(5)

    console.hub.ingest({"type": "track", "userId": maya, "event": "Order Completed", "properties": {"revenue": 49}})
    page.wait_for_selector('[data-place="app.home.hero"][data-action="thank_you"]', timeout=SOON)
    assert page.evaluate("window.same") == 1, "the page was not loaded again"


def test_what_if_and_why_not_change_nothing(console: Opened, maya: str) -> None:
    who = "supposed"
    known = {"tenure_months": 26, "plan": "silver", "autopay": True, "has_tv": True, "lines": 2}
    console.hub.ingest([{"type": "identify", "userId": who, "traits": known}, *(
        {"type": "track", "userId": who, "event": event, "properties": said} for event, said in (
            ("Order Completed", {"revenue": 39}),
            ("Consent Updated", {"channel": "app", "purpose": "marketing", "status": "granted"}),
        ))])  # fmt: skip
    before, events = console.hub.profile(who), console.hub.status().events
    page = console.page()
    page.goto(f"{console.address}/customer?id={who}")
    card = page.locator(".card", has=page.get_by_role("heading", name="What if?"))
    card.get_by_label("Trait or feature").select_option("orders_1d")
    card.get_by_label("would be").fill("0")
    card.get_by_text("Suppose it").click()
    expect(card.locator(".chips")).to_contain_text("orders_1d = 0")
    hero = card.locator("tr", has_text="app.home.hero")
    expect(hero).to_contain_text("changes")
    assert "suppose=" in page.url, "what is supposed can be shared"
    card.get_by_label("or they did").fill("Order Completed")
    card.get_by_text("Clear").click()
    expect(card).to_contain_text("Nothing is supposed")

    why = page.locator(".card", has=page.get_by_role("heading", name="What would make another win?"))
    why.get_by_label("Placement").select_option("app.home.hero")
    why.get_by_label("Action").select_option("keep_bundle")
    why.get_by_text("Find out").click()
    expect(why).to_contain_text("keep_bundle")
    expect(why).to_contain_text("does not fit now")
    assert (console.hub.profile(who).values, console.hub.status().events) == (before.values, events)


def test_a_line_of_the_feed_leads_to_its_decision_which_replays(console: Opened, maya: str) -> None:
    made = console.hub.decide(maya, "app.home.hero")
    action = made.actions[0].action
    console.hub.respond(str(made.decision_id), action, "impression")
    page = console.page()
    page.goto(f"{console.address}/now")
    page.locator(".feed a", has_text=f"{action} was seen").first.click()
    expect(page).to_have_url(f"{console.address}/decisions?id={made.decision_id}")
    expect(page.locator("body")).to_contain_text("Replayed just now: the same to the bit", timeout=SOON)
    expect(page.locator(".fall .key").first).to_have_text("V")
    expect(page.locator("body")).to_contain_text("a no so far")
    page.click("text=Replay it now")
    expect(page.locator("body")).to_contain_text("Replayed just now: the same to the bit")
    page.click("text=Find out")
    expect(page.locator("body")).to_contain_text("would win with")

    page.goto(f"{console.address}/decisions")
    row = page.locator(f"a[href='/decisions?id={made.decision_id}']")
    expect(row).to_be_visible()
    page.get_by_label("What was said").select_option("any")
    page.wait_for_url("**/decisions?silence=any")
    expect(page.locator(".stage")).to_contain_text("Looked back to")
    expect(row).to_have_count(0)
    page.goto(f"{console.address}/decisions?customer={maya}&action={action}&answer=no")
    expect(row).to_be_visible()
    page.goto(f"{console.address}/decisions?id=nosuch")
    expect(page.locator("body")).to_contain_text("The hub did not answer this.")


def test_what_customers_write_stays_text(console: Opened) -> None:
    console.hub.ingest([
        {"type": "identify", "userId": HOSTILE, "traits": {"plan": HOSTILE, "tenure_months": 12}},
        {"type": "track", "userId": HOSTILE, "event": HOSTILE, "properties": {HOSTILE: HOSTILE}},
    ])  # fmt: skip
    page = console.page()
    page.goto(f"{console.address}/now")
    console.hub.ingest({"type": "track", "userId": HOSTILE, "event": HOSTILE, "properties": {"a": HOSTILE}})
    expect(page.locator(".feed")).to_contain_text("<script>window.taken=1</script>")
    page.locator(".feed a", has_text="<script>").first.click()
    expect(page.locator(".head h2")).to_have_text(HOSTILE)
    expect(page.locator(".feed.one")).to_contain_text(HOSTILE)
    page.goto(f"{console.address}/customer?id=%3Cimg%20src%3Dx%20onerror%3D%22window.taken%3D1%22%3E")
    expect(page.locator(".empty")).to_contain_text("Nobody is known by <img")
    assert page.evaluate("window.taken") is None
    assert page.locator("main img, main script").count() == 0


def test_an_identity_is_taken_apart_after_a_question_that_names_the_effect(console: Opened) -> None:
    console.hub.ingest([
        {"type": "page", "anonymousId": "device-1", "name": "home"},
        {"type": "identify", "userId": "joined", "anonymousId": "device-1"},
    ])  # fmt: skip
    page = console.page()
    page.goto(f"{console.address}/customer?id=joined")
    page.get_by_text("Take apart").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("counts no longer for this customer")
    dialog.get_by_text("Take them apart").click()
    expect(page.get_by_text("Take apart", exact=True)).to_have_count(0)
    assert len(console.hub.profile("joined").nodes) == 1
    trail = console.command("audit")
    assert trail["broken"] is None
    assert ("admin", "undo joins") in {(line["who"], line["what"]) for line in trail["lines"]}


def test_roles_hold_on_the_server(console: Opened) -> None:
    console.hub.ingest([
        {"type": "page", "anonymousId": "device-2", "name": "home"},
        {"type": "identify", "userId": "together", "anonymousId": "device-2"},
    ])  # fmt: skip
    made = console.command("users", "add", "vera", "--role", "marketing manager")
    page = console.stranger()
    page.goto(console.address + made["path"])
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=again]", PASSWORD)
    page.click("text=Choose it and sign in")
    page.goto(f"{console.address}/customer?id=together")
    expect(page.locator(".head h2")).to_have_text("together")
    expect(page.get_by_text("Take apart")).to_have_count(0)
    card = page.locator(".card", has=page.get_by_role("heading", name="What if?"))

    console.command("users", "role", "vera", "read-only")  # while her page is open
    card.get_by_label("or they did").fill("Order Completed")
    card.get_by_text("Add the event").click()
    expect(page.locator(".q-notification")).to_contain_text("as read-only you may not suppose")
    page.goto(f"{console.address}/customer?id=joined")
    expect(page.locator(".empty")).to_contain_text("This page is not for your role")
    assert "device-1" not in page.content()
    page.goto(f"{console.address}/now")
    console.hub.ingest({"type": "identify", "userId": "ida", "traits": {"phone": "0123"}})
    expect(page.locator(".feed li").first).to_contain_text("a customer")
    assert not {"ida", "0123"} & {*page.locator(".feed").inner_text().split()}

    console.command("users", "remove", "vera")
    assert page.request.get(f"{console.address}/now", headers={"Accept": "*/*"}).status == 401
    page.goto(f"{console.address}/now")
    expect(page).to_have_url(f"{console.address}/sign-in?next=%2Fnow")


def test_who_guesses_is_locked_out_and_strangers_reach_nothing(console: Opened) -> None:
    page = console.stranger()
    for _ in range(6):
        page.goto(f"{console.address}/sign-in")
        page.fill("[name=name]", "guessed")
        page.fill("[name=password]", "wrong wrong wrong")
        page.click("text=Sign in >> nth=-1")
    expect(page.get_by_role("alert")).to_contain_text("Too many tries")

    cookie = {one["name"]: one["value"] for one in console.cookies["cookies"]}
    with httpx.Client(base_url=console.address, cookies=cookie, trust_env=False) as http:
        assert http.get("/now").status_code == 200
        assert http.post("/sign-out").status_code == 403, "a form of another site says no origin of ours"
        assert http.post("/sign-out", headers={"Origin": "https://evil.example"}).status_code == 403
        assert http.get("/now", headers={"Host": "evil.example"}).status_code == 421
        assert http.get("/now").status_code == 200, "still signed in"
    with httpx.Client(base_url=console.address, trust_env=False) as http:
        assert http.get("/now").status_code == 401
        assert http.get("/_nicegui_ws/socket.io/?EIO=4&transport=polling").status_code == 401
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
    socket = f"{console.address}/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    for headers in ({}, {"Origin": console.address}, {"Origin": "https://evil.example", "Cookie": _cookie(cookie)}):
        assert httpx.get(socket, headers={**upgrade, **headers}, trust_env=False).status_code == 403


def test_a_hub_that_goes_away_is_told_calmly_and_found_again(console: Opened) -> None:
    page = console.page()
    page.goto(f"{console.address}/now")
    expect(page.locator(".figure").first).to_be_visible()
    banner = page.locator(".away")
    expect(banner).to_be_hidden()
    console.server.kill()
    expect(banner).to_contain_text("The hub is away", timeout=10_000)
    expect(page.locator(".figure").first).to_be_visible()
    console.server.start()
    console.hub.ingest({"type": "page", "userId": "back", "name": "home"})  # before the console listens again
    expect(banner).to_be_hidden(timeout=20_000)
    expect(page.locator(".feed")).to_contain_text("back")


def _cookie(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())
