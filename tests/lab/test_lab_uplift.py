"""`opportune lab uplift`: the spec, the tables that it reads, and what it prints."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from typer.testing import CliRunner

from opportune.cli import app
from opportune.errors import BadCatalog, BadInput
from opportune.lab.uplift import load_uplift, uplift
from opportune.lab.uplift_table import read

HEADER = "id,arm,bought,age,town,spend,odd\n"


def rows(n: int = 1_200) -> list[str]:
    """Customers of whom most with age above 50 spend 10 where they are treated, and one in six of the others."""
    random, found = Random(5), []
    for i in range(n):
        age, treated = random.randrange(100), i % 2
        buys = int(random.random() < (0.7 if treated and age > 50 else 0.17))
        town, known = random.choice(["x", "", "Köln's", "y"]), age if random.random() < 0.95 else ""
        found.append(f"{i:05},{['no', 'mail'][treated]},{buys},{known},{town},{buys * 10},a{i % 7}\n")
    return found


def spec(folder: Path, text: str = "", *, data: str = "it.csv", **keys: str) -> Path:
    given = {"arm": "arm", "control": "no", "outcome": "bought", "predictors": "[age, town]", "repeats": "1"} | keys
    path = folder / "spec.yaml"
    path.write_text(f"data: {data}\n" + "".join(f"{k}: {v}\n" for k, v in given.items() if v) + text)
    return path


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opportune.measure.uplift.differences.DRAWS", range(199, 200))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import duckdb

    folder = tmp_path_factory.mktemp("uplift")
    (folder / "it.csv").write_text(HEADER + "".join(rows()))
    (folder / "turned.csv").write_text(HEADER + "".join(rows()[::-1]))
    with gzip.open(folder / "it.csv.gz", "wt") as file:
        file.write(HEADER + "".join(rows()))
    connection = duckdb.connect(str(folder / "it.duckdb"))
    kept = "types = {'id': 'VARCHAR'}"
    connection.execute(f"CREATE TABLE customers AS SELECT * FROM read_csv('{folder}/it.csv', {kept})")
    connection.execute(f"COPY customers TO '{folder}/it.parquet'")
    connection.close()
    return folder


def run(path: Path) -> dict[str, Any]:
    return uplift(load_uplift(path))


def test_every_kind_of_file_gives_the_same_answer(folder: Path) -> None:
    found = run(spec(folder))
    assert found["verdict"] == "target by rule"
    assert found["rule"].startswith("age > ")
    assert found["arms"] == {"no": 600, "mail": 600}
    for data in ("it.csv.gz", "it.parquet", "it.duckdb:customers"):
        assert run(spec(folder, data=data)) == found


def test_with_a_unit_the_order_of_rows_makes_no_difference(folder: Path) -> None:
    found = run(spec(folder, unit="id"))
    for data in ("turned.csv", "it.parquet"):
        assert run(spec(folder, data=data, unit="id")) == found


def test_rows_of_one_customer_add_up(tmp_path: Path) -> None:
    lines = "1,no,0,5 1,no,1,4 2,mail,0, 2,mail,0,7 3,no,1,1 3,mail,1,1 ,no,1,1 4,else,1,1 5,,1,1"
    (tmp_path / "it.csv").write_text("id,arm,bought,age\n" + lines.replace(" ", "\n") + "\n")
    path = spec(tmp_path, unit="id", treated="mail", predictors="[age]")
    found = read(load_uplift(path))
    assert (found.treated.tolist(), found.outcome.tolist()) == ([False, True], [1, 0])
    assert found.predictors["age"].tolist() == [4, 7]
    assert found.left_out == {"of_no_arm_raced": 2, "rows_without_unit": 1, "in_both_arms": 1}
    found = read(load_uplift(spec(tmp_path, unit="id", treated="mail", predictors="[age]", outcome="bought * 2 > 1")))
    assert found.outcome.tolist() == [1, 0]
    found = read(load_uplift(spec(tmp_path, unit="id", treated="mail", predictors="[bought]", outcome="age")))
    assert found.outcome.tolist() == [9, 7]


def test_outcomes_values_and_costs(folder: Path) -> None:
    as_number = run(spec(folder))
    as_condition = run(spec(folder, outcome="spend > 0"))
    assert as_condition["models"] == as_number["models"]
    money = run(spec(folder, value="spend", cost="0.2"))
    assert money["effect"]["difference"] == pytest.approx(10 * as_number["effect"]["difference"])
    assert money["send"] == "by model"
    priced = run(spec(folder, value="10", cost="0.2"))
    assert (priced["send"], priced["effect"]) == ("by model", as_number["effect"])
    assert run(spec(folder, value="10", cost="9.9"))["verdict"] == "send to none"


@pytest.mark.parametrize(
    ("keys", "text", "told"),
    [
        ({"arm": "arms"}, "", "spec.yaml:2:6: there is no column `arms`; did you mean `arm`?"),
        ({"control": "nothing"}, "", "spec.yaml:3:10: `arm` has no value `nothing`; known: mail, no"),
        ({"treated": "no"}, "", "`arm` has no value `no` beside control"),
        ({"outcome": "odd"}, "", "the column `odd` does not hold numbers; write a condition, such as outcome:"),
        ({"outcome": "bougt > 0"}, "", "spec.yaml:4:10: unknown name `bougt`; did you mean `bought`?"),
        ({"outcome": "age > 50"}, "", "spec.yaml:5:14: `age` is part of the outcome; a predictor is known before"),
        ({"predictors": "[age, twon]"}, "", "spec.yaml:5:19: there is no column `twon`; did you mean `town`?"),
        ({"predictors": "[age, bought]"}, "", "`bought` is the outcome; a predictor is known before the contact"),
        ({"predictors": "[]"}, "", "`predictors` is empty; name the columns known before"),
        ({"predictors": ""}, "", "the uplift spec has no `predictors`; add `predictors:`"),
        ({"value": "town"}, "", "the column `town` does not hold numbers; choose one that does, or write a number"),
        ({"value": "-1"}, "", "`value` of the uplift spec is `-1`, must be above 0, or a column"),
        ({"cost": "much"}, "", "`cost` of the uplift spec is `much`, must be a number"),
        ({"folds": "1"}, "", "must be a whole number, 2 or more"),
        ({}, "segmnt: 1\n", "unknown key `segmnt` in the uplift spec"),
        ({"arm": "odd", "control": "a0"}, "", "`odd` has 6 values beside control: a1, a2, a3, a4, a5, a6"),
    ],
)
def test_mistakes_are_told_where_they_are(folder: Path, keys: dict[str, str], text: str, told: str) -> None:
    with pytest.raises(BadCatalog) as wrong:
        run(spec(folder, text, **keys))
    assert told in str(wrong.value)


def test_tables_that_are_none(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "it.csv").write_text(HEADER)
    (tmp_path / "it.txt").write_text(HEADER)
    for data, told in (("it.csv", "has no rows"), ("gone.csv", "there is no file"), ("it.txt", "no kind")):
        with pytest.raises(BadCatalog, match=told):
            run(spec(tmp_path, data=data))
    with pytest.raises(BadInput, match="cannot be read"):
        load_uplift(tmp_path / "gone.yaml")
    (tmp_path / "it.csv").write_text("arm,bought,age,town\nno,1,1,x\nmail,inf,1,x\n")
    with pytest.raises(BadCatalog, match="an outcome is infinite"):
        run(spec(tmp_path))


def test_too_few_customers_are_told(tmp_path: Path) -> None:
    (tmp_path / "it.csv").write_text(HEADER + "".join(rows(150)))
    found = run(spec(tmp_path))
    assert (found["verdict"], found["reason"], found["more"]) == (
        "not enough data", "75 customers in control, needs 100", 50,
    )  # fmt: skip
    assert found["models"] == []


def test_the_command_speaks_to_people_and_machines(folder: Path) -> None:
    path = str(spec(folder))
    printed = CliRunner().invoke(app, ["lab", "uplift", path])
    assert printed.exit_code == 0
    assert printed.output.startswith("Target by rule\n")
    assert "where the rule holds" in printed.output
    found = json.loads(CliRunner().invoke(app, ["lab", "uplift", path, "--json"]).output)
    assert found["chosen"] == "rule"
    assert {"verdict", "sentences", "arms", "left_out", "send", "models", "parts", "differ", "effect"} <= found.keys()
    assert "Example:" in CliRunner().invoke(app, ["lab", "uplift", "--help"]).output


def test_the_example_runs(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPPORTUNE_DATA", str(data_folder))
    assert load_uplift(Path(__file__).parents[2] / "examples" / "uplift_hillstrom.yaml").data.endswith(".csv.gz")
