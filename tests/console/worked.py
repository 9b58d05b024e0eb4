"""A hub at which people have worked: campaigns under way, money and hours, tools, and tests that are over or run."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opportune.catalog.types import Catalog
from opportune.clock import DAY, HOUR, SystemClock, format_instant
from opportune.events.types import ToolUsed
from opportune.hub import Hub
from opportune.operations.tool_use import entry_of
from opportune.services.laboratory import Laboratory
from opportune.services.office import Money, Office
from opportune.services.toolbox import Toolbox
from opportune.testing import FakeClock, tiny_action, tiny_catalog

HOSTILE = "<script>window.taken=1</script><img src=x onerror='window.taken=1'>"
NO_ARMS = {"random": 0, "propensity": 0, "no_levers": 0, "eligibility": 0, "random_propensity": 0}
DAYS = 60


def card(title: str, **more: Any) -> dict[str, Any]:
    return {"name": "card", "channel": "app", "placements": ["app.*"], "content": {"title": title}, **more}


def trial(name: str, action: str, hypothesis: str, **more: Any) -> dict[str, Any]:
    bold = {"actions": [{"name": action, "treatments": [{"name": "card", "content": {"title": "Bold"}}]}]}
    return {"name": name, "hypothesis": hypothesis, "planned": 300, "expires": "180d", "harm": 0.5,
            "arms": [{"name": "control"}, {"name": "bold", "changes": bold}], **more}  # fmt: skip


def days(start: int, count: int) -> str:
    return datetime.fromtimestamp((start + count * DAY) / 1e6, UTC).date().isoformat()


def catalog(start: int) -> Catalog:
    """Return the catalog; `start` is the instant at which the past of the hub begins."""
    places = [{"name": f"app.{name}", "channel": "app", "price": 0} for name in ("home", "news", "more", "next")]
    names = {"home": "hello", "news": "letter", "more": "extra", "next": "later"}
    actions = [
        tiny_action(action, campaign=campaign, cost=0.02, treatments=[card(action, placements=[f"app.{place}"])])
        for (place, action), campaign in zip(names.items(), ("spring", "spring", "autumn", "autumn"), strict=True)
    ]
    lines = [{"line": "ads", "planned": 4000}, {"line": "texts", "planned": 1000}]
    tasks = [{"name": "Write the texts", "owner": "bo", "due": days(start, 20), "hours": 6},
             {"name": "Brief the designers", "owner": "ana", "due": days(start, 80)}]  # fmt: skip
    return tiny_catalog(
        placements=places, actions=actions, model={"arms": NO_ARMS, "ramp": 0},
        metrics=[{"name": "orders", "event": "Order Completed", "within": "3d"},
                 {"name": "calls", "event": "Call Made", "within": "3d", "good": "down"}],
        hypotheses=[
            {"name": "plain_words", "claim": "Plain titles bring orders", "because": "They are understood",
             "metric": "orders", "expected": 0.3, "smallest": 0.05, "owner": "ana"},
            {"name": "bold_words", "claim": "Bold titles bring orders", "because": "They are seen on the way to work",
             "metric": "orders", "guardrails": ["calls"], "expected": 0.3, "smallest": 0.05, "owner": "ana",
             "parent": "plain_words"},
            {"name": "hostile", "claim": HOSTILE, "because": HOSTILE, "metric": "orders", "expected": 0.3,
             "owner": "ana"},
        ],
        experiments=[
            trial("bold_hello", "hello", "bold_words"), trial("bold_letter", "letter", "bold_words", layer="two"),
            trial("bold_extra", "extra", "bold_words", layer="three"),
            trial("bold_later", "later", "bold_words", layer="four", planned=2_000, campaign="autumn"),
        ],
        holdouts=[{"name": "nobody", "on": ["all"], "share": 0.1}],
        funnel={"margin": 0.4, "window": "30d"},
        targets=[{"figure": "roi", "at_least": 0.2, "owner": "ana", "reason": "what the bank account brings"},
                 {"figure": "velocity", "at_most": 30, "owner": "ana", "reason": "a month is a season"}],
        tools=[
            {"name": "mailer", "category": "email", "owner": "ana", "cost": {"per_seat": 20}, "seats": 10,
             "contract": {"from": days(start, -200), "until": days(start, 75), "notice": "30d"},
             "features": ["send", "segments", "journeys"], "does": ["send_email", "segments"]},
            {"name": "writer", "category": "texts", "cost": {"month": 90}, "contract": {"from": days(start, 0)},
             "does": ["segments"]},
        ],
        campaigns=[
            {"name": "spring", "title": "Spring is here", "owner": "ana", "brief": "Remind those who did not order.",
             "goal": {"metric": "orders", "target": 500}, "hypothesis": "bold_words", "starts": days(start, 30),
             "ends": days(start, 90), "budget": {"lines": lines}, "tasks": tasks, "tags": ["season"],
             "experiments": ["bold_hello"]},
            {"name": "autumn", "title": "Back to school", "owner": "bo", "brief": "Who has children gets a list.",
             "goal": {"metric": "orders", "target": 200}, "hypothesis": "bold_words", "starts": days(start, 50),
             "ends": days(start, 100), "budget": {"planned": 1500}, "tags": ["season"]},
            {"name": "hostile", "title": HOSTILE, "owner": HOSTILE, "starts": days(start, 55), "tags": [HOSTILE],
             "ends": days(start, 75), "tasks": [{"name": HOSTILE, "owner": HOSTILE, "due": days(start, 70)}]},
            {"name": "season", "title": "A season", "template": True, "owner": "ana"},
            {"name": "easter", "title": "Easter eggs", "owner": "cho", "process": "short", "starts": days(start, 55),
             "goal": {"metric": "orders", "target": 50}, "budget": {"planned": 100}, "ends": days(start, 95)},
        ],
        processes=[{"name": "short", "stages": [{"name": "planned"}, {"name": "on", "checks": [
            "owner", "goal", "budget", "someone_elses_approval"]}]}],
    )  # fmt: skip


def write(folder: Path, customers: int = 360) -> None:
    """Write a project folder and a store in which `DAYS` days are over."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".opportune").mkdir(mode=0o700, exist_ok=True)
    (folder / "hub.yaml").write_text("currency: EUR\n", "utf-8")
    start = SystemClock().now() // DAY * DAY - DAYS * DAY
    clock = FakeClock(start)
    with Hub.of(catalog(start), f"sqlite:///{folder / '.opportune' / 'hub.db'}", clock) as hub:
        _work(Office(hub), clock)
        _use(Toolbox(hub), start)
        with hub.store.transaction():
            _test(hub, clock, customers)
        clock.at = max(clock.at, start + (DAYS - 1) * DAY)
        Office(hub).spend([Money("spring", "invoice 19", 900.0, line="posters")], "bo")


