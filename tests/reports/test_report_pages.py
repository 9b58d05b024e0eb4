"""What reports say of planted figures and tables: no more than these support, on pages that are safe and the same."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import planted
import pytest
from msgspec.structs import replace
from planted import AS_OF, GOAL, PLAN

from opportune.clock import DAY
from opportune.figures.tables import opened
from opportune.reports.asked import Setting, made
from opportune.reports.compose import compose, others_of
from opportune.reports.drawing import Words
from opportune.reports.figure_part import Split, section
from opportune.reports.page import html, mail_html, text
from opportune.reports.parts import PARTS
from opportune.reports.pdf import pdf
from opportune.reports.plain import data
from opportune.reports.queries import query
from opportune.reports.report import Report, plain

EVIL = "<script>alert('x')</script>\"&"


def report(folder: Path, *stories: Any, campaign: str = "spring") -> Report:
    with opened(planted.happened(folder, campaign), AS_OF) as (connection, manifest):
        found = {name: query(name, PARTS[name][0], connection, manifest, AS_OF - 28 * DAY, AS_OF)
                 for name in others_of(PLAN)}  # fmt: skip
    return compose(PLAN, stories, found, AS_OF, manifest, "ff" * 32, "EUR", ZoneInfo("Europe/Berlin"))


def said(story: Any) -> str:
    return "\n".join(plain(sentence) for sentence in section(story).sentences)


def test_a_change_within_chance_is_called_that() -> None:
    told = said(planted.roi())
    assert "Marketing ROI is 1.4 (0.9 to 1.9), from 1.1 (0.6 to 1.6) 28 days before." in told
    assert "Chance alone does as much as that: the two intervals overlap." in told
    assert "rose" not in told
    assert "likely cause" not in told
    assert "The target is at least 1: it is unclear, since its interval reaches over the edge" in told
    assert "Gap: 1.8 (1.3 to 2.3), attributed less incremental." in told


def test_a_sure_change_has_its_cause() -> None:
    told = said(planted.roi(sure=True))
    assert "It surely rose, for the better: the two intervals do not touch; of the change of +0.3 the likely cause " \
           "by campaign: spring +0.36 (by its own value)." in told  # fmt: skip
    assert "it is in range, with its whole interval (owner ana; it has to pay for itself)" in told
    worse = planted.roi(sure=True)
    assert "for the worse" in said(replace(worse, now=replace(worse.now, direction="down")))


def test_what_is_not_known_says_what_it_lacks() -> None:
    found = section(planted.unknown())
    assert plain(found.sentences[0]) == "Campaign velocity is not known: no campaign went live yet."
    assert (found.tables, found.plots) == ((), ())


def test_a_target_of_a_part_is_judged_by_that_part() -> None:
    spring = replace(planted.roi(), targets=(type(GOAL)("roi", None, 0.5, "ben", "small", by=("campaign", "spring")),))
    assert "The target for campaign spring is at most 0.5: it is out of range, with its whole interval" in said(spring)
    gone = replace(planted.roi(), targets=(type(GOAL)("roi", None, 0.5, "ben", "small", by=("campaign", "winter")),))
    assert "it is unclear" in said(gone)


def test_the_other_parts_count_what_is_in_the_tables(tmp_path: Path) -> None:
    told = text(report(tmp_path, planted.roi())).replace("\u00a0", " ")
    assert "9 of 11 actions that were decided reached the customer, 81.8 % (52.3 to 94.9 %)." in told
    assert "In 15.4 % (4.33 to 42.2 %) of 13 decisions the hub kept silent." in told
    assert "4 people heard from us: half of them twice at most, nobody more than 3 times." in told
    assert "Of 5 conversions, 3 are credited to a contact before them, 60 % (23.1 to 88.2 %)." in told
    assert "450 EUR is spent and 0 EUR committed, together 45 % of the 1,000 EUR planned." in told, "one entry"
    assert "tone: started by ben on 23 Feb 2026; 1 customer met it so far. The look of 23 Feb 2026: bold: +1 %" in told
    assert re.search(r"spring +live +23 Feb 2026", told)


def test_what_the_hub_stamps_is_no_stage_of_a_campaign_that_people_move(tmp_path: Path) -> None:
    def stage(seq: int, campaign: str, name: str, moved: bool) -> dict[str, Any]:
        return {"seq": seq, "at": AS_OF - (9 - seq) * DAY, "campaign": campaign, "stage": name, "moved": moved}

    told = [stage(1, "care", "idea", True), stage(2, "care", "live", False), stage(3, "care", "first_outcome", False),
            stage(4, "old", "live", False), stage(5, "old", "first_decision", False)]  # fmt: skip
    planted.folder(tmp_path, stages=told, campaigns=[{"campaign": one, "title": one} for one in ("care", "old")])
    with opened(tmp_path, AS_OF) as (connection, manifest):
        found = query("campaigns", "Campaigns", connection, manifest, AS_OF - 28 * DAY, AS_OF)
    assert {row["campaign"]: row["stage"] for row in found.rows} == {"care": "idea", "old": "live"}


def test_a_number_without_an_interval_is_not_said_to_have_one() -> None:
    goal = type(GOAL)("budget", 0.8, 1.1, "ana", "booked")
    exact = planted.answer(0.829, figure="budget", title="Use of the budget", unit="share")
    told = said(replace(planted.roi(), now=exact, past=(), splits=(), targets=(goal,)))
    assert "The target is between 80 and 110 %: it is in range (owner ana; booked)." in told


def test_spans_are_told_in_what_they_are_long_in() -> None:
    moment = 2.97e-05
    rows = (planted.row("idea", moment, (moment / 2, 2 * moment), 3), planted.row("build", 0.5, (0.25, 3.0), 2))
    now = planted.answer(None, figure="velocity", title="Campaign velocity", unit="days", reason="under way")
    by = planted.answer(None, figure="velocity", title="Campaign velocity", unit="days", by="stage", rows=rows)
    story = replace(planted.roi(), now=now, past=(), splits=(Split(by),), targets=())
    [plot], [table] = section(story).plots, section(story).tables
    assert plot.caption == "Campaign velocity by stage, with intervals.", "there is no whole to draw"
    assert [[plain(cell) for cell in row][:3] for row in table.rows] == [
        ["idea", "2.57 s", "1.28 to 5.13 s"], ["build", "12 h", "6 h to 3 days"],
    ]  # fmt: skip
    words = [shape.text for shape in plot.drawing.shapes if isinstance(shape, Words)]
    assert {"2.57 s", "12 h", "1 d", "3 d"} <= {*words}
    quick = replace(story, splits=(Split(replace(by, rows=rows[:1] * 2)),))
    ticks = [shape.text for shape in section(quick).plots[0].drawing.shapes
             if isinstance(shape, Words) and shape.color == "quiet"]  # fmt: skip
    assert ticks == ["0 d", "2 s", "4 s", "6 s"]
    before = planted.answer(20.0, (15.0, 25.0), figure="velocity", title="Campaign velocity", unit="days", back=1)
    goal = type(GOAL)("velocity", None, 30.0, "ana", "a month")
    moved = replace(story, now=replace(now, value=moment, interval=(moment, 30.0)), past=(before,), targets=(goal,))
    texts = [shape.text for shape in section(moved).plots[0].drawing.shapes if isinstance(shape, Words)]
    assert {"≤ 30 d", "2.57 s"} <= {*texts}
    assert "Campaign velocity is 2.57 s (2.57 s to 30 days), from 20 days (15 to 25 days) 28 days" in said(moved)


def test_the_text_of_queries_fills_no_pages_of_a_pdf(tmp_path: Path) -> None:
    def pages(sql: str) -> int:
        told = report(tmp_path / str(len(sql)), replace(planted.roi(), sql=sql))
        assert sql.splitlines()[0] in html(told).decode()
        return len(re.findall(rb"/Type /Page\b", pdf(told)))

    assert pages("SELECT 1\n" * 2000) == pages("SELECT 1\n")


def test_every_number_leads_to_a_query(tmp_path: Path) -> None:
    made_ = report(tmp_path, planted.roi(), planted.unknown())
    known = {source.id for source in made_.sources}
    numbers = list(made_.numbers())
    assert len(numbers) > 40
    assert {number.source for number in numbers} <= known
    assert all(source.sql and len(source.sha256) == 64 and source.version for source in made_.sources)
    for source in made_.sources:
        if source.file.startswith("reports/"):
            assert hashlib.sha256(source.sql.encode()).hexdigest() == source.sha256
    page = html(made_).decode()
    anchors, links = set(re.findall(r'id="([^"]+)"', page)), set(re.findall(r'href="#([^"]+)"', page))
    assert links <= anchors
    assert {f"source-{one}" for one in known} <= links | anchors
    assert {one["source"] for one in data(made_)["numbers"]} <= known


class _Page(HTMLParser):
    """What a page would ask of a browser."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "srcset", "href", "action", "data")
                         and not (value or "").startswith("#")]  # fmt: skip


