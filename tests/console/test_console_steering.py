"""Actions, Models and Funnel in a real browser: a lever is tried, applied with a reason, and undone in one click."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from opened import Opened, card, opened
from opportune.client import Client
from serving import Server

HOSTILE = "<script>window.taken=1</script><img src=x onerror='window.taken=1'>"
LEVER = "actions.family_line.lever"
expect.set_options(timeout=15_000)


@pytest.fixture(scope="module")
def steered(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A console whose hub has some customers who answered."""
    with Server(tmp_path_factory.mktemp("steered") / "shop") as server:
        _live_through(Client(server.address, server.admin))
        with opened(server, browser) as found:
            found.sign_in()
            yield found


def _live_through(hub: Client) -> None:
    """Let customers come, get actions, and answer them."""
    for number in range(30):
        user = f"c{number}" if number else HOSTILE
        known = {"tenure_months": 24, "plan": ("gold", "silver")[number % 2], "lines": 1, "autopay": number % 3 == 0}
        granted = {"channel": "app", "purpose": "marketing", "status": "granted"}
        hub.ingest([
            {"type": "identify", "userId": user, "traits": known},
            {"type": "track", "userId": user, "event": "Consent Updated", "properties": granted},
        ])  # fmt: skip
        for place in ("web.home.banner", "agent.desk"):
            answer = hub.decide(user, place)
            for one in answer.actions:
                assert answer.decision_id
                hub.respond(answer.decision_id, one.action, "impression")
                hub.respond(answer.decision_id, one.action, "accept" if number % 3 else "reject")


def test_a_lever_is_tried_applied_with_a_reason_and_undone(steered: Opened) -> None:
    page, facts = steered.page(), steered.hub.status().facts
    page.goto(f"{steered.address}/actions")
    catalog = card(page, "The catalog")
    catalog.get_by_label("Find").fill("cem")
    catalog.get_by_text("Find", exact=True).last.click()
    expect(catalog.locator("tbody tr")).to_have_count(
        sum("cem" in (one.owner, one.name) for one in steered.hub.catalog())
    )
    catalog.get_by_role("link", name="family_line").click()
    expect(page).to_have_url(f"{steered.address}/actions?name=family_line")
    expect(card(page, "Whom its policy lets through")).to_contain_text("tenure_months >= 6")
    expect(card(page, "What it says")).to_contain_text("The second line for half")
    card(page, "What it says").get_by_label("Treatment").select_option("mail")
    expect(page.frame_locator("iframe.preview").locator("body")).to_contain_text("second line")

    levers = card(page, "Levers")
    levers.get_by_label("Own lever").fill("-50")
    levers.get_by_role("button", name="See what shifts").click()
    expect(levers).to_contain_text("Value a decision")
    assert "lever=-50" in page.url, "what is tried can be shared"
    assert steered.hub.status().facts == facts, "nothing of it is recorded"
    levers.get_by_role("button", name="Apply it").click()
    expect(page.locator(".q-notification")).to_contain_text("Say why")
    levers.get_by_label("Why").fill(HOSTILE)
    levers.get_by_role("button", name="Apply it").click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("actions.family_line.lever: the default -> -50")
    dialog.get_by_role("button", name="Apply it").click()
    expect(card(page, "History")).to_contain_text(HOSTILE)
    [entry] = steered.hub.overlay().entries
    assert (entry.path, entry.value, entry.author, entry.reason) == (LEVER, -50, "admin", HOSTILE)

    page.goto(f"{steered.address}/actions?view=changes")
    expect(card(page, "On top of the files")).to_contain_text(LEVER)
    page.get_by_text("Undo", exact=True).click()
    expect(card(page, "On top of the files")).to_contain_text("Nothing lies on top of the files")
    assert steered.hub.overlay().entries == []
    assert page.evaluate("window.taken") is None
    trail = steered.command("audit")
    assert [line["what"] for line in trail["lines"] if line["who"] == "admin"].count("move levers") == 2


def test_who_may_not_move_levers_can_try_them_at_most(steered: Opened) -> None:
    made = steered.command("users", "add", "nils", "--role", "analyst")
    page = steered.sign_in(made["path"])
    page.goto(f"{steered.address}/actions?name=family_line&lever=-50")
    levers = card(page, "Levers")
    expect(levers).to_contain_text("Value a decision")
    expect(levers.get_by_role("button", name="Apply it")).to_be_hidden()
    page.goto(f"{steered.address}/actions?view=changes")
    expect(card(page, "Versions")).to_contain_text("Version 1")
    expect(page.get_by_text("Undo", exact=True)).to_have_count(0)
    page.goto(f"{steered.address}/actions?name=%3Cscript%3Ewindow.taken%3D1%3C/script%3E")
    expect(page.locator(".empty")).to_contain_text("did not answer")
    assert page.evaluate("window.taken") is None


