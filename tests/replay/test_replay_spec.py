"""The spec of a replay: what it may say, and every mistake with its place and cure."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted_logs import planted, write_csv, write_spec

from opportune.errors import BadCatalog, BadInput
from opportune.simulate.replay import ReplaySpec, load_spec, replay

GOOD = """\
data: log.csv
predictors: [plan, age]
action: arm
outcome: y
probability: chance
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spec")
    write_csv(folder / "log.csv", planted(40)[0])
    return folder


def test_missing_keys_take_the_documented_defaults(folder: Path) -> None:
    spec = load_spec(write_spec(folder / "s.yaml", "data: log.csv\npredictors: [age]\noutcome: y\n"))
    assert spec.data == str(folder / "log.csv")
    assert (spec.predictors, spec.outcome, spec.action, spec.silence) == (("age",), "y", None, None)
    assert (spec.value, spec.probability, spec.order, spec.customer) == (1.0, None, None, None)
    assert (spec.explore, spec.seed, spec.predictor) == ("thompson", 7, "bayes")


def test_null_is_the_default(folder: Path) -> None:
    keys = ("action", "silence", "value", "probability", "order", "customer", "seed")
    nulls = "".join(f"{key}: null\n" for key in keys)
    spec = load_spec(write_spec(folder / "s.yaml", f"data: log.csv\npredictors: [age]\noutcome: y\n{nulls}"))
    assert (spec.action, spec.value, spec.probability, spec.seed) == (None, 1.0, None, 7)


def test_data_is_relative_to_the_spec_and_the_variable_to_where_we_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "specs").mkdir()
    spec = write_spec(folder / "specs" / "s.yaml", GOOD.replace("log.csv", "../log.csv"))
    assert Path(load_spec(spec).data).samefile(folder / "log.csv")
    spec = write_spec(folder / "specs" / "s.yaml", GOOD.replace("log.csv", "${OPPORTUNE_DATA}/log.csv"))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OPPORTUNE_DATA", ".")
    assert Path(load_spec(spec).data).samefile(folder / "log.csv")
    monkeypatch.delenv("OPPORTUNE_DATA")
    with pytest.raises(BadCatalog, match=r"s\.yaml:1:7: OPPORTUNE_DATA is not set; export OPPORTUNE_DATA"):
        load_spec(spec)