@pytest.mark.parametrize("form", ["page", "mail"])
def test_what_people_write_is_text_and_nothing_is_fetched(tmp_path: Path, form: str) -> None:
    evil = replace(planted.roi(EVIL), targets=(type(GOAL)("roi", 1.0, None, EVIL, EVIL),))
    made_ = report(tmp_path, evil, campaign=EVIL)
    written = html(made_).decode() if form == "page" else mail_html(made_)
    page = _Page()
    page.feed(written)
    assert "script" not in page.tags
    assert page.fetched == []
    assert "&lt;script&gt;" in written
    assert "url(" not in written
    assert "@import" not in written
    assert pdf(made_)[:5] == b"%PDF-"


def test_a_page_can_be_read_by_everybody(tmp_path: Path) -> None:
    page = html(report(tmp_path, planted.roi(sure=True))).decode()
    assert '<html lang="en">' in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    images = re.findall(r"<svg[^>]*>", page)
    assert len(images) == 3
    assert all('role="img"' in image and "aria-label=" in image for image in images)
    assert "Marketing ROI, each point 28 days after the one before; the band is its interval: 4 Dec 0.7; 1 Jan not " \
           "known; 29 Jan 1.1; 26 Feb 1.4" in page  # fmt: skip
    assert page.count("<th scope=\"col\"") == sum(len(t.columns) for s in report(tmp_path / "b", planted.roi()).sections
                                                 for t in s.tables)  # fmt: skip
    assert page.count("<caption>") == page.count("<table>")


