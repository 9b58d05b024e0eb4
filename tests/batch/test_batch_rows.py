"""What a batch tells beside its answers: counts over an audience, and a Parquet file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import duckdb
import pytest
from batch_company import company, online, seed_of
from batch_company import told as told_of

from opportune.batch.decide import decide_all
from opportune.batch.rows import Tally
from opportune.batch.segment import written
from opportune.bench import batch
from opportune.decide.stages.assign import ARMS
from opportune.decide.types import Stage
from opportune.hub import Hub
from opportune.store import open_store
from opportune.testing import FakeClock


def test_the_tally_counts_what_the_answers_say() -> None:
    hub, clock = company(120, 200)
    at, tally, limit = clock.now(), Tally(hub.plan), 2
    for rows in decide_all(hub, "app.home", at=at, seed_of=seed_of("app.home", at), limit=limit, tally=tally):
        assert rows.place.name == "app.home"
    answers = [online(hub, view.subject, "app.home", at, limit) for view in hub.people.everyone()]
    told = tally.told()
    assert told["customers"] == len(answers)
    assert told["answered"] == sum(bool(answer.chosen) for answer in answers)
    assert sum(told["silent"].values()) == sum(not answer.chosen for answer in answers)
    ended = Counter(Stage(int(a.stages.max())).name.lower() for a in answers if not a.chosen)
    assert told["ended"] == ended
    assert ended
    for name, counts in told["actions"].items():
        place = hub.plan.position[name]
        expected = Counter(Stage(int(answer.stages[place])).name.lower() for answer in answers)
        assert counts == {"chosen" if stage == "in" else stage: n for stage, n in expected.items()}
    reasons = {(r["stage"], r["reason"]): r["customers"] for r in told["reasons"]}
    annoyed = sum(hub.snapshots.situations(view, at).count("annoyed") for view in hub.people.everyone())
    assert reasons["situation", "annoyed"] == annoyed > 0
    snapshots = [hub.snapshots.of(view, hub.brain, ("app.home",), at, 0)[0] for view in hub.people.everyone()]
    refused = sum(any(r.rule == "tired" for r in snapshot.refusals) for snapshot in snapshots)
    assert reasons["contact", "tired"] == refused > 0
    withdrawn = [s for s in snapshots if "in all channels was withdrawn" in (s.consent["app"][0] or "")]
    assert reasons["consent", "marketing in all channels was withdrawn"] == len(withdrawn) > 0


def test_a_segment_holds_every_row(tmp_path: Path) -> None:
    hub, clock = company(80, 120)
    at, path = clock.now(), tmp_path / "segment.parquet"
    kept = list(decide_all(hub, "app.home", at=at, seed_of=seed_of("app.home", at), limit=2, flow="it's weekly"))
    assert written(kept, path) == sum(map(len, kept)) == len(list(hub.people.everyone()))
    query = (
        "SELECT subject, action, treatment, rank, probability, priority, silence, arm, flow, epoch_us(decided_at), "
        f"placement FROM '{path}'"
    )
    found = duckdb.connect().execute(query).fetchall()
    expected = []
    for rows in kept:
        for i, subject in enumerate(rows.subjects):
            answer = rows.answer(i)
            arm = ARMS[rows.arm[i]] or None
            beside = (arm, "it's weekly", at, "app.home")
            made = [
                (subject, c.action, c.treatment, c.rank, c.probability, c.priority, None, *beside)
                for c in answer.chosen
            ]
            held = answer.ghost and answer.ghost.reason == "holdout"
            silence = "held out" if held else "not worth the attention" if answer.ghost else "nothing left"
            expected += made or [(subject, None, None, 0, None, None, silence, *beside)]
    assert found == expected
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_segment_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    hub, clock = company(20, 0)
    at = clock.now()

    def failing():  # type: ignore[no-untyped-def]
        yield from decide_all(hub, "app.home", at=at, seed_of=seed_of("app.home", at))
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        written(failing(), tmp_path / "segment.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_the_figures_of_a_small_base(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    batch.build(path, 300, 20)
    told, slow = batch.measure(path), batch.commit(path, 20)
    assert 400 < told["answered"] < 500  # caps, withdrawn consent and conditions leave some without
    assert 10 < slow["answered"] <= 20
    with Hub(open_store(f"sqlite:///{path}"), FakeClock(batch.AT)) as hub:
        rows = next(decide_all(hub, batch.PLACEMENT, at=batch.AT, seed_of=seed_of(batch.PLACEMENT, batch.AT)))
        for i, subject in enumerate(rows.subjects):
            assert told_of(rows.answer(i)) == told_of(online(hub, subject, batch.PLACEMENT, batch.AT, 1))
