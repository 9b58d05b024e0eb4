"""What the hub tells those who watch it, over HTTP: figures of now, the feed, a customer's story, and suppositions."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from running import Running

from opportune.client import Client, Refused
from opportune.errors import BadRequest, NotFound
from opportune.wire import Supposed
from opportune.wire.watching import FeedItem

HERO = "app.home.hero"


def watched(running: Running, customer: str = "") -> list[FeedItem]:
    """Return a list that the feed is written to from now on."""
    found: list[FeedItem] = []
    begun = threading.Event()

    def read() -> None:
        with Client(running.server.address, running.key) as client:
            for item in client.feed(customer):
                begun.set()
                found.append(item)

    threading.Thread(target=read, daemon=True).start()
    assert begun.wait(5)
    return found


def until(true: Any, seconds: float = 8.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def cancel(user: str) -> dict[str, Any]:
    return {"type": "page", "userId": user, "name": "cancel", "properties": {"path": "/cancel"}}


def test_what_is_supposed_is_what_happens_when_it_comes_true(running: Running) -> None:
    user = running.talkative()
    before = running.client.profile(user)
    events = running.admin.status().events
    ways = [{**cancel("ignored"), "messageId": "x"}, cancel(user)]
    supposed = running.client.decide(user, HERO, peek=True, explain=True, suppose=Supposed(events=ways))
    assert supposed.decision_id is None
    assert supposed.actions[0].issue == "retain"
    assert supposed.explanation
    assert running.client.profile(user) == before, "nothing of it touches the customer"
    assert running.admin.status().events == events
    assert running.client.decide(user, HERO, peek=True).actions != supposed.actions

    running.client.ingest([cancel(user), cancel(user)])
    true = running.client.decide(user, HERO, peek=True)
    assert [(o.action, o.priority) for o in true.actions] == [(o.action, o.priority) for o in supposed.actions]

    values = {"orders_1d": 1}
    calm = running.client.decide(user, HERO, peek=True, suppose=Supposed(values=values))
    assert not [o for o in calm.actions if o.issue == "retain"], "values count on top of what is known"
    assert running.client.decide(user, HERO, peek=True).actions == true.actions, "and are gone with the answer"


def test_a_stranger_can_be_supposed(running: Running) -> None:
    who = running.customer()
    known = Supposed(values={"plan": "gold", "tenure_months": 24, "spend_90d": 100, "cancel_page_views_1d": 2})
    answer = running.client.decide(anonymous=who, placement=HERO, peek=True, suppose=known)
    assert answer.actions[0].issue == "retain"
    with pytest.raises(NotFound):
        running.client.profile(who)


@pytest.mark.parametrize(
    ("suppose", "says"),
    [
        ({"values": {"nosuch": 1}}, "nosuch"),
        ({"values": {"plan": 7}}, "plan is a text"),
        ({"values": {"tenure_months": "old"}}, "tenure_months is a number"),
        ({"values": {"contacts_email_7d": 1}}, "no trait or feature"),
        ({"events": [{"type": "nosuch"}]}, "cannot be taken"),
        ({"events": [{"type": "track"}] * 101}, "at most 100"),
    ],
)
def test_what_cannot_be_supposed_is_refused(running: Running, suppose: dict[str, Any], says: str) -> None:
    user = running.talkative()
    told = running.post("/v1/decide", {"userId": user, "placement": HERO, "peek": True, "suppose": suppose})
    assert told.status_code == 400
    assert says in told.json()["detail"]


def test_only_a_peek_of_a_server_supposes(running: Running) -> None:
    user = running.talkative()
    asked = {"userId": user, "placement": HERO, "suppose": {"values": {"lines": 2}}}
    assert running.post("/v1/decide", asked).json()["field"] == "suppose"
    browser = running.server.key("write", scopes=["decide:anonymous"], rate=0)
    visitor = {"anonymousId": user, "placement": HERO, "peek": True, "suppose": {}}
    assert running.post("/v1/decide", visitor, browser).status_code == 403


def test_why_not_now_finds_a_change_that_holds(running: Running) -> None:
    user = running.talkative()
    why = running.client.why_now("tv_pack", HERO, user, values={"has_tv": True})
    assert (why.stage, why.placement) == ("suitable", HERO)
    assert why.change
    then = {"has_tv": True, **{n: v for n, v in why.change.items() if n not in ("lever", "value")}}
    if {*why.change} <= {"has_tv"}:
        won = running.client.decide(user, HERO, peek=True, suppose=Supposed(values=then))
        assert won.actions[0].action == "tv_pack"
    with pytest.raises(BadRequest):
        running.client.why_now("nosuch", HERO, user)


def test_the_feed_tells_in_words_at_once_and_only_to_server_keys(running: Running) -> None:
    everything, user = watched(running), running.talkative()
    mine = watched(running, user)
    running.client.ingest(cancel(user))
    sent = time.monotonic()
    until(lambda: any(item.changed for item in mine))
    assert time.monotonic() - sent < 1.0
    made = running.client.decide(user, HERO)
    running.client.respond(str(made.decision_id), made.actions[0].action, "impression")

    def told() -> set[tuple[str, str]]:
        return {(one.kind, one.what) for item in everything for one in item.happened if one.customer_id == user}

    wanted = {("event", "Page Viewed"), ("decision", made.actions[0].action),
              ("seen", f"{made.actions[0].action} was seen")}  # fmt: skip
    until(lambda: wanted <= told())
    assert not any(item.happened for item in mine), "the feed of one customer only says that they changed"
    with pytest.raises(Refused):
        next(Client(running.server.address, running.server.key("write")).feed())
    with pytest.raises(NotFound):
        next(running.client.feed("nobody at all"))


def test_of_much_the_feed_tells_a_sample(running: Running) -> None:
    everything = watched(running)
    user = running.customer()
    running.client.ingest([{**cancel(user), "messageId": f"much-{user}-{n}"} for n in range(400)])
    running.client.ingest({"type": "track", "userId": user, "event": "The Last"})
    until(lambda: any(one.what == "The Last" for item in everything for one in item.happened))
    told = [one for item in everything for one in item.happened if one.customer_id == user]
    assert len(told) < 60


def test_now_counts_what_happened_today(running: Running) -> None:
    def settled() -> Any:
        until(lambda: running.client.now().counted == 1.0)
        return running.client.now()

    before, user = settled(), running.talkative()
    since = settled().today
    made = running.client.decide(user, HERO)
    running.client.respond(str(made.decision_id), made.actions[0].action, "impression")
    running.client.respond(str(made.decision_id), made.actions[0].action, _yes(running, made.actions[0].action))
    quiet = running.client.decide(running.customer(), "email.weekly")
    assert quiet.silence
    until(lambda: running.client.now().today.decisions == since.decisions + 2)
    after = running.client.now()
    assert after.today.silences == since.silences + 1
    assert after.today.outcomes == since.outcomes + 1
    arms = [after.accept[arm].part - before.accept[arm].part for arm in ("hub", "random")]
    assert sum(arms) == 1, "one yes, in one of the arms"
    assert sum(one.count for one in after.silence) == sum(one.count for one in before.silence) + 1
    share = after.accept["hub"]
    assert share.value is None or (share.interval and share.interval[0] <= share.value <= share.interval[1])
    assert after.added.value is not None or after.added.reason
    assert {one.about for one in after.attention} <= {"disk", "messages", "accept", "queue", "events", "backup"}


def test_a_story_is_told_latest_first_with_its_identities(running: Running) -> None:
    user, device = running.talkative(), running.customer()
    running.client.ingest({"type": "page", "anonymousId": device, "name": "home"})
    running.client.ingest({"type": "identify", "userId": user, "anonymousId": device})
    running.client.ingest([cancel(user), cancel(user)])
    made = running.client.decide(user, HERO)
    running.client.respond(str(made.decision_id), made.actions[0].action, "impression")
    story = running.client.story(user)
    assert [(one.type, one.id, one.joined) for one in story.identities] == [
        ("user id", user, False), ("anonymous id", device, True)
    ]  # fmt: skip
    times = [one.at for one in story.happened]
    assert times == sorted(times, reverse=True)
    kinds = {one.kind for one in story.happened}
    assert {"event", "decision", "seen", "situation"} <= kinds
    assert any("because of Page Viewed" in one.detail for one in story.happened if one.kind == "situation")
    assert len(running.client.story(user, limit=3).happened) == 3
    with pytest.raises(NotFound):
        running.client.story("nobody at all")


def test_customers_are_found_by_any_id(running: Running) -> None:
    user, device = running.talkative(), running.customer()
    running.client.ingest({"type": "identify", "userId": user, "anonymousId": device})
    made, subject = running.client.decide(user, HERO), running.client.profile(user).subject
    ids = {user: "user id", device: "anonymous id", subject: "pseudonym", made.decision_id: "decision"}
    for text, by in ids.items():
        assert [(one.customer_id, one.by) for one in running.client.find_customers(str(text))] == [(user, by)]
    assert running.client.find_customers("nobody at all") == []
    first = running.client.find_customers(limit=2)
    following = running.client.find_customers(after=first[-1].subject, limit=500)
    subjects = [one.subject for one in [*first, *following]]
    assert len(first) == 2
    assert subjects == sorted(set(subjects))
    assert subject in subjects


def test_a_page_of_customers_is_whole_however_many_turns_it_takes(running: Running) -> None:
    running.client.ingest([{"type": "identify", "userId": f"paged-{n}"} for n in range(130)])
    whole = running.client.find_customers(limit=500)
    assert {f"paged-{n}" for n in range(130)} <= {one.customer_id for one in whole}
    assert [one.subject for one in whole] == sorted({one.subject for one in whole})
    first = running.client.find_customers(limit=70)
    assert first == whole[:70]
    assert running.client.find_customers(after=first[-1].subject, limit=500) == whole[70:]


def _yes(running: Running, action: str) -> str:
    from opportune.catalog import load

    found = load(running.server.folder)
    return next(a.outcomes.positive[0] for a in found.actions if a.name == action)