MISTAKES = [
    ("", "1:1: an empty spec; start with `data:`"),
    ("- a\n", "1:1: the replay spec must be a mapping"),
    ("data: log.csv\n", "1:1: the replay spec has no `predictors`"),
    (GOOD.replace("outcome: y\n", ""), "1:1: the replay spec has no `outcome`"),
    (GOOD + "probabilty: 1\n", "6:1: unknown key `probabilty` in the replay spec; did you mean `probability`?"),
    (GOOD + "explore: tompson\n", "6:10: unknown explore `tompson` in the replay spec; did you mean `thompson`?"),
    (GOOD + "predictor: bays\n", "6:12: unknown predictor `bays` in the replay spec; did you mean `bayes`?"),
    (GOOD + "seed: -1\n", "6:7: `seed` of the replay spec is `-1`, must be a whole number, 0 or more"),
    (GOOD + "value: 0\n", "6:8: `value` of the replay spec is `0`, must be above 0, or a column"),
    (GOOD.replace("chance", "1.5"), "5:14: `probability` of the replay spec is `1.5`, must be above 0 and at most 1"),
    (GOOD + "outcome: y\n", "6:1: duplicate key `outcome`, first given at"),
    (GOOD.replace("age]", "plan]"), "2:20: `plan` twice in `predictors` of the replay spec"),
    (GOOD.replace("log.csv", "${HOME}/log.csv"), "1:7: `${HOME}` is not known here; only ${OPPORTUNE_DATA} is"),
    (GOOD.replace("log.csv", "lag.csv"), "1:7: there is no file"),
    (GOOD.replace("log.csv", "s.yaml"), "1:7: s.yaml is not csv, csv.gz or parquet"),
    (GOOD.replace("age]", "aeg]"), "2:20: the data have no column `aeg`; did you mean `age`?"),
    (GOOD.replace("action: arm", "action: amr"), "3:9: the data have no column `amr`; did you mean `arm`?"),
    (GOOD.replace("chance", "chanse"), "5:14: the data have no column `chanse`; did you mean `chance`?"),
    (GOOD + "order: when\n", "6:8: the data have no column `when`; known: "),
    (GOOD + "customer: who\n", "6:11: the data have no column `who`; known: "),
    (GOOD + "value: spend\n", "6:8: the data have no column `spend`; known: "),
    (GOOD.replace("age]", "y]"), "2:20: `y` is the outcome; a predictor is known before the action"),
    (GOOD.replace("age]", "arm]"), "2:20: `arm` is the action; a predictor is known before the action"),
    (GOOD.replace("outcome: y", "outcome: age > 30"), "2:20: `age` is part of the outcome"),
    (GOOD.replace("outcome: y", "outcome: z > 0"), "4:10: unknown name `z`"),
    (GOOD.replace("outcome: y", "outcome: y > 0 AND chanc > 0"), "4:20: unknown name `chanc`; did you mean `chance`?"),
    (GOOD.replace("outcome: y", "outcome: arm > 1"), "4:10: `>` compares `arm`, a text, with `1`, a number"),
    (GOOD.replace("outcome: y", "outcome: chance"), ", not just 0 and 1; write a condition, such as outcome: "),
    (GOOD.replace("outcome: y", "outcome: plan").replace("plan, ", ""), "such as outcome: \"plan\" = "),
    (GOOD + "silence: d\n", "6:10: `arm` has no value `d`; known: a, b, c"),
    (GOOD + "value: arm\n", "6:8: the column `arm` holds texts; choose a column of numbers"),
    (GOOD.replace("probability: chance", "probability: y"), "5:14: `y` is 0 in row "),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), MISTAKES)
def test_every_mistake_has_a_place_and_a_cure(folder: Path, text: str, says: str) -> None:
    path = write_spec(folder / "s.yaml", text)
    with pytest.raises(BadCatalog) as caught:
        replay(load_spec(path))
    message = str(caught.value).replace(f"{path}:", "")
    assert says in message
    assert all(p.cure for p in caught.value.problems if "must be" not in p.what)


def test_all_mistakes_are_told_at_once(folder: Path) -> None:
    text = "data: log.csv\npredictors: [a, b]\naction: arms\noutcome: y\norder: n\n"
    with pytest.raises(BadCatalog) as caught:
        replay(load_spec(write_spec(folder / "s.yaml", text)))
    assert [(p.line, p.column) for p in caught.value.problems] == [(2, 14), (2, 17), (3, 9), (5, 8)]


def test_a_spec_made_in_code_names_the_key(folder: Path) -> None:
    with pytest.raises(BadCatalog, match="predictors:1:1: the data have no column `b`"):
        replay(ReplaySpec(data=str(folder / "log.csv"), predictors=("b",), outcome="y"))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.yaml: cannot be read"):
        load_spec(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("data: ü".encode("latin-1"))
    with pytest.raises(BadInput, match="not UTF-8 at byte 7"):
        load_spec(tmp_path / "latin.yaml")
    spec = write_spec(tmp_path / "s.yaml", GOOD.replace("log.csv", "log.parquet"))
    (tmp_path / "log.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(BadCatalog, match=r"s\.yaml:1:7: .*log\.parquet cannot be read.*whole Parquet file"):
        replay(load_spec(spec))
    (tmp_path / "log.csv").write_bytes(b"plan,age,arm,chance,y\n" + "ü,1,a,0.5,1\n".encode("latin-1"))
    with pytest.raises(BadCatalog, match=r"s\.yaml:1:7: .*log\.csv cannot be read.*must be UTF-8"):
        replay(load_spec(write_spec(tmp_path / "s.yaml", GOOD)))
    (tmp_path / "log.csv").write_text("plan,age,arm,chance,y\n")
    with pytest.raises(BadCatalog, match=r"s\.yaml:1:7: .*log\.csv has no rows"):
        replay(load_spec(write_spec(tmp_path / "s.yaml", GOOD)))