def test_texts_that_the_font_lacks_do_not_break_the_pdf(tmp_path: Path) -> None:
    odd = planted.roi("春 \U0001f600 \u202e\x00" + "w" * 300)
    assert len(pdf(report(tmp_path, odd, campaign="春"))) > 10_000


WRITE = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import planted
from opportune.reports.asked import Setting, made
from opportune.reports.page import html, mail_html, text
from opportune.reports.pdf import pdf
import hashlib
told = made(planted.PLAN, Path({folder!r}), Setting("ff" * 32, (planted.GOAL,), "EUR"), planted.AS_OF)
for data in (html(told), pdf(told), mail_html(told).encode(), text(told).encode()):
    print(len(data), hashlib.sha256(data).hexdigest())
"""


def test_the_same_tables_give_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    planted.happened(tmp_path)
    code = WRITE.format(tests=str(Path(planted.__file__).parent), folder=str(tmp_path))
    told = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                       env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone}).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    ]  # fmt: skip
    assert told[0] == told[1]
    assert len(told[0].splitlines()) == 4
    other = made(PLAN, tmp_path, Setting("ff" * 32, (GOAL,), "EUR"), AS_OF - DAY)
    assert str(len(pdf(other))) + " " + hashlib.sha256(pdf(other)).hexdigest() not in told[0]


def test_what_became_known_later_is_in_no_earlier_report(tmp_path: Path) -> None:
    planted.happened(tmp_path)
    before = text(made(PLAN, tmp_path, Setting(), AS_OF - 20 * DAY))
    assert "Nothing was said in this period." in before
    assert "There was no conversion in this period." in before


def test_a_report_of_nothing_says_what_to_do_next(tmp_path: Path) -> None:
    planted.folder(tmp_path, contacts=[])
    told = made(PLAN, tmp_path, Setting(currency="EUR"), AS_OF)
    assert told.sections[0].title == "What to do next"
    assert "opportune import" in told.sections[0].following
    assert not [number for number in told.numbers() if number.source and number.source not in
                {source.id for source in told.sources}]  # fmt: skip
    assert len(pdf(told)) > 1000
    assert b"What to do next" in html(told)
