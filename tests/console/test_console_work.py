"""Operations and Lab as people use them, in a real browser, on a hub at which people have worked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import worked
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from opened import Opened, card, opened
from opportune.console.pages.beliefs import matches
from opportune.console.pages.credit import holdouts
from opportune.console.parts.intervals import Value, _options
from opportune.errors import BadInput
from serving import Server

expect.set_options(timeout=15_000)


@pytest.fixture(scope="module")
def work(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("work") / "shop"
    worked.write(folder, customers=120)
    with Server(folder) as server, opened(server, browser) as found:
        found.sign_in()
        yield found


VIEWS = ("/now", "/customer?id=c1", "/decisions", "/actions", "/operations?view=figures", "/lab", "/data")
OTHERS = (
    "/customer", "/actions?view=changes", "/models", "/funnel", "/operations", "/operations?campaign=spring",
    *(f"/operations?view={view}" for view in ("calendar", "forecasts", "health", "attribution", "tools", "reports")),
    *(f"/lab?view={view}" for view in ("tests", "gates", "holdouts")), "/messages", "/trust", "/nosuch",
)  # fmt: skip


@pytest.mark.parametrize(
    ("scheme", "paths"),
    [
        ("light", VIEWS),
        pytest.param("light", OTHERS, marks=pytest.mark.long),
        pytest.param("dark", VIEWS + OTHERS, marks=pytest.mark.long),
    ],
)
def test_axe_finds_no_serious_fault(work: Opened, scheme: Any, paths: tuple[str, ...]) -> None:
    context = work.browser.new_context(storage_state=work.cookies, bypass_csp=True, color_scheme=scheme)
    page = context.new_page()
    for path in paths:
        page.goto(work.address + path)
        expect(page.locator("h1")).to_be_visible()
        page.wait_for_timeout(700)  # what is asked once the page is there
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        told = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
        assert not told, (path, told)
    context.close()


def stage(work: Opened, name: str) -> str:
    return next(row.stage for row in work.hub.campaigns() if row.name == name)


def test_a_campaign_is_moved_where_its_checks_are_passed_and_nowhere_else(work: Opened) -> None:
    page = work.page("/operations")
    build = page.get_by_role("listitem", name="Stage build", exact=True)
    expect(build).to_contain_text("Spring is here")
    page.get_by_label("Owner").select_option("bo")
    expect(page.locator(".ticket")).to_have_count(1)
    expect(page).to_have_url(f"{work.address}/operations?owner=bo")
    page.get_by_label("Owner").select_option("")

    build.get_by_text("Spring is here").click()
    expect(page).to_have_url(f"{work.address}/operations?campaign=spring")
    expect(page.locator(".steps [aria-current=step]")).to_have_text("build")
    checks = card(page, "To enter approvals")
    expect(checks.locator("li", has_text="experiment the power")).to_contain_text("take the check off the stage")
    checks.get_by_text("Move it", exact=True).click()
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("spring is in build and will be in approvals")
    dialog.get_by_text("Move it to approvals").click()
    expect(checks.locator(".problem")).to_contain_text("spring stays in build: 1 check is not passed")
    assert stage(work, "spring") == "build"
    page.goto(f"{work.address}/trust?view=trail&what=spring")
    expect(page.locator("#trail")).to_contain_text("failed to move campaigns")

    page.goto(f"{work.address}/operations?campaign=autumn")
    checks = card(page, "To enter hypothesis")
    checks.get_by_text("Move it", exact=True).click()
    page.get_by_role("alertdialog").get_by_text("Move it to hypothesis").click()
    expect(card(page, "To enter build")).to_be_visible()
    expect(card(page, "What happened")).to_contain_text("moved to hypothesis by admin")
    assert stage(work, "autumn") == "hypothesis"


def test_tasks_are_done_money_is_entered_once_and_an_approval_is_of_a_person(work: Opened) -> None:
    page = work.page("/operations?campaign=spring")
    page.get_by_label("It is done: Brief the designers").click()
    expect(page.get_by_label("Open it again: Brief the designers")).to_be_visible()
    money = card(page, "Money and hours")
    money.get_by_label("how much").fill("much")
    money.get_by_text("Enter it").click()
    expect(page.locator(".q-notification")).to_contain_text("Say how much as a number")
    for _ in range(2):
        money.get_by_label("how much").fill("99.5")
        money.get_by_label("named").fill("invoice 20")
        money.get_by_label("for").fill("ads")
        money.get_by_text("Enter it").click()
        expect(money).to_contain_text("99.5")
    assert work.hub.campaign("spring").row.spent == pytest.approx(1250)
    page.get_by_text("Approve it as it is").click()
    page.get_by_role("alertdialog").get_by_text("Approve it as it is").click()
    expect(card(page, "Approvals")).to_contain_text("admin stands")
    assert work.hub.campaign("spring").tasks[0].done


def test_who_may_not_move_a_campaign_sees_no_way_to(work: Opened) -> None:
    page = work.sign_in(work.command("users", "add", "rea", "--role", "read-only")["path"])
    page.goto(f"{work.address}/operations?campaign=spring")
    expect(card(page, "Money and hours")).to_be_visible()
    for text in ("Move it", "Enter it", "Approve it as it is", "It is done"):
        expect(page.get_by_text(text, exact=True)).to_have_count(0)
    page.goto(f"{work.address}/lab?test=bold_later")
    expect(card(page, "How it stands")).to_be_visible()
    expect(page.get_by_text("Stop it")).to_have_count(0)


def test_the_calendar_shows_what_is_on_and_what_clashes(work: Opened) -> None:
    page = work.page("/operations?view=calendar")
    expect(page.locator("table.calendar tr", has_text="Spring is here").locator("td.on").first).to_be_visible()
    expect(card(page, "Clashes")).to_contain_text("autumn and spring")
    page.get_by_role("link", name="Later").click()
    page.wait_for_url("**from=**")


def test_the_six_figures_say_their_interval_their_target_and_what_is_behind_them(work: Opened) -> None:
    page = work.page("/operations?view=figures")
    expect(page.locator(".six .card")).to_have_count(6)
    velocity = page.locator(".six .card", has_text="Campaign velocity")
    expect(velocity).to_contain_text("30 days or less · ana: a month is a season")
    page.get_by_role("link", name="Use of the budget").click()
    page.get_by_role("link", name="campaign", exact=True).click()
    expect(page).to_have_url(f"{work.address}/operations?view=figures&figure=budget&by=campaign")
    expect(page.locator("table", has_text="planned until now").first).to_contain_text("spring")
    expect(card(page, "Where it is from")).to_contain_text("budget.sql")
    with page.expect_download() as saved:
        page.get_by_label("Save Use of the budget by campaign as csv").click()
    assert "spring" in Path(saved.value.path()).read_text("utf-8-sig")


def test_forecasts_say_where_a_campaign_ends_and_what_they_were_asked(work: Opened) -> None:
    page = work.page("/operations?view=forecasts")
    expect(card(page, "Decisions by week")).to_contain_text("No forecast: most days are 0")
    page.locator("select").first.select_option("spring")
    page.wait_for_url("**of=spring**")
    ends = card(page, "Where it will end")
    expect(ends).to_contain_text("planned €5,000.00")
    expect(ends).to_contain_text("target 500")
    expect(ends.get_by_role("link", name="its decisions")).to_have_attribute("href", "/decisions?campaign=spring")
    goal = card(page, "Goal: orders by week")
    goal.get_by_text("The query behind it").click()
    expect(goal.locator("pre")).to_contain_text("c.campaign = $campaign")
    with page.expect_download() as saved:
        goal.get_by_label("Save Goal: orders by week as csv").click()
    rows = Path(saved.value.path()).read_text("utf-8-sig").splitlines()
    assert sum(float(row.rsplit(",", 3)[1]) for row in rows[1:]) == work.hub.campaign("spring", goal=True).goal.value  # type: ignore[union-attr]


def test_what_a_colleague_does_is_seen_and_nothing_is_taken_out_of_a_hand(work: Opened) -> None:
    sees, types, does = (work.page("/operations?campaign=autumn") for _ in range(3))
    for page in (sees, types, does):
        expect(card(page, "Money and hours")).to_contain_text("of 1,500 used")
    card(types, "Money and hours").get_by_label("how much").fill("42")
    _enter(does, "250.25", "invoice 1")
    expect(card(sees, "Money and hours")).to_contain_text("250.25")
    sees.get_by_text("1 entries").click()
    news = types.locator(".changed:visible")
    expect(news).to_contain_text("This changed meanwhile")
    expect(card(types, "Money and hours").get_by_label("how much")).to_have_value("42")
    expect(card(types, "Money and hours")).not_to_contain_text("250.25")
    news.get_by_text("Show what is new").click()
    expect(card(types, "Money and hours")).to_contain_text("250.25")
    work.hub.do_task("spring", "Brief the designers", "bo")  # nobody at a console did that
    board = work.page("/operations")
    expect(board.locator(".ticket", has_text="Back to school")).to_contain_text("250 of 1,500 used")
    _enter(does, "300", "invoice 1")
    expect(card(sees, "Money and hours")).to_contain_text("300 of 1,500 used")
    expect(sees.locator("details[open] summary", has_text="1 entries")).to_be_visible()
    expect(board.locator(".ticket", has_text="Back to school")).to_contain_text("300 of 1,500 used")


def _enter(page: Page, much: str, named: str) -> None:
    money = card(page, "Money and hours")
    money.get_by_label("how much").fill(much)
    money.get_by_label("named").fill(named)
    money.get_by_text("Enter it").click()


def test_a_goal_stands_beside_its_target(work: Opened) -> None:
    page = work.page("/operations?campaign=spring")
    about, goal = card(page, "What it is for"), work.hub.campaign("spring", goal=True).goal
    assert goal is not None
    assert goal.value
    expect(about).to_contain_text(f"Measured{goal.value:g}")
    expect(about).to_contain_text("not reached")
    expect(about.get_by_role("link", name="bold_hello").first).to_be_visible()


def test_who_waits_for_a_yes_gets_it_where_it_is_asked_for(work: Opened) -> None:
    page = work.page("/lab?view=gates")
    waits = card(page, "Waiting for a person")
    expect(waits).to_contain_text("someone else's approval")
    waits.get_by_label("Approve easter as it is").click()
    page.get_by_role("alertdialog").get_by_text("Approve it as it is").click()
    expect(waits).to_contain_text("Nothing waits for you")
    [given] = work.hub.campaign("easter").approvals
    assert (given.by, given.stands) == ("admin", True)


def test_health_attribution_tools_and_reports(work: Opened) -> None:
    page = work.page("/operations?view=health")
    expect(card(page, "From marketing to sales")).to_contain_text("Next: send the events")
    page.goto(f"{work.address}/operations?view=attribution")
    expect(card(page, "Who gets the credit")).to_contain_text("shapley")
    page.get_by_label("Holdouts").fill("app: many")
    page.get_by_text("Share it out").click()
    expect(page.locator(".problem")).to_contain_text("write email: 3302 of 36000, held 331 of 4000")
    page.get_by_label("Holdouts").fill("app: 300 of 324, held 15 of 36")
    page.get_by_text("Share it out").click()
    expect(card(page, "The tournament: models against holdouts")).to_contain_text("rejected")
    page.goto(f"{work.address}/operations?view=tools")
    expect(card(page, "To be decided")).to_contain_text("mailer: notice")
    page.get_by_role("link", name="mailer").first.click()
    expect(card(page, "Who stopped")).to_contain_text("ana")
    page.goto(f"{work.address}/operations?view=reports")
    with page.expect_download() as saved:
        page.get_by_label("Save Marketing this week as pdf").click()
    assert Path(saved.value.path()).read_bytes()[:5] == b"%PDF-"
    page.get_by_role("link", name="Marketing this week").click()
    expect(page.locator("pre.file")).to_contain_text("Marketing this week")


def test_past_learning_is_found_and_flows_are_pooled(work: Opened) -> None:
    page = work.page("/lab")
    expect(page.locator(".lineage > li")).to_have_count(3)
    page.get_by_role("searchbox").fill("not sure enough")
    page.keyboard.press("Enter")
    expect(page.locator(".lineage > li")).to_have_count(1)
    page.get_by_role("link", name="Bold titles bring orders").click()
    expect(card(page, "All flows together")).to_contain_text("Mean effect")
    plot = page.get_by_role("img", name="Effect on orders by flow")
    expect(plot).to_be_visible()
    told = plot.get_attribute("aria-label") or ""
    assert all(name in told for name in ("bold_hello bold", "bold_letter bold", "bold_extra bold", "all flows"))


def test_the_gate_refuses_with_its_reasons_and_a_person_keeps_control(work: Opened) -> None:
    page = work.page("/lab?view=tests")
    page.get_by_role("link", name="bold_later").click()
    expect(card(page, "orders, bold against control, look by look")).to_be_visible()
    expect(page.locator(".sample")).to_be_visible()
    decide = card(page, "Decide it")
    decide.get_by_label("Verdict").select_option("bold")
    decide.get_by_text("Decide", exact=True).click()
    page.get_by_role("alertdialog").get_by_text("Decide", exact=True).click()
    expect(decide.locator(".problem")).to_contain_text("The gate does not let bold pass yet")
    assert work.hub.experiment("bold_later").status == "running"
    decide.get_by_label("Verdict").select_option("")
    decide.get_by_label("because").fill("nothing to see")
    decide.get_by_text("Decide", exact=True).click()
    page.get_by_role("alertdialog").get_by_text("Decide", exact=True).click()
    expect(page.get_by_text("Decide it")).to_have_count(0)
    assert work.hub.experiment("bold_later").reason == "nothing to see"
    page.goto(f"{work.address}/lab?view=holdouts")
    expect(card(page, "Holdout nobody")).to_contain_text("10% of customers")
    page.goto(f"{work.address}/lab?view=gates")
    expect(card(page, "What learns freely, and what does not")).to_contain_text("propensity P")


def test_what_a_catalog_says_stays_text(work: Opened) -> None:
    page = work.page()
    for path in ("/operations", "/operations?campaign=hostile", "/operations?view=calendar", "/lab?hypothesis=hostile",
                 "/lab?find=%3Cimg%20src%3Dx%20onerror%3D%22window.taken%3D1%22%3E"):  # fmt: skip
        page.goto(work.address + path)
        expect(page.locator("[aria-busy=false]").first).to_contain_text("<")
        assert page.evaluate("window.taken") is None
        assert page.locator("main img[src=x], main script").count() == 0


def test_an_interval_without_a_bound_reaches_the_edge_and_a_wide_one_is_cut_off() -> None:
    drawn = _options([Value("a", 0.1, None, 0.2), Value("b", 0.1, -0.5, 9.0)], False, (-1.0, 2.0), share=True)
    lines = [[end for end, _ in one["data"]] for one in drawn["series"] if one["type"] == "line" and one["data"]]
    assert lines == [[-100, 20], [-50, 200]]
    assert drawn["yAxis"]["data"] == ["a", "b\u200b"], "rows of the same name stay apart, and take no room for it"
    alone = _options([Value("a", 3.0, 2.0, None)], False, None, share=False)
    assert [end for end, _ in alone["series"][0]["data"]] == [2.0, 3.0]


def test_holdouts_are_read_as_they_are_written() -> None:
    found = holdouts("email: 30 of 400, held 3 of 40; a: b: 1 of 2 held 0 of 1")
    assert [*found] == ["email", "a: b"]
    assert found["a: b"] == {"treated": 2, "conversions": 1, "held": 1, "held_conversions": 0}
    with pytest.raises(BadInput, match="is no holdout"):
        holdouts("email: 30 of 400")


def test_a_search_finds_all_words_anywhere() -> None:
    from datetime import UTC, datetime

    from opportune.wire.trying import FlowInfo, HypothesisInfo

    flow = FlowInfo("short_hero", "short", datetime(2026, 1, 1, tzinfo=UTC), "control", "no effect", "too Early")
    one = HypothesisInfo("words", "Short Words", "why", "orders", "", 0, "open", "", 1.0, None, None, None, None, None,
                         [], [flow], [])  # fmt: skip
    assert matches(one, "")
    assert matches(one, "short early")
    assert not matches(one, "short later")
