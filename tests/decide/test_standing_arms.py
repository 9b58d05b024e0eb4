"""Standing arms and holdouts: who is in them, what they change, and that recorded probabilities are those of draws."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from opportune.catalog.lab_types import Holdout
from opportune.catalog.types import STANDING, ModelSettings
from opportune.clock import DAY
from opportune.decide.holdouts import held, standing
from opportune.decide.pipeline import decide
from opportune.decide.stages.assign import ARMS, arm_of
from opportune.decide.types import Decision, hash01
from opportune.hub import Hub
from opportune.ledger.trials import free
from opportune.testing import FakeClock, tiny_action, tiny_catalog

EACH = {"propensity": 0.1, "no_levers": 0.1, "eligibility": 0.1, "random_propensity": 0.1}


def test_shares_are_kept_and_nobody_of_the_random_arm_and_the_holdout_was_moved() -> None:
    model = ModelSettings(random_share=0.05, holdout_share=0.1, arms=EACH)
    names = [f"c{k}" for k in range(20_000)]
    found = {name: arm_of(model, name) for name in names}
    counts = Counter(found.values())
    for arm, share in {**EACH, "random": 0.05, "holdout": 0.1}.items():
        assert abs(counts[arm] / len(names) - share) < 0.008
    for name in names:
        place = hash01("opportune.arms", name)
        assert (found[name] == "random") == (place < 0.05)
        assert (found[name] == "holdout") == (place >= 0.9)
    more = ModelSettings(random_share=0.2, holdout_share=0.1, arms=EACH)
    assert all(arm_of(more, name) in (found[name], "random") for name in names)
    usual = Counter(arm_of(ModelSettings(), name) for name in names)
    assert all(0 < usual[arm] < 200 for arm in STANDING)


def shop(**more: Any) -> Any:
    data: dict[str, Any] = {
        "traits": [{"name": "age", "type": "number"}],
        "actions": [
            tiny_action("cheap", value=1), tiny_action("dear", value=40, lever=50, issue="retain"),
            tiny_action("pushed", value=5, lever=100, issue="retain"),
            tiny_action("unfit", value=30, applicable="age > 90"),
            tiny_action("wrong", value=30, suitable="age > 90"), tiny_action("useless", value=99, helps="age > 90"),
            tiny_action("barred", value=99, eligible="age > 90"), tiny_action("asleep", value=99, issue="quiet"),
        ],
        "situations": [{"name": "calm", "when": "age > 0", "silences": ["quiet"], "raises": {"grow": 30}}],
        "placements": [{"name": "app.home", "channel": "app", "price": 0.5}],
        "levers": {"retain": 10},
        "model": {"random_share": 0, "arms": EACH, "ramp": 0, "width": 1},
    }  # fmt: skip
    return tiny_catalog(**{**data, **more})


@pytest.fixture(scope="module")
def hub() -> Hub:
    clock = FakeClock()
    hub = Hub.of(shop(), clock=clock)
    for k in range(400):
        clock.advance(DAY // 100)
        hub.ingest({"type": "identify", "userId": f"c{k}", "traits": {"age": 40}})
        answer = hub.decide(f"c{k}", "app.home")
        for offer in answer.actions:
            good = hash01("answer", str(k)) < {"cheap": 0.5, "pushed": 0.2}.get(offer.action, 0.05)
            hub.respond(str(answer.decision_id), offer.action, "accept" if good else "reject")
    return hub


def one_of(hub: Hub, arm: str) -> str:
    return next(f"c{k}" for k in range(400) if arm_of(hub.plan.catalog.model, f"c{k}") == arm)


def drawn(hub: Hub, arm: str, times: int = 1500) -> list[Decision]:
    view = hub.people.view(one_of(hub, arm))
    assert view is not None
    snapshot, request = hub.snapshot(view, ("app.home",), seed=0)
    exact = decide(request, snapshot)
    quick = replace(request, probabilities=False)
    return [exact, *(decide(replace(quick, seed=seed), snapshot) for seed in range(1, times))]


@pytest.mark.parametrize("arm", ["", *EACH])
def test_what_is_recorded_is_the_chance_of_the_draw(hub: Hub, arm: str) -> None:
    found = drawn(hub, arm)
    exact = found[0].answers[0]
    assert found[0].arm == arm
    assert exact.chances is not None
    assert exact.scores is not None
    expected = {hub.plan.actions[i].name: p for i, p in zip(exact.scores.index, exact.chances)}
    expected["silence"] = exact.silence_probability
    got = Counter(d.chosen[0].action if d.chosen else "silence" for d in found)
    for name, p in expected.items():
        assert abs(got[name] / len(found) - p) < 4 * (max(p * (1 - p), 1e-4) / len(found)) ** 0.5 + 0.003, (name, p)
    assert {*got} <= {*expected}


def test_each_arm_switches_one_part_off(hub: Hub) -> None:
    usual = {c.action: c for d in drawn(hub, "", 300) for c in d.chosen}
    assert {*usual} <= {"cheap", "dear", "pushed"}
    assert usual["dear"].lever == pytest.approx(1.6)
    flat = {c.action: c for d in drawn(hub, "no_levers", 300) for c in d.chosen}
    assert {c.lever for c in flat.values()} == {1.0}
    assert flat["dear"].value == 40
    likely = drawn(hub, "propensity", 300)
    assert {(c.value, c.lever, c.context_weight) for d in likely for c in d.chosen} == {(1.0, 1.0, 1.0)}
    ranked = likely[0].answers[0].scores
    assert ranked is not None
    assert ranked.priority.tolist() == ranked.p.tolist()
    loose = {c.action for d in drawn(hub, "eligibility", 600) for c in d.chosen}
    assert {"unfit", "wrong"} <= loose
    assert not loose & {"useless", "barred", "asleep"}
    chance = drawn(hub, "random_propensity", 600)
    told = {c.action: c.propensity for d in chance for c in d.chosen}
    assert told["dear"] != 0.5  # what the model says is still told, for its own figures


def test_the_arm_of_the_likeliest_is_silent_where_nothing_is_worth_its_price() -> None:
    dear = shop(placements=[{"name": "app.home", "channel": "app", "price": 1000}])
    hub = Hub.of(dear, clock=FakeClock())
    name = one_of(hub, "propensity")
    hub.ingest({"type": "identify", "userId": name, "traits": {"age": 40}})
    answer = hub.decide(name, "app.home", explain=True)
    assert "nothing is worth the attention" in str(answer.silence)
    assert hub.replay(str(answer.decision_id))
    assert answer.explanation is not None
    assert "likeliest" in answer.explanation.notes[0]


@given(
    share=st.floats(0.001, 0.5), rotate=st.integers(1, 400 * DAY), washout=st.integers(0, 500 * DAY),
    at=st.integers(0, 60 * 365 * DAY), who=st.text(min_size=1, max_size=8),
)  # fmt: skip
def test_nobody_is_drawn_twice_in_a_row(share: float, rotate: int, washout: int, at: int, who: str) -> None:
    one = Holdout("h", ("all",), share, rotate, washout)
    now, then = standing(one, who, at), standing(one, who, at + rotate)
    assert not (now == "in" and then == "in")
    if now == "in":
        end = (at // rotate + 1) * rotate
        assert standing(one, who, end - 1) == "in"
        assert (standing(one, who, end) == "washout") == (washout > 0)
        if washout < rotate:
            assert standing(one, who, end + washout) == "out"


def test_holdouts_take_turns_and_are_independent() -> None:
    one, two = Holdout("one", ("all",), 0.25, 90 * DAY), Holdout("two", ("channel/email",), 0.5)
    names = [f"c{k}" for k in range(4_000)]
    turns = [{n for n in names if standing(one, n, e * 90 * DAY) == "in"} for e in range(220, 224)]
    assert all(880 < len(turn) < 1120 for turn in turns)
    assert set.union(*turns) == {*names}
    assert sum(map(len, turns)) == len(names)
    both = sum(len(held((one, two), n, 0)) == 2 for n in names)
    assert 430 < both < 570


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).map(tuple), max_size=4), st.floats(0.01, 1))
def test_free_slots_overlap_nothing_and_make_the_share(taken: list[Any], share: float) -> None:
    found = free(taken, share)
    if found is None:
        covered, at = 0.0, 0.0
        for begin, end in sorted(taken):
            covered, at = covered + max(end - max(begin, at), 0), max(at, end)
        assert 1 - covered < share + 1e-6
        return
    assert sum(end - begin for begin, end in found) == pytest.approx(share, abs=1e-6)
    for begin, end in found:
        assert all(end <= b + 1e-12 or begin >= e - 1e-12 for b, e in taken if b < e)


def test_every_standing_arm_has_its_place() -> None:
    assert {*ARMS} == {"", "random", "holdout", *STANDING}
