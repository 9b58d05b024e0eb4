"""Decide, answer, explain over HTTP; what a browser may do; errors that name the field."""

from __future__ import annotations

from typing import Any

import pytest
from running import Running

from opportune.client import Client, Refused
from opportune.errors import BadRequest, Forgotten, NotFound

HERO = "app.home.hero"


@pytest.fixture
def user(running: Running) -> str:
    return running.talkative()


def test_a_decision_is_recorded_and_a_peek_is_not(running: Running, user: str) -> None:
    peek = running.client.decide(user, HERO, peek=True)
    made = running.client.decide(user, HERO)
    assert peek.decision_id is None
    assert made.decision_id
    assert peek.actions
    found = running.client.recorded(made.decision_id)
    assert found.replayed
    assert found.actions == made.actions
    with pytest.raises(NotFound):
        running.client.recorded("01K0000000000000000000000")


def test_the_wire_is_as_the_contract_says(running: Running, user: str) -> None:
    told = running.post("/v1/decide", {"userId": user, "placements": [HERO, "web.home.banner"], "limit": 2}).json()
    assert set(told) == {"decisionId", "customerId", "at", "actions", "silence"}
    assert told["customerId"] == user
    for offer in told["actions"]:
        assert set(offer) == {
            "action", "issue", "group", "treatment", "placement", "rank", "priority", "propensity", "contextWeight",
            "value", "lever", "selectionProbability", "content", "items",
        }  # fmt: skip
    names = [offer["action"] for offer in told["actions"]]
    assert len(names) == len(set(names)), "several placements get different actions"


def test_the_same_request_id_gets_the_first_answer_again(running: Running, user: str) -> None:
    first = running.client.decide(user, HERO, request_id="r1")
    running.client.ingest({"type": "page", "userId": user, "name": "cancel"})
    assert running.client.decide(user, HERO, request_id="r1") == first
    assert running.client.decide(user, HERO, request_id="r2").decision_id != first.decision_id
    with pytest.raises(BadRequest, match="has asked about"):
        running.client.decide(user, "web.home.banner", request_id="r1")
    other = running.customer()
    running.welcome(other)
    assert running.client.decide(other, HERO, request_id="r1").customer_id == other, "ids are of one customer"


def test_a_channel_stands_for_its_placements(running: Running, user: str) -> None:
    by_channel = running.client.decide(user, channel="app", peek=True)
    assert {offer.placement.split(".")[0] for offer in by_channel.actions} == {"app"}
    with pytest.raises(BadRequest, match="email"):
        running.client.decide(user, channel="pigeon")
    with pytest.raises(BadRequest, match="not all of it is in channel"):
        running.client.decide(user, HERO, channel="email")


def test_an_explanation_names_every_action(running: Running, user: str) -> None:
    told = running.client.decide(user, HERO, explain=True)
    assert told.explanation
    named = {w.action for w in told.explanation.won} | {x.action for x in told.explanation.lost}
    assert len(named) == 13, "all that the catalog has"
    assert running.client.explain(str(told.decision_id)) == told.explanation
    lost = told.explanation.lost[0].action
    why = running.client.why(str(told.decision_id), lost)
    assert why.action == lost
    assert why.reason
    raw = running.http.get(f"/v1/decisions/{told.decision_id}", auth=(running.key, "")).json()
    assert {"movedBy", "selectionProbability", "sentence"} <= set(raw["explanation"]["won"][0])


