"""A batch says what the online decision says, to the bit, for every customer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batch_company import company, online, seed_of, stages, told
from msgspec.structs import replace

from opportune.batch.decide import audience, decide_all
from opportune.clock import DAY, HOUR
from opportune.decide.types import Answer, Stage
from opportune.hub import Hub
from opportune.profiles.allowed import allowed
from opportune.profiles.state import Said, State, dump

LONG = {"customers": 3_000, "decisions": 6_000, "actions": 150}


def compared(hub: Hub, placement: str, at: int, limit: int, **more: Any) -> list[Answer]:
    """Compare every answer of a batch with the online one; return the latter."""
    found, known = [], set()
    for rows in decide_all(hub, placement, at=at, seed_of=seed_of(placement, at), limit=limit, **more):
        for i, subject in enumerate(rows.subjects):
            expected = online(hub, subject, placement, at, limit)
            assert told(rows.answer(i)) == told(expected), subject
            found.append(expected)
            known.add(subject)
    assert known == {view.subject for view in hub.people.everyone()}
    return found


@pytest.mark.parametrize("size", [{}, pytest.param(LONG, marks=pytest.mark.long)])
def test_every_answer_is_the_online_one(size: dict[str, int], tmp_path: Path) -> None:
    hub, clock = company(store=f"sqlite:///{tmp_path}/hub.db", **size)
    at, seen, spoke, ghosts = clock.now(), set(), 0, set()
    for placement, limit, later in (
        ("app.home", 1, 0), ("app.home", 3, 2 * DAY), ("email.weekly", 2, 0), ("email.weekly", 1, 13 * HOUR),
    ):  # fmt: skip
        answers = compared(hub, placement, at + later, limit)
        seen |= stages(answers)
        spoke += sum(bool(answer.chosen) for answer in answers)
        ghosts |= {answer.ghost.reason for answer in answers if answer.ghost}
    assert seen == {
        "in", "available", "consent", "situation", "eligible", "applicable", "suitable", "contact", "score",
        "arbitrate", "withhold",
    }  # fmt: skip
    assert spoke > 100
    assert ghosts == {"price", "holdout"}
    hub.close()


@pytest.mark.parametrize(
    "model",
    [
        {"explore": "greedy"}, {"explore": "epsilon"}, {"explore": "squarecb"}, {"width": 0}, {"ramp": 0},
        {"factors": ["P", "V"]}, {"predictor": "naive_bayes"}, {"random_share": 0.5}, {"holdout_share": 0.9},
        {"arbitrate": "incremental", "holdout_share": 0.5},
    ],
    ids=repr,
)  # fmt: skip
def test_however_it_is_drawn(model: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("opportune.batch.decide", "opportune.decide.stages.score"):
        monkeypatch.setattr(f"{module}.BASELINE_POSITIVES", 3)
    hub, clock = company(60, 120, model=model)
    assert any(a.chosen for a in compared(hub, "app.home", clock.now(), 2))
    assert "arbitrate" not in model or hub.brain.baseline_positives >= 3


@pytest.mark.parametrize(
    "more",
    [
        {"consent": {"double_opt_in": ["email"], "expires": "730d"}}, {"consent": {"expires": "2d"}},
        {"contact": [{"name": "each", "on": "action", "at_most": 2, "in": "7d"}]},
        {"channels": [{"name": "email", "push": True, "via": "smtp", "to": "email", "options": {"host": "localhost"}}]},
    ],
    ids=lambda more: next(iter(more)),
)  # fmt: skip
def test_whatever_may_be_said(more: dict[str, Any]) -> None:
    hub, clock = company(120, 120, **more)
    for placement in ("app.home", "email.weekly"):
        answers = compared(hub, placement, clock.now(), 1)
        assert any(a.chosen for a in answers)
        assert "consent" in stages(answers)


def test_the_order_of_words_counts() -> None:
    hub, clock = company(30, 0)
    rng, rows = np.random.default_rng(3), []
    for view in hub.people.everyone():
        keys = [("marketing", "app"), ("marketing", "all"), ("all", "app"), ("all", "all")]
        words = {
            keys[k]: Said("granted" if rng.random() < 0.5 else "refused", clock.now() - int(rng.integers(3)), k)
            for k in rng.permutation(4)[: rng.integers(2, 5)].tolist()
        }
        # as states were before the list of refusals was kept
        rows.append((view.subject, dump(replace(view.states[0], consents=words, preferences={}, choices=None))))
    hub.people._rows.put(hub.vault.seal_many(rows))
    hub.people._states.clear()
    hub.people._views.clear()
    answers = compared(hub, "app.home", clock.now(), 1)
    assert len({tuple(answer.stages == Stage.CONSENT) for answer in answers}) >= 3


def test_whoever_cannot_be_judged_gets_nothing_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hub, clock = company(40, 40)
    odd = next(view.subject for view in hub.people.everyone() if view.state.consents)
    words = hub.people.view(odd).state.consents  # type: ignore[union-attr]

    def poisoned(state: State, *more: Any) -> Any:
        if state.consents == words:
            raise OverflowError("year 10000 is out of range")
        return allowed(state, *more)

    at, everyone = clock.now(), [view.subject for view in hub.people.everyone()]
    expected = {subject: told(online(hub, subject, "email.weekly", at, 1)) for subject in everyone}
    monkeypatch.setattr("opportune.batch.verdicts.allowed", poisoned)
    met = set()
    for rows in decide_all(hub, "email.weekly", at=at, seed_of=seed_of("email.weekly", at)):
        for i, subject in enumerate(rows.subjects):
            met.add(subject)
            if subject == odd:
                assert not rows.answer(i).chosen
            else:
                assert told(rows.answer(i)) == expected[subject]
    assert met == expected.keys()
    assert [record.getMessage().partition(" in ")[0] for record in caplog.records] == [
        f"{odd} cannot be judged: OverflowError"
    ]


def test_a_batch_inside_of_a_transaction_sees_what_it_has_written(tmp_path: Path) -> None:
    for store in ("memory:", f"sqlite:///{tmp_path}/hub.db"):
        hub, clock = company(20, 0, store=store)
        with hub.group():
            hub.ingest({"type": "identify", "userId": "new", "traits": {"age": 50, "plan": "gold"}})
            compared(hub, "app.home", clock.now(), 1)
        hub.close()


def test_who_was_forgotten_is_nobody(tmp_path: Path) -> None:
    hub, clock = company(20, 20, store=f"sqlite:///{tmp_path}/hub.db")
    hub.forget("c1")
    assert all(answer is not None for answer in compared(hub, "app.home", clock.now(), 1))
    hub.close()


def test_without_probabilities_all_else_is_the_same() -> None:
    hub, clock = company(40, 60, model={"random_share": 0, "holdout_share": 0})
    at = clock.now()

    def rows(**more: Any) -> Any:
        (found,) = decide_all(hub, "app.home", at=at, seed_of=seed_of("app.home", at), **more)
        return found

    with_them, without = rows(), rows(probabilities=False)
    assert (with_them.chosen == without.chosen).all()
    spoken = without.chosen[:, 0] >= 0
    assert (with_them.factors[spoken, 0, :7] == without.factors[spoken, 0, :7]).all()


def test_who_is_asked_for(tmp_path: Path) -> None:
    for store in ("memory:", f"sqlite:///{tmp_path}/hub.db"):
        hub, clock = company(60, 60, store=store)
        at = clock.now()
        asked: Any
        values = {v.subject: {**v.values(at), **hub.snapshots.near(v, at).counts} for v in hub.people.everyone()}
        for text in ("plan = 'gold' OR age > 50", "upper(plan) = 'GOLD'", "last_product = 'cup'", "contacts_app_7d > 0",
                     "address.city LIKE 'O%'", "born IS NOT NULL AND NOT vip"):  # fmt: skip
            condition = audience(hub.plan, text)
            asked = decide_all(hub, "app.home", condition, at=at, seed_of=seed_of("app.home", at))
            expected = [subject for subject, known in values.items() if condition.evaluate(known) is True]
            assert [s for rows in asked for s in rows.subjects] == sorted(expected)
            assert expected
        some = [*sorted(values)[::-7], "nobody"]
        asked = decide_all(hub, "app.home", some, at=at, seed_of=seed_of("app.home", at))
        assert [s for rows in asked for s in rows.subjects] == some[:-1]
        hub.close()
