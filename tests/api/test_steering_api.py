"""Steering over HTTP: actions as they do, a preview that is kept, versions that are undone, files that go their way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from opportune.catalog import load
from opportune.client import Client, Refused
from opportune.errors import BadCatalog, BadInput, BadRequest, NotFound, Stale
from serving import Server

LEVER, HERO = "actions.more_data.lever", "app.home.hero"


@dataclass
class Steered:
    """A hub with some customers, and its folder."""

    server: Server
    folder: Path

    @property
    def hub(self) -> Client:
        return Client(self.server.address, self.server.admin)


@pytest.fixture(scope="module")
def steered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Steered]:
    folder = tmp_path_factory.mktemp("steering") / "shop"
    with Server(folder) as server:
        found = Steered(server, folder)
        found.hub.ingest(
            event
            for number in range(40)
            for event in (
                {"type": "identify", "userId": f"c{number}",
                 "traits": {"tenure_months": number, "plan": ("gold", "silver", "trial")[number % 3], "lines": 1}},
                {"type": "track", "userId": f"c{number}", "event": "Consent Updated",
                 "properties": {"channel": "app", "purpose": "marketing", "status": "granted"}},
                {"type": "track", "userId": f"c{number}", "event": "Order Completed",
                 "properties": {"revenue": 60}, "timestamp": "2026-11-02T10:00:00Z"},
            )
        )  # fmt: skip
        yield found


def test_a_funnel_counts_every_candidate_of_every_decision_once(steered: Steered) -> None:
    found, actions = steered.hub.funnel(customers=40), steered.hub.catalog()
    assert found.customers == 40
    assert {one.name for one in actions} == {*found.reach}
    for place in found.places:
        assert sum(place.fell.values()) == 40 * len(actions)
        assert place.fell.get("in", 0) == place.chosen
        assert sum(place.choices) == place.decisions == place.chosen + sum(place.silent.values())
    assert max(found.reach.values()) <= 40 - found.unserved
    assert steered.hub.funnel(customers=40).places == found.places, "a peek leaves nothing behind"


def test_each_part_of_a_policy_lets_through_what_it_says(steered: Steered) -> None:
    told = steered.hub.action("keep_bundle", customers=40)
    tenure = next(part for part in told.policy if "tenure_months" in part.text)
    bound = int(tenure.text.split()[-1])
    assert (tenure.stage, tenure.customers, tenure.alone) == ("eligible", 40, 40 - bound)
    lefts = [part.left for part in told.policy]
    assert lefts == sorted(lefts, reverse=True)
    assert all(part.left <= part.alone for part in told.policy)
    assert told.rules
    assert told.treatments[0].placements
    with pytest.raises(NotFound, match="keep_bundle"):
        steered.hub.action("keep_bundel")


def test_a_lever_shifts_what_the_preview_said_is_recorded_and_undone(steered: Steered) -> None:
    hub = steered.hub
    before, facts = hub.overlay(), hub.status().facts
    told = hub.shift({LEVER: 100}, customers=40)
    assert hub.overlay() == before
    assert hub.status().facts == facts, "a preview leaves nothing behind"
    assert told.changes == ["actions.more_data.lever: the default -> 100"]
    assert told.interval is not None
    assert told.interval[0] <= told.gained <= told.interval[1]
    assert told.gained == pytest.approx(told.value[1] - told.value[0])
    assert hub.shift({"actions.thank_you.value": 61}, customers=40).gained == 0, "nobody is chosen for another value"
    off = hub.shift({"actions.more_data.value": 0, LEVER: -50}, customers=40)
    assert all(one.after <= one.before for one in off.actions if one.action == "more_data")

    most = max(told.actions, key=lambda one: one.before)
    without = hub.shift({f"actions.{most.action}.off": True}, customers=40)
    gone = next(one for one in without.actions if one.action == most.action)
    assert (gone.before, gone.after) == (most.before, 0)
    assert (without.moved, without.changed > 0) == (most.before, True)
    others = sum(one.after - one.before for one in without.actions if one is not gone)
    assert without.silent[1] - without.silent[0] == most.before - others

    live = {c: hub.decide(f"c{c}", HERO, peek=True).actions for c in range(5)}
    version = hub.steer({LEVER: 100}, "ana", "Black Friday", before.version)
    assert version.undoable
    assert (version.kind, version.author, version.reason) == ("set", "ana", "Black Friday")
    assert next(one for one in hub.catalog() if one.name == "more_data").lever == 100
    assert [(one.text, one.reason) for one in hub.action("more_data").history[:1]] == [
        ("actions.more_data.lever: the default -> 100", "Black Friday")
    ]
    with pytest.raises(Stale, match="live by now"):
        hub.steer({LEVER: 50}, "bob", "I did not look", before.version)
    with pytest.raises(BadRequest, match="nothing would change"):
        hub.steer({LEVER: 100}, "ana", "again")

    second = hub.steer({LEVER: 20}, "ana", "less")
    with pytest.raises(Stale, match="changed again"):
        hub.undo_version(version.number, "ana")
    hub.undo_version(second.number, "bob")
    assert hub.overlay().entries[0].value == 100
    hub.undo_version(version.number, "bob")
    assert hub.overlay().entries == []
    assert hub.status().catalog == load(steered.folder).hash
    assert {c: hub.decide(f"c{c}", HERO, peek=True).actions for c in range(5)} == live


def test_predictions_are_judged_as_they_were_made(steered: Steered) -> None:
    hub, said = steered.hub, dict[str, list[tuple[float, bool]]]()
    for number in range(40):
        answer = hub.decide(f"c{number}", "web.home.banner")
        for one in answer.actions:
            assert answer.decision_id
            good = number % 3 == 0
            hub.respond(answer.decision_id, one.action, "impression")
            hub.respond(answer.decision_id, one.action, "accept" if good else "dismiss")
            said.setdefault(one.action, []).append((one.propensity, good))
    models = {one.action: one for one in hub.models().actions}
    name = max(said, key=lambda action: len(said[action]))
    mine, told = said[name], hub.model_history(name)
    assert (models[name].answers, models[name].positives) == (len(mine), sum(good for _, good in mine))
    pairs = [(p, q) for p, yes in mine for q, other in mine if yes and not other]
    auc = sum((p > q) + (p == q) / 2 for p, q in pairs) / len(pairs)
    assert told.auc == pytest.approx(auc, abs=0.03)
    assert told.answers == sum(one.answers for one in told.periods) == sum(one.answers for one in told.calibration)
    mean = sum(p for p, _ in mine) / len(mine)
    assert told.drift == pytest.approx(models[name].positives / len(mine) - mean, abs=1e-3)
    assert not any(one.suspect for one in models.values())
    assert hub.model_history("payment_help").answers == 0
    with pytest.raises(NotFound, match="more_data"):
        hub.model_history("more_date")


def test_each_bin_of_an_action_counts_its_answers(steered: Steered) -> None:
    hub = steered.hub
    model = max(hub.models().actions, key=lambda one: one.answers)
    told = hub.action_inputs(model.action)
    assert told.answers == model.answers > 0
    for one in told.inputs:
        assert sum(b.answers for b in one.bins) == model.answers
        assert sum(b.positives for b in one.bins) == model.positives
        assert all(b.rate is None or (b.interval and b.interval[0] <= b.rate <= b.interval[1]) for b in one.bins)
        assert all(b.deviation is not None and b.deviation >= 0 for b in one.bins)
    assert [one.spread for one in told.inputs] == sorted((one.spread for one in told.inputs), reverse=True)
    assert hub.action_inputs("payment_help").answers == 0
    with pytest.raises(NotFound, match="more_data"):
        hub.action_inputs("more_date")


def test_drift_tells_of_all_who_answered(steered: Steered) -> None:
    told, hub = steered.hub.drift(), steered.hub
    assert sum(one.answers for one in told.periods) == sum(one.answers for one in hub.models().actions) > 0
    assert told.drift is not None
    assert told.drift_interval is not None
    assert all(one.verdict == "unknown" and "it takes 20" in one.reason for one in told.inputs if told.lately < 20)


def test_what_may_not_go_live_does_not(steered: Steered) -> None:
    hub, before = steered.hub, steered.hub.overlay()
    for changes, error, words in (
        ({"actions.more_data.lever": 1000}, BadCatalog, "100"),
        ({"actions.more_data.eligible": "tenure_month > 6"}, BadCatalog, "tenure_months"),
        ({"actions.nothing.lever": 10}, BadInput, "leads nowhere"),
        ({"actions.more_data.name": "less"}, BadInput, "name"),
        ({}, BadRequest, "name the values"),
    ):
        with pytest.raises(error, match=words):
            hub.steer(changes, "ana", "a try")  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="reason"):
        hub.steer({LEVER: 10}, "ana", " ")
    with pytest.raises(Refused), Client(steered.server.address, steered.server.key("server")) as other:
        other.steer({LEVER: 10}, "ana", "with a key that may not")
    assert hub.overlay() == before


def test_files_keep_the_overlay_conflicts_wait_for_a_person_and_export_writes_it(steered: Steered) -> None:
    hub, file = steered.hub, next(p for p in steered.folder.rglob("*.yaml") if "name: more_data" in p.read_text())
    old = file.read_text()
    hub.steer({LEVER: 30}, "ana", "a test", None)
    assert not hub.status().unpublished
    steered.server.kill()
    steered.server.start()
    hub = steered.hub
    assert hub.overlay().entries[0].value == 30, "it is on disk"
    file.write_text(old.replace("- name: more_data\n", "- name: more_data\n    lever: 5\n", 1))
    assert hub.status().unpublished
    published = hub.publish("bob")
    assert any("still holds" in warning for warning in published.warnings)
    assert next(one for one in hub.catalog() if one.name == "more_data").lever == 30
    assert "from the default to 5" in hub.overlay().entries[0].conflict
    hub.confirm_overlay("ana")
    assert hub.overlay().entries == []
    assert next(one for one in hub.catalog() if one.name == "more_data").lever == 5

    hub.steer({LEVER: 35}, "ana", "a test")
    assert hub.export_overlay("ana") == [str(file)]
    assert "lever: 35" in file.read_text()
    assert hub.overlay().entries == []
    assert not hub.status().unpublished
    with pytest.raises(BadRequest, match="nothing to export"):
        hub.export_overlay("ana")