def test_outcomes_are_idempotent_and_in_any_order(running: Running, user: str) -> None:
    made = running.client.decide(user, HERO)
    action, client = made.actions[0].action, running.client
    assert client.respond(str(made.decision_id), action, "dismiss", at="2031-01-01T00:00:00Z")
    assert not client.respond(str(made.decision_id), action, "dismiss")
    told = running.post("/v1/outcomes", [
        {"decisionId": made.decision_id, "action": action, "outcome": "impression"},
        {"decisionId": made.decision_id, "action": action, "outcome": "applause"},
        {"decisionId": "01K0000000000000000000000", "action": action, "outcome": "impression"},
        {"decisionId": made.decision_id, "action": "no_such", "outcome": "impression"},
    ])  # fmt: skip
    assert told.status_code == 200
    first, second, third, fourth = told.json()
    assert "problem" not in first
    assert second["problem"]["status"] == 400
    assert third["problem"]["status"] == 404
    assert fourth["problem"]["status"] == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"placement": HERO}, "userId"),
        ({"userId": "null", "placement": HERO}, "userId"),
        ({"userId": "u"}, "placement"),
        ({"userId": "u", "placement": "app.home.her"}, "placement"),
        ({"userId": "u", "placement": HERO, "limit": 0}, "limit"),
        ({"userId": "u", "placement": HERO, "limit": "3"}, "limit"),
        ({"userId": "u", "placement": HERO, "limit": 1.5}, "limit"),
        ({"userId": {}, "placement": HERO}, "userId"),
        ({"userId": "u" * 600, "placement": HERO}, "userId"),
        ({"userId": "u", "placements": [1]}, "placements[0]"),
        ({"userId": "u", "placement": HERO, "context": {"device": []}}, "context"),
        ({"userId": "u", "placement": HERO, "colour": 1}, "colour"),
        ({"userId": "u", "placement": HERO, "requestId": ""}, "requestId"),
        ({"userId": "u", "placement": HERO, "token": "nonsense"}, "token"),
        ([], ""),
    ],
)
def test_a_mistake_is_a_problem_that_names_the_field(running: Running, body: Any, field: str) -> None:
    answer = running.post("/v1/decide", body)
    told = answer.json()
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["status"] == 400
    assert told["detail"]
    assert told.get("field", "").startswith(field), told


def test_unknown_paths_and_methods_say_what_there_is(running: Running) -> None:
    assert running.http.get("/v1/nothing").status_code == 404
    answer = running.http.put("/v1/decide")
    assert (answer.status_code, "POST" in answer.json()["detail"]) == (405, True)
    assert running.http.head("/healthz").status_code == 200


def test_ids_may_hold_anything(running: Running) -> None:
    for user in ("a/b", "a b+c", "ä%2F?#", "../x", "🐎"):
        running.welcome(user)
        assert running.client.profile(user).customer_id == user
        assert running.client.decide(user, HERO).customer_id == user
    running.welcome("7")
    assert running.post("/v1/decide", {"userId": 7, "placement": HERO}).json()["customerId"] == "7"


def test_a_customer_can_be_exported_and_forgotten(running: Running, user: str) -> None:
    made = running.client.decide(user, HERO)
    running.client.respond(str(made.decision_id), made.actions[0].action, "impression")
    running.client.ingest([
        {"type": "identify", "userId": user, "traits": {"favorite_tea": "oolong"}},
        {"type": "track", "userId": user},
    ])  # fmt: skip
    told = running.client.export(user)
    assert [e["type"] for e in told.events] == ["track", "identify", "track", "identify"]
    assert [d["decisionId"] for d in told.decisions] == [made.decision_id]
    assert told.decisions[0]["became"][0]["seen"]
    assert told.profile.values["plan"] == "gold"
    assert told.ids == [{"type": "user_id", "id": user}]
    assert told.traits["favorite_tea"] == "oolong", "also what the catalog does not declare"
    assert [aside["reason"] for aside in told.rejected] == ["no_event"]
    running.client.forget(user)
    for ask in (running.client.profile, running.client.export):
        with pytest.raises(NotFound):
            ask(user)
    with pytest.raises(Forgotten):
        running.client.recorded(str(made.decision_id))


def test_profiles_are_read_as_segment_has_them(running: Running, user: str) -> None:
    running.client.ingest({"type": "identify", "userId": user, "anonymousId": f"a-{user}", "traits": {"tea": "oolong"}})
    base = f"/v1/spaces/any/collections/users/profiles/user_id:{user}"

    def get(path: str, **query: str) -> Any:
        return running.http.get(path, params=query, auth=(running.key, "")).json()

    first = get(f"{base}/traits", limit="2")
    assert len(first["traits"]) == 2
    assert first["cursor"]["has_more"]
    rest = get(first["cursor"]["url"])
    assert {**first["traits"], **rest["traits"]} == {"lines": 1, "plan": "gold", "tea": "oolong", "tenure_months": 24}
    assert [e["type"] for e in get(f"{base}/events")["data"]] == ["identify", "identify", "track", "track"]
    assert [(i["type"], i["id"]) for i in get(f"{base}/external_ids")["data"]] == [
        ("user_id", user), ("anonymous_id", f"a-{user}")
    ]  # fmt: skip
    by_visitor = base.replace("user_id:", "anonymous_id:a-")
    assert get(f"{by_visitor}/traits")["traits"] == {**first["traits"], **rest["traits"]}
    assert get(f"{base}/metadata")["metadata"]["created_at"]
    assert get(f"{base}/links")["data"] == []
    assert get(f"{base}/wishes")["status"] == 404
    assert get(base.replace("user_id:", "") + "/traits")["status"] == 400
    assert get(base + "x/traits")["status"] == 404