def _work(office: Office, clock: FakeClock) -> None:
    for to in ("brief", "hypothesis", "build"):
        clock.advance(3 * DAY)
        assert office.move("spring", "ana", to).stage == to
    office.move("autumn", "bo", "brief")
    office.spend([Money("spring", "invoice 17", 1200.0, "committed", "ads"), Money("spring", "invoice 18", 250.5,
                  line="texts")], "bo")  # fmt: skip
    office.hours("spring", 3.5, "bo", "texts")
    office.task("spring", "Write the texts", "bo")


def _use(box: Toolbox, start: int) -> None:
    draw, uses = random.Random(7), []
    for week in range(8):
        for person in ("ana", "bo", "cho", "dan")[: 4 - week // 3]:
            use = ToolUsed(start + week * 7 * DAY + HOUR, "mailer", person, draw.choice(["send", "segments"]), 3)
            uses.append(ToolUsed(use.at, use.tool, use.person, use.feature, use.uses, entry_of(use)))
    box.use(uses)


def _test(hub: Hub, clock: FakeClock, customers: int) -> None:
    """Run three tests to their end, one after the other, and begin a fourth."""
    lab = Laboratory(hub)
    for name, place, wins in (("bold_hello", "home", 0.45), ("bold_letter", "news", 0.3), ("bold_extra", "more", 0.4),
                              ("bold_later", "next", 0.4)):  # fmt: skip
        lab.start(name, "ana", "seen elsewhere")
        draw = random.Random(name)
        for step in range(4):
            with hub.group():
                hub.ingest(_day(hub, place, draw, wins, range(step * customers // 4, (step + 1) * customers // 4)))
            clock.advance(3 * DAY)
            lab.note(lab.measure(name), "ana")
        if place != "next":
            lab.keep_control(name, "bo", f"not sure enough for {place}")


def _day(hub: Hub, place: str, draw: random.Random, wins: float, who: range) -> list[dict[str, Any]]:
    events = []
    for number in who:
        name = f"c{number}"
        answer = hub.decide(name, f"app.{place}")
        title = answer.actions[0].content["title"] if answer.actions else ""
        if answer.actions:
            hub.respond(str(answer.decision_id), answer.actions[0].action, "impression")
        ago = format_instant(hub.clock.now())
        if draw.random() < (wins if title == "Bold" else 0.3):
            events.append({"type": "track", "userId": name, "event": "Order Completed", "timestamp": ago,
                           "properties": {"revenue": draw.randrange(10, 90)}})  # fmt: skip
        if place == "home":
            events.append({"type": "track", "userId": name, "event": "Lead Created", "timestamp": ago,
                           "properties": {"source": "web"}})  # fmt: skip
    return events
