"""The figures of learning on small cuts: they run, have fixed names, and can be believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from opportune.bench import learn, peers
from opportune.errors import BadInput

pytestmark = pytest.mark.filterwarnings("ignore")


def test_every_peer_predicts_a_small_cut(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("river", "vowpalwabbit", "sklearn"):
        pytest.importorskip(name)
    monkeypatch.setenv("OPPORTUNE_DATA", str(data_folder))
    for recipe in (learn.COMMON[0], learn.COMMON[2]):
        stream = learn.open_stream(recipe).take(np.arange(1200))
        ours, best, means, name = learn.compare(stream)
        assert set(means) == set(peers.PEERS)
        assert means[name] == min(means.values())
        assert ours.mean() < 1.05 * best.mean()


@pytest.mark.long
def test_log_loss_is_at_most_that_of_the_best_peer(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPPORTUNE_DATA", str(data_folder))
    assert learn.log_loss_vs_best_peer()[0]["value"] <= 1.0
    assert learn.log_loss_rare()[0]["spread"][0] <= 1.0


def test_absent_files_are_left_out_with_a_note(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPPORTUNE_DATA", str(tmp_path))
    assert learn.log_loss_vs_best_peer() == []
    assert "left out: hillstrom_womens.csv.gz" in capsys.readouterr().err


def test_a_missing_peer_names_the_cure() -> None:
    with pytest.raises(BadInput, match=r"run `make bench`, or pip install 'opportune\[bench\]'"):
        peers.need("no_such_peer")


def test_the_bootstrap_interval_holds_the_ratio() -> None:
    losses = np.random.default_rng(1).random(2000)
    low, high = learn.bootstrap_ratio(losses * 1.01, losses)
    assert low == pytest.approx(1.01)
    assert high == pytest.approx(1.01)


def test_a_timing_has_the_name_and_the_peer() -> None:
    pytest.importorskip("river")
    one, two = learn.learn_us(steps=200)
    assert (one["name"], two["name"]) == ("learn_us", "learn_vs_river")
    assert two["value"] == pytest.approx(one["peer_value"] / one["value"])