class TestBrowser:
    """A write key with the scope decide:anonymous."""

    @pytest.fixture
    def key(self, running: Running) -> str:
        return running.server.key("write", name="site", scopes=["decide:anonymous"])

    @pytest.fixture
    def visitor(self, running: Running) -> str:
        return running.talkative("app.home.hero", visitor=True)

    def test_a_visitor_gets_actions_and_content_and_nothing_else(
        self, running: Running, key: str, visitor: str
    ) -> None:
        body = {"anonymousId": visitor, "placement": HERO, "explain": True}
        told = running.post("/v1/decide", body, key).json()
        assert set(told) == {"decisionId", "actions"}
        for offer in told["actions"]:
            assert set(offer) == {"action", "treatment", "placement", "rank", "content", "items"}

    def test_a_visitor_answers_their_own_decisions_only(self, running: Running, key: str, visitor: str) -> None:
        made = running.post("/v1/decide", {"anonymousId": visitor, "placement": HERO}, key).json()
        assert made["actions"]
        told = {"decisionId": made["decisionId"], "action": made["actions"][0]["action"], "outcome": "impression"}
        assert running.post("/v1/outcomes", {**told, "anonymousId": f"{visitor}-2"}, key).status_code == 404
        assert running.post("/v1/outcomes", told, key).status_code == 400
        assert running.post("/v1/outcomes", {**told, "anonymousId": visitor}, key).json() == {"news": True}

    def test_a_known_user_needs_a_token_of_the_server(self, running: Running, key: str, user: str) -> None:
        body = {"userId": user, "placement": HERO}
        assert running.post("/v1/decide", body, key).status_code == 403
        token = running.client.user_token(user).user_token
        told = running.post("/v1/decide", {**body, "userToken": token}, key).json()
        assert set(told) == {"decisionId", "actions"}
        other = running.customer()
        assert (
            running.post("/v1/decide", {"userId": other, "placement": HERO, "userToken": token}, key).status_code == 403
        )
        assert running.post("/v1/decide", {**body, "userToken": token[:-4] + "AAAA"}, key).status_code == 400

    def test_nobody_becomes_somebody_else_by_saying_so(self, running: Running, key: str, user: str) -> None:
        spy = f"spy-{running.customer()}"
        running.post("/v1/identify", {"userId": user, "anonymousId": spy}, key)
        answer = running.post("/v1/decide", {"anonymousId": spy, "placement": HERO}, key)
        assert answer.status_code == 403
        assert answer.json()["code"] == "user-token-needed"
        stream = running.http.get(f"/v1/customers/{spy}/actions", params={"placement": HERO, "writeKey": key})
        assert stream.status_code == 403

    def test_a_plain_write_key_decides_nothing(self, running: Running, visitor: str) -> None:
        body = {"anonymousId": visitor, "placement": HERO}
        assert running.post("/v1/decide", body, running.write).status_code == 403


def test_admins_make_list_rotate_and_revoke_keys(running: Running) -> None:
    admin = running.admin
    made = admin.new_key("server", name="mobile")
    assert Client(running.address, str(made.key)).decide("u", HERO, peek=True).customer_id == "u"
    assert made.key not in str(admin.keys())
    rotated = admin.rotate_key(made.id)
    with pytest.raises(Refused):
        Client(running.address, str(made.key)).decide("u", HERO, peek=True)
    assert Client(running.address, str(rotated.key)).decide("u", HERO, peek=True).customer_id == "u"
    assert admin.revoke_key(rotated.id).revoked
    with pytest.raises(Refused):
        Client(running.address, str(rotated.key)).decide("u", HERO, peek=True)
    with pytest.raises(BadRequest, match="server"):
        admin.new_key("serve")
    with pytest.raises(Refused, match="admin"):
        running.client.keys()


def test_the_counters_name_no_customer(running: Running, user: str) -> None:
    running.client.decide(user, HERO)
    text = running.http.get("/metrics").text
    assert 'opportune_requests_total{path="/v1/decide",status="200"}' in text
    assert 'opportune_ingest_events_total{result="taken"}' in text
    assert user not in text
    assert user not in running.server.log.read_text()
    assert running.http.get("/readyz").json() == {"status": "ready"}