def test_models_and_funnel_say_what_the_hub_says(steered: Opened) -> None:
    page, hub = steered.page(), steered.hub
    page.goto(f"{steered.address}/models")
    told = next(one for one in hub.models().actions if one.action == "family_line")
    row = card(page, "Action by action").locator("tr", has_text="family_line")
    expect(row.locator("td").nth(1)).to_contain_text(f"of {told.answers}")
    expect(card(page, "Too good to be true")).to_contain_text("Nothing is.")
    bins = card(page, "What it has seen of one")
    bins.get_by_label("Predictor").select_option("plan")
    expect(bins.locator("tbody")).to_contain_text("(rest)")  # few customers of each plan: not told apart
    page.wait_for_url("**/models?predictor=plan")
    row.get_by_role("link").click()
    expect(page.locator(".figure", has_text="Answers")).to_contain_text(str(told.answers))
    expect(card(page, "Are its chances what they say?").locator("canvas")).to_be_visible()
    seen = next(one for one in hub.action_inputs("family_line").inputs if one.name == "tenure_months")
    shown = card(page, "Bin by bin")
    shown.get_by_label("Predictor").select_option("tenure_months")
    expect(shown.locator("tbody tr")).to_have_count(len(seen.bins))
    expect(shown.locator("tbody tr").first).to_contain_text("±")
    with page.expect_download() as saved:
        shown.get_by_role("button", name="Save Bin by bin as csv").click()
    lines = saved.value.path().read_text("utf-8-sig").splitlines()
    assert len(lines) == 1 + len(seen.bins)
    assert lines[1].split(",")[2:4] == [str(seen.bins[0].answers), str(seen.bins[0].positives)]

    found = hub.funnel()
    page.goto(f"{steered.address}/funnel?where=web.home.banner")
    expect(page.locator(".figure", has_text="Something to say")).to_contain_text(f"of {found.customers}")
    place = next(one for one in found.places if one.placement == "web.home.banner")
    falls = card(page, "Where actions fall").locator(".fall")
    expect(falls.first).to_contain_text(f"{sum(place.fell.values())}")
    expect(falls).to_have_count(1 + len({*place.fell} - {"in"}))
    with page.expect_download() as saved:
        card(page, "Where actions fall").get_by_role("button", name="Save Where actions fall as csv").click()
    lines = saved.value.path().read_text("utf-8-sig").splitlines()
    assert f"web.home.banner,web,{place.decisions},in,{place.chosen}" in lines
    assert page.evaluate("window.taken") is None


def test_whether_the_world_has_moved_is_said_with_what_chance_brings(steered: Opened) -> None:
    page, told = steered.page(), steered.hub.drift()
    page.goto(f"{steered.address}/models")
    shown = card(page, "Has the world moved?")
    expect(shown.locator(".figure", has_text="Predictors that moved")).to_contain_text(f"of {len(told.inputs)}")
    first = told.inputs[0]
    expect(shown.locator("tbody tr").first).to_contain_text(first.name)
    expect(shown.locator("tbody tr").first.locator(".tag")).to_have_text(first.verdict)
    expect(card(page, "AUC over time")).to_be_visible()
    with page.expect_download() as saved:
        shown.get_by_role("button", name="Save Has the world moved? as csv").click()
    assert len(saved.value.path().read_text("utf-8-sig").splitlines()) == 1 + sum(len(i.bins) for i in told.inputs)


def test_an_action_says_since_when_it_is_live(steered: Opened) -> None:
    page, first = steered.page(), steered.hub.action("family_line").history[-1]
    assert (first.version, first.text) == (0, "actions.family_line: went live")
    page.goto(f"{steered.address}/actions?name=family_line")
    expect(card(page, "History").locator(".lineage > li").last).to_contain_text("went live")


def test_placements_that_would_say_the_same_are_one_card_and_parts_are_reached(steered: Opened) -> None:
    page, hub = steered.page(), steered.hub
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{steered.address}/customer?id=c1")
    places = [place.name for place in hub.placements()]
    page.wait_for_selector(".at")
    expect(page.locator("[data-place]")).to_have_count(len(places))
    says = {name: hub.decide("c1", name, peek=True) for name in places}
    actions = {one.actions[0].action if one.actions else "" for one in says.values()}
    expect(page.locator(".say")).to_have_count(len(actions))
    expect(page.locator(".at details[open]")).to_have_count(1)
    link = page.get_by_role("link", name="Identities")
    link.click()
    expect(page.locator("#identities")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_page_printed_has_what_was_read_and_nothing_to_click(steered: Opened) -> None:
    page = steered.page()
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(f"{steered.address}/actions")
    expect(card(page, "The catalog")).to_be_visible()
    expect(page.locator(".q-drawer")).to_be_hidden()
    expect(page.get_by_role("button", name="Save The catalog as csv")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"


def test_pages_at_the_side_stand_in_groups(steered: Opened) -> None:
    page = steered.page()
    page.goto(f"{steered.address}/actions")
    side = page.get_by_role("navigation", name="Pages")
    expect(side.locator(".nav-group")).to_have_text(["Today", "The brain", "The work", "The ground"])
    expect(side.locator("a[aria-current=page]")).to_contain_text("Actions")
