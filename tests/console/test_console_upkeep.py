"""Messages, Data and Trust in a real browser: a run is steered, events are mended, a customer is forgotten in time."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, FrameLocator, expect

from opened import PASSWORD, Opened, card, opened
from opportune.console.pages.preview import document
from opportune.errors import NotFound
from opportune.wire.sending import Preview
from serving import Server

OTHER = "quiet rivers carry seven stones"
HOSTILE = "<script>window.taken=1</script><img src=x onerror='window.taken=1'>"
SLOW, MOST = 15_000, 14
expect.set_options(timeout=SLOW)

PLAN = """\
events:
  - {name: Order Completed, owner: ana, schema: {type: object, properties: {revenue: {type: number}}}}
  - {name: Plan Cancelled, owner: ben, required: [reason], on_violation: set_aside}
"""
FLOWS = """\
channels:
  - name: email
    via: webhook
    options: {url: "URL", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, allow_private: true}
placements: [{name: email.any, channel: email, price: 0}]
outbound: [{name: slow, placement: email.any, throttle: 0.2}]
"""


def look_of(frame: FrameLocator) -> str:
    return str(frame.locator("html").evaluate("(root) => getComputedStyle(root).colorScheme"))


@pytest.fixture(scope="module")
def provider() -> Iterator[tuple[str, set[str]]]:
    """A provider that takes every message but those that hold one of some texts."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    refuses = set[str]()

    class Provider(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            self.send_response(400 if any(text in body for text in refuses) else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/in", refuses
        server.shutdown()


@pytest.fixture(scope="module")
def kept(
    provider: tuple[str, set[str]], browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("upkeep") / "shop"
    server = Server(folder)
    (folder / "policies.yaml").write_text("", "utf-8")  # no quiet hours: messages leave whenever this runs
    (folder / "flows.yaml").write_text(FLOWS.replace("URL", provider[0]), "utf-8")
    (folder / "events.yaml").write_text(PLAN, "utf-8")
    with server, opened(server, browser) as made:
        made.hub.ingest(event for number in range(MOST) for event in customer(f"c{number}"))
        made.sign_in()
        yield made


def customer(who: str) -> Iterator[dict[str, Any]]:
    known = {"plan": "silver", "tenure_months": 24, "email": f"{who}@acme.example", "lines": 1}
    yield {"type": "identify", "userId": who, "traits": known, "messageId": f"i-{who}"}
    yield {"type": "track", "userId": who, "event": "Consent Updated", "messageId": f"a-{who}",
           "properties": {"purpose": "marketing", "channel": "email", "status": "granted"}}  # fmt: skip


def test_events_that_break_the_plan_are_seen_and_tried_again_once_it_is_mended(kept: Opened) -> None:
    key = kept.hub.new_key("write", "web").key
    assert isinstance(key, str)
    page = kept.page("/data")
    expect(page.locator(".figure", has_text="Set aside").locator(".value")).to_have_text("0")
    batch = [
        {"type": "track", "userId": "c1", "event": "Plan Cancelled", "messageId": "x1"},
        {"type": "track", "userId": HOSTILE, "event": "Plan Cancelled", "messageId": "x2"},
        {"type": "track", "userId": "c1", "event": HOSTILE, "messageId": "x3"},
        {"type": "track", "userId": "c1", "event": "Order Completed", "properties": {"revenue": "a lot"}},
    ]
    httpx.post(f"{kept.server.address}/v1/batch", auth=(key, ""), json={"batch": batch}, trust_env=False)
    expect(page.locator(".feed")).to_contain_text("Order Completed")
    aside, wrong = card(page, "Set aside"), card(page, "Against the tracking plan, 30 days")
    expect(wrong.locator("tr", has_text="revenue")).to_contain_text("type")
    reason = aside.locator(".line", has_text="off_plan").first
    expect(reason).to_contain_text("2 off_plan from web")
    expect(page.locator(".feed li", has_text="Order Completed")).to_contain_text("revenue is not of type number")
    reason.get_by_text("See them").click()
    expect(aside.locator("#events .line")).to_have_count(2)
    aside.locator("#events summary").nth(1).click()
    expect(aside.locator("#events pre").nth(1)).to_contain_text("<script>window.taken=1</script>")
    expect(aside.locator("#events")).to_contain_text("the event under events in the catalog")
    plan = card(page, "What of the tracking plan comes")
    expect(plan.locator("tr", has_text="<img src=x")).to_contain_text("not planned")
    page.get_by_text("Score today now").click()
    expect(page.locator(".figure", has_text="Quality score")).to_contain_text("%")

    aside.get_by_text("Try them again", exact=True).click()
    page.get_by_role("alertdialog").get_by_text("Try them again").click()
    told = page.locator(".q-notification", has_text="0 were taken, 2 still do not fit")
    expect(told).to_be_visible()
    (kept.folder / "events.yaml").write_text(PLAN.replace("set_aside", "keep"), "utf-8")
    aside.locator("#events .line").nth(1).get_by_text("Discard it").click()
    dialog = page.get_by_role("alertdialog")
    dialog.get_by_label("Why").fill("a test of ours")
    dialog.get_by_text("Discard it for good").click()
    expect(aside.locator("#events .line")).to_have_count(1)
    expect(aside.locator("details", has_text="1 were discarded")).to_be_attached()
    assert [(one.by, one.why, one.count) for one in kept.hub.discarded()] == [("admin", "a test of ours", 1)]
    kept.hub.publish()
    aside.locator("#events .line").get_by_role("button", name="Try event").click()
    page.get_by_role("alertdialog").get_by_text("Try it again").click()
    expect(aside).to_contain_text("Nothing was set aside")
    assert kept.hub.rejected().count == 0
    page.goto(f"{kept.address}/data?source=nobody")
    expect(card(page, "Against the tracking plan, 30 days")).to_contain_text("Nothing came otherwise than planned")
    assert page.evaluate("window.taken") is None
    assert page.locator("main img, main script").count() == 0


def test_a_run_begins_pauses_and_goes_on_and_a_dead_message_is_sent_again(
    kept: Opened, provider: tuple[str, set[str]]
) -> None:
    refuses = provider[1]
    refuses.add("c0@acme.example")
    page = kept.page("/messages")
    run = page.locator(".say", has_text="slow")
    expect(run).to_contain_text("It has not run yet")
    run.get_by_text("Try it, sending nothing").click()
    expect(run).to_contain_text("customers in the audience")
    assert kept.hub.outbox().flows == []
    run.get_by_text("Begin").click()
    page.get_by_role("alertdialog").get_by_text("Begin it").click()
    expect(run.locator(".tag", has_text="running")).to_be_visible()
    run.get_by_text("Pause").click()
    expect(run.locator(".tag", has_text="paused")).to_be_visible()
    assert kept.hub.outbound("slow").state == "paused"
    run.get_by_text("Resume").click()
    page.get_by_role("alertdialog").get_by_text("Let it go on").click()
    expect(run.locator(".tag", has_text="running")).to_be_visible()
    run.get_by_text("Stop").click()
    page.get_by_role("alertdialog").get_by_text("Stop it").click()
    expect(run.locator(".tag", has_text="stopped")).to_be_visible()

    kept.hub.decide("c0", "email.any")
    post = card(page, "Messages one by one")
    page.goto(f"{kept.address}/messages?state=dead")
    expect(post.locator(".line")).to_contain_text("c0")
    refuses.clear()
    post.get_by_role("button", name="Send all dead again", exact=True).click()
    page.get_by_role("alertdialog").get_by_text("Send them again", exact=True).click()
    expect(post).to_contain_text("Dead: no message")
    flows = card(page, "Deliverability, flow by flow")
    flows.get_by_text("Pause Requests of channels in email").click()
    expect(flows).to_contain_text("paused by admin")


def test_a_message_is_shown_in_light_and_dark_and_runs_nothing(kept: Opened) -> None:
    page = kept.page("/messages?action=more_data&treatment=mail&look=dark&screen=desk")
    frame = page.locator("iframe.screen")
    expect(frame).to_have_attribute("sandbox", "")
    inside = page.frame_locator("iframe.screen")
    expect(inside.locator("body")).to_contain_text("Unsubscribe")
    assert look_of(inside) == "dark"
    wide = frame.bounding_box()
    preview = card(page, "How a message looks")
    preview.get_by_label("Look").select_option("light")
    preview.get_by_label("Screen").select_option("phone")
    expect(page).to_have_url(f"{kept.address}/messages?action=more_data&treatment=mail&look=light&screen=phone")
    expect(inside.locator("body")).to_contain_text("Unsubscribe")
    assert look_of(inside) == "light"
    narrow = frame.bounding_box()
    assert wide is not None
    assert narrow is not None
    assert narrow["width"] < wide["width"]
    preview.get_by_label("Customer", exact=True).fill("nobody")
    preview.get_by_text("Show it").click()
    expect(page.locator(".q-notification")).to_contain_text("there is no customer 'nobody'")


def test_a_customer_who_asks_is_forgotten_and_the_trail_says_who_did_it(kept: Opened) -> None:
    page = kept.page("/trust?id=c2")
    expect(card(page, "What a customer agreed to").locator("tr", has_text="marketing")).to_contain_text("granted")
    everybody = card(page, "How consent stands").locator("tr", has_text="email marketing")
    expect(everybody.locator("td").nth(2)).to_have_text(str(MOST))
    expect(everybody.locator("td").nth(6)).to_have_text(f"! {MOST}")
    page.get_by_role("link", name="Requests", exact=True).click()
    requests = card(page, "Requests of customers")
    requests.get_by_label("They want to").select_option("erasure")
    requests.get_by_label("Customer", exact=True).fill("c3")
    requests.get_by_label("Your reference").fill(HOSTILE)
    requests.get_by_text("Note it", exact=True).click()
    line = requests.locator(".line", has_text="c3")
    expect(line).to_contain_text("days left")
    line.get_by_text("Forget them").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("Nobody can bring it back")
    dialog.get_by_text("Forget them for good").click()
    expect(requests.locator(".line")).to_contain_text("somebody forgotten")
    with pytest.raises(NotFound):
        kept.hub.profile("c3")

    page.get_by_role("link", name="People", exact=True).click()
    people = card(page, "People and roles")
    people.get_by_label("Name").fill("vera")
    people.locator("select").first.select_option("compliance officer")
    people.get_by_role("button", name="Add somebody").click()
    link = people.locator("code").first
    expect(link).to_contain_text(f"{kept.address}/welcome/")
    assert page.evaluate("window.taken") is None
    there = kept.page("/trust?view=trail")
    trail = card(there, "Audit trail")
    expect(trail).to_contain_text("forget customers")
    trail.get_by_text("Verify it now").click()
    expect(trail.locator(".tag", has_text="whole")).to_be_visible()
    trail.get_by_label("What").fill("forget")
    trail.get_by_role("button", name="Show the lines that fit").click()
    expect(there).to_have_url(f"{kept.address}/trust?view=trail&what=forget")
    expect(trail.locator("tbody tr")).to_have_count(1)
    trail.get_by_label("To", exact=True).fill("2020-01-01")
    trail.get_by_role("button", name="Show the lines that fit").click()
    expect(trail).to_contain_text("No line fits")

    other = kept.browser.new_context(locale="en-GB").new_page()
    other.goto(link.inner_text())
    other.fill("[name=password]", PASSWORD)
    other.fill("[name=again]", PASSWORD)
    other.click("text=Choose it and sign in")
    expect(other).to_have_url(f"{kept.address}/trust")
    expect(card(other, "Requests of customers").get_by_text("Note it", exact=True)).to_be_visible()
    other.get_by_role("link", name="People", exact=True).click()
    expect(card(other, "People and roles")).to_contain_text("signed in")
    expect(card(other, "People and roles").get_by_text("New link")).to_have_count(0)
    other.goto(f"{kept.address}/me")
    password = card(other, "Password")
    for label, text in (("The one you have", PASSWORD), ("The new one", OTHER), ("The new one again", OTHER)):
        password.get_by_label(label, exact=True).fill(text)
    password.get_by_role("button", name="Change your password").click()
    expect(other.locator(".q-notification")).to_contain_text("Your password was changed")
    for _ in range(5):
        httpx.post(f"{kept.address}/sign-in", data={"name": "vera", "password": PASSWORD}, trust_env=False,
                   headers={"origin": kept.address})  # fmt: skip
    line = people.locator("li", has_text="vera").first
    expect(line).to_contain_text("locked for")
    line.get_by_text("Unlock").click()
    expect(line).not_to_contain_text("locked for")
    again = kept.browser.new_context(locale="en-GB").new_page()
    again.goto(f"{kept.address}/sign-in")
    again.fill("[name=name]", "vera")
    again.fill("[name=password]", OTHER)
    again.get_by_text("Sign in", exact=True).last.click()
    expect(again).to_have_url(f"{kept.address}/trust")
    people.locator("li", has_text="vera").get_by_text("Remove").click()
    page.get_by_role("alertdialog").get_by_text("Remove them").click()
    expect(people.locator("li", has_text="compliance officer").filter(has_text="vera")).to_have_count(0)
    other.goto(f"{kept.address}/trust")
    expect(other).to_have_url(f"{kept.address}/sign-in?next=%2Ftrust")


def test_a_key_is_made_shown_once_rotated_and_revoked_and_says_when_it_was_used(kept: Opened) -> None:
    page = kept.page("/data")
    keys = card(page, "Keys")
    keys.get_by_label("Name of the source").fill(HOSTILE[:90])
    keys.get_by_text("Make a key", exact=True).click()
    secret = keys.locator(".empty code").inner_text()
    batch = {"batch": [{"type": "track", "userId": "c1", "event": "Tea", "messageId": "tea"}]}
    ask = {"url": f"{kept.server.address}/v1/batch", "json": batch, "trust_env": False}
    assert httpx.post(auth=(secret, ""), **ask).status_code == 200
    line = keys.locator("li", has_text="window.taken").first
    expect(line).to_contain_text("last used")
    line.get_by_text("Rotate").click()
    page.get_by_role("alertdialog").get_by_text("Rotate it").click()
    expect(keys.locator(".empty code")).not_to_have_text(secret)
    newer = keys.locator(".empty code").inner_text()
    assert [httpx.post(auth=(one, ""), **ask).status_code for one in (secret, newer)] == [401, 200]
    keys.get_by_text("I have kept it").click()
    expect(keys.locator(".empty code")).to_have_count(0)
    good = keys.locator("li", has_text="window.taken").get_by_role("button", name="Revoke key")
    good.click()
    page.get_by_role("alertdialog").get_by_text("Revoke it").click()
    expect(good).to_have_count(0)
    assert httpx.post(auth=(newer, ""), **ask).status_code == 401
    assert page.evaluate("window.taken") is None


def test_what_an_author_asks_of_the_look_is_answered_and_texts_stay_texts() -> None:
    made = Preview("a", "mail", "email", "email", "en", None,
                   {"html": "<style>@media (Prefers-Color-Scheme:dark){p{color:#fff}}</style><p>Hi"}, [])  # fmt: skip
    assert "@media (min-width: 0)" in document(made, "dark")
    assert "@media (max-width: 0)" in document(made, "light")
    assert "script-src" not in document(made, "light")
    assert "default-src &#39;none&#39;" in document(made, "light")
    push = Preview("a", "push", "push", "push", "en", None, {"title": HOSTILE, "data": {HOSTILE: HOSTILE}}, [])
    sms = Preview("a", "sms", "sms", "sms", "en", None, {"text": HOSTILE}, [])
    assert not any("<script>" in document(one, "light") or "<img" in document(one, "light") for one in (push, sms))
