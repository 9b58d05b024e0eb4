"""What was decided, over HTTP and on the command line: lists, one wholly, the proof; and a feed that misses nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from running import Running

from opportune.catalog import load
from opportune.client import Client
from opportune.errors import BadRequest, Forgotten, NotFound
from opportune.wire.recalling import DecisionList
from opportune.wire.watching import FeedItem

HERO = "app.home.hero"
OPPORTUNE = Path(sys.executable).with_name("opportune")


def decided(running: Running, times: int = 1) -> tuple[str, list[str]]:
    """Return a customer, and the ids of decisions about them, the latest first."""
    user = running.talkative()
    made = [str(running.client.decide(user, HERO).decision_id) for _ in range(times)]
    return user, made[::-1]


def ids(found: DecisionList) -> list[str]:
    return [row.id for row in found.decisions]


def test_decisions_are_listed_latest_first_page_by_page(running: Running) -> None:
    user, made = decided(running, 5)
    assert ids(running.client.decisions(limit=5)) == made
    first = running.client.decisions(customer=user, limit=2)
    assert ids(first) == made[:2]
    rest = running.client.decisions(customer=user, before=first.before)
    assert ids(rest) == made[2:]
    assert rest.before is None or not ids(running.client.decisions(customer=user, before=rest.before))
    row = first.decisions[0]
    told = running.client.recorded(row.id)
    assert (row.customer_id, row.at, row.places[0].placement) == (user, told.at, HERO)
    assert [one.action for one in row.places[0].actions] == [one.action for one in told.actions]


def test_lists_are_narrowed_and_say_what_became_of_it(running: Running) -> None:
    user, made = decided(running)
    offer = running.client.recorded(made[0]).actions[0]
    running.client.respond(made[0], offer.action, "impression")
    assert ids(running.client.decisions(customer=user, answer="no")) == made
    yes = _yes(running, offer.action)
    running.client.respond(made[0], offer.action, yes)
    fits: dict[str, Any] = {"answer": "yes", "action": offer.action, "issue": offer.issue, "silence": "none"}
    found = running.client.decisions(customer=user, **fits)
    assert ids(found) == made
    assert found.decisions[0].places[0].actions[0].heard == ["seen", yes]
    wrongs: list[dict[str, Any]] = [
        {"answer": "no"}, {"action": "nosuch"}, {"silence": "any"}, {"placement": "email.weekly"}, {"until": "1h"},
        {"since": "2999-01-01"},
    ]  # fmt: skip
    for wrong in wrongs:
        assert not ids(running.client.decisions(customer=user, **wrong)), wrong
    assert ids(running.client.decisions(customer=user, since="1h", until="2999-01-01")) == made


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"limit": "201"}, "give 1 to 200"),
        ({"before": "-1"}, "before is '-1'"),
        ({"arm": "nosuch"}, "random"),
        ({"silence": "loud"}, "nothing_left"),
        ({"answer": "perhaps"}, "unseen"),
        ({"since": "yesterday"}, "such as 7d"),
        ({"heldOut": "maybe"}, "true or false"),
        ({"action": "x" * 600}, "512 characters"),
    ],
)
def test_what_cannot_be_looked_for_is_said(running: Running, query: dict[str, str], says: str) -> None:
    told = running.http.get("/v1/decisions", params=query, auth=(running.key, ""))
    assert told.status_code == 400
    assert says in told.json()["detail"]


def test_a_list_of_nobody_is_not_found_and_browsers_get_none(running: Running) -> None:
    with pytest.raises(NotFound, match="user id, an anonymous id or a pseudonym"):
        running.client.decisions(customer="nobody at all")
    assert running.http.get("/v1/decisions", auth=(running.write, "")).status_code == 403


def test_a_decision_is_shown_wholly_and_replays(running: Running) -> None:
    user, made = decided(running)
    record = running.client.decision_record(made[0])
    assert (record.id, record.customer_id, record.placements) == (made[0], user, [HERO])
    assert record.values["plan"] == "gold"
    assert [one.action for one in record.became if not one.ghost] == [
        one.action for place in record.places for one in place.leaders if one.rank
    ]
    proof = running.client.replay_decision(made[0])
    assert (proof.same, proof.differs) == (True, [])
    assert proof.explanation == running.client.recorded(made[0]).explanation
    for ask in (running.client.decision_record, running.client.replay_decision):
        with pytest.raises(NotFound):
            ask("nosuch")


def test_who_was_forgotten_is_forgotten_here_too(running: Running) -> None:
    user, made = decided(running)
    assert ids(running.client.decisions(limit=1)) == made
    running.admin.forget(user)
    assert made[0] not in ids(running.client.decisions(limit=5))
    for ask in (running.client.decision_record, running.client.replay_decision):
        with pytest.raises(Forgotten):
            ask(made[0])


def test_the_command_lists_what_the_hub_lists(running: Running) -> None:
    user, made = decided(running, 3)
    words = [str(OPPORTUNE), "decisions", "--customer", user, "--limit", "2", "--dir", str(running.server.folder)]
    told = json.loads(subprocess.check_output([*words, "--json"]))
    assert [row["id"] for row in told["decisions"]] == made[:2]
    lines = subprocess.run(words, capture_output=True, text=True, check=True)
    assert f"{made[0]} {user}" in lines.stdout
    assert f"--before {told['before']}" in lines.stderr


def test_a_feed_begins_with_what_was_and_goes_on_where_it_ended(running: Running) -> None:
    user, made = decided(running)
    first = _first(running, last=60)
    assert any(one.decision_id == made[0] and one.customer_id == user for one in first.happened)
    assert len(first.happened) <= 60
    running.client.ingest({"type": "track", "userId": user, "event": "While Nobody Listened"})
    running.client.respond(made[0], running.client.recorded(made[0]).actions[0].action, "impression")
    missed = _first(running, after=first.position)
    assert [one.kind for one in missed.happened if one.customer_id == user] == ["event", "seen"]
    assert not _first(running, after=missed.position).happened
    assert not _first(running).happened, "what was before is told to who asks for it"
    with pytest.raises(BadRequest):
        next(running.client.feed(after="12"))


def _first(running: Running, after: str = "", last: int = 0) -> FeedItem:
    """Return the first item of a feed that says up to where it tells."""
    with Client(running.server.address, running.key) as client:
        return next(item for item in islice(client.feed(after=after, last=last), 10) if item.position)


def _yes(running: Running, action: str) -> str:
    found = load(running.server.folder)
    return next(a.outcomes.positive[0] for a in found.actions if a.name == action)
