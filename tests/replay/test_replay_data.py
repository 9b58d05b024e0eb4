"""Reading a log: formats, types, order, outcomes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_logs import planted, write_csv, write_parquet

from opportune.errors import BadCatalog
from opportune.rules import Kind
from opportune.simulate.replay import ReplaySpec, replay
from opportune.simulate.replay_catalog import catalog_of, rows_of
from opportune.simulate.replay_data import Log, read


def log_of(folder: Path, columns: dict[str, list[Any]], **spec: Any) -> Log:
    path = write_csv(folder / "log.csv", columns)
    return read(ReplaySpec(**{"data": str(path), "predictors": (), "outcome": "y", **spec}))


def test_numbers_with_few_odd_blanks_are_numbers_and_texts_are_texts(tmp_path: Path) -> None:
    n = 300
    columns = {
        "charge": [*(str(i / 2) for i in range(n - 4)), " ", "", "NA", "odd"],
        "code": ["A1", "7"] * (n // 2),
        "flag": ["True", "false"] * (n // 2),
        "yes": ["yes", "no"] * (n // 2),
        "words": [" gold ", "", "NA"] * (n // 3),
        "nothing": [""] * n,
        "huge": ["inf", "1e308", "nan"] * (n // 3),
        "y": [0, 1] * (n // 2),
    }
    log = log_of(tmp_path, columns, predictors=tuple(c for c in columns if c != "y"))
    kinds = {name: kind.value for name, kind in log.kinds.items()}
    assert kinds == {
        "charge": "number", "code": "text", "flag": "bool", "yes": "text", "words": "text", "nothing": "number",
        "huge": "text",
    }  # fmt: skip
    assert log.columns["charge"][:2].tolist() == [0.0, 0.5]
    assert np.isnan(log.columns["charge"][-4:]).all()
    assert log.columns["flag"][:2].tolist() == [1.0, 0.0]
    assert log.columns["words"][:3].tolist() == ["gold", None, "NA"]
    assert log.outcome.tolist()[:2] == [False, True]


def test_a_stray_word_is_forgiven_in_one_of_a_hundred_numbers(tmp_path: Path) -> None:
    columns = {"x": ["1"] * 99 + ["one"], "z": ["1"] * 98 + ["one"] * 2, "y": [1, 0] * 50}
    log = log_of(tmp_path, columns, predictors=("x", "z"))
    assert (log.kinds["x"], log.kinds["z"]) == (Kind.NUMBER, Kind.TEXT)


OUTCOMES = [
    (["0", "1", "", "1"], "y", [False, True, True]),
    (["0.0", "1.0", "1", "0"], "y", [False, True, True, False]),
    (["true", "FALSE", "", "True"], "y", [True, False, True]),
    (["yes", "no", "", "yes"], "y = 'yes'", [True, False, True]),
    (["3", "0", "", "-1"], "y > 0", [True, False, False]),
    (["3", "0", "", "-1"], "y IS NOT NULL AND y > 0", [True, False, False, False]),
    (["true", "false", "", "true"], "y = FALSE", [False, True, False]),
]


@pytest.mark.parametrize(("values", "outcome", "expected"), OUTCOMES)
def test_the_outcome_is_a_column_or_a_condition_and_null_leaves_the_row_out(
    tmp_path: Path, values: list[str], outcome: str, expected: list[bool]
) -> None:
    log = log_of(tmp_path, {"x": [1, 2, 3, 4], "y": values}, outcome=outcome)
    assert log.outcome.tolist() == expected
    assert log.left_out == 4 - len(expected)


def test_an_outcome_column_that_is_not_0_or_1_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCatalog, match="the column `y` holds 2, not just 0 and 1"):
        log_of(tmp_path, {"y": ["", 0, 1, 2]})
    with pytest.raises(BadCatalog, match="the outcome is NULL in every row"):
        log_of(tmp_path, {"x": [1], "y": [""]})


def test_rows_are_sorted_by_number_time_or_text_and_equal_ones_stay(tmp_path: Path) -> None:
    y, x = [1, 0, 1, 0, 1], [1, 2, 3, 4, 5]

    def order(values: list[Any]) -> list[float]:
        log = log_of(tmp_path, {"x": x, "o": values, "y": y}, order="o", predictors=("x",))
        return list(log.columns["x"])

    assert order([10, 9, 100, "", 9]) == [2, 5, 1, 3, 4]
    assert order(["b", "a", "b", "", "a"]) == [2, 5, 1, 3, 4]
    times = ["2026-01-01 12:00", "2026-01-01T12:30+02:00", "2026-01-01T12:00:00Z", "", "2025-12-31"]
    assert order(times) == [5, 2, 1, 3, 4]


def test_an_action_that_is_missing_is_told_with_its_row(tmp_path: Path) -> None:
    with pytest.raises(BadCatalog, match="`a` is empty in 2 rows, first in row 2; write a word where nothing was done"):
        log_of(tmp_path, {"a": ["x", "", " "], "y": [1, 0, 1]}, action="a")


def test_values_must_be_known_where_they_count(tmp_path: Path) -> None:
    columns = {"a": ["p", "q"] * 2, "v": ["", 2, 3, ""], "y": [0, 1, 1, 0], "pr": [0.5, 0.5, "", 0]}
    assert log_of(tmp_path, columns, action="a", value="v").value.tolist() == [0, 2, 3, 0]
    with pytest.raises(BadCatalog, match=r"`v` is NULL in row 3 \(and 0 others\); it must be known where the outcome"):
        log_of(tmp_path, {**columns, "v": [1, 2, "", ""]}, action="a", value="v")
    with pytest.raises(BadCatalog, match=r"`pr` is NULL in row 3 \(and 1 others\); it must be above 0, at most 1"):
        log_of(tmp_path, columns, action="a", probability="pr")


def test_customers_are_told_apart_and_the_nameless_are_alone(tmp_path: Path) -> None:
    log = log_of(tmp_path, {"c": ["x", "", "x", "", 1], "y": [0, 1, 1, 0, 1]}, customer="c")
    assert log.customer is not None
    a, b, c, d, e = log.customer.tolist()
    assert a == c
    assert len({a, b, d, e}) == 4


def test_csv_gzip_and_parquet_give_equal_results(tmp_path: Path) -> None:
    columns, _ = planted(400)
    columns["flag"] = [i % 3 == 0 for i in range(400)]
    columns["note"] = [None if i % 5 else 'é, "q"' for i in range(400)]
    plain = write_csv(tmp_path / "log.csv", columns)
    files = [plain, write_csv(tmp_path / "log.csv.gz", columns), write_parquet(tmp_path / "log.parquet", plain)]
    results = []
    for file in files:
        spec = ReplaySpec(
            data=str(file), predictors=("plan", "age", "flag", "note"), action="arm", outcome="y", probability="chance"
        )
        found = replay(spec)
        assert found.pop("rows_per_second") > 0
        results.append(found)
    assert results[0] == results[1] == results[2]
    assert results[0]["rows"] == 400


def test_columns_and_actions_may_have_any_name(tmp_path: Path) -> None:
    names = [
        "user-item_affinity_0", "emp.var.rate", "a b", "Größe", "日本", "channel", "now", "contacts_email_7d", "a/b",
        "a_b", 'say "hi"', "x" * 150, "x" * 151, "select", "1st",
    ]  # fmt: skip
    n = 60
    random = np.random.default_rng(3)
    columns: dict[str, list[Any]] = {name: random.integers(0, 9, n).tolist() for name in names}
    columns["channel"] = ["Web", "Phone", "Shop"] * (n // 3)
    columns |= {"do it": ["e-mail/1", "e-mail_1", "été"] * (n // 3), "y": [0, 1] * (n // 2)}
    path = write_csv(tmp_path / "odd [names]*'.csv", columns)
    spec = ReplaySpec(
        data=str(path), predictors=tuple(names), action="do it", silence="été", outcome='"y" = 1', probability=1 / 3
    )
    assert set(replay(spec)["auc_by_action"]) == {"e-mail/1", "e-mail_1", "été"}
    log = read(spec)
    logged = catalog_of(log, spec)
    from opportune.decide.plan import Plan

    plan = Plan(logged.catalog)
    row = next(rows_of(log, logged, plan.layout))
    for name in names:
        value = plan.layout.get(row, logged.traits[name])
        assert value == columns[name][0], name
        assert logged.traits[name] in (*plan.inputs.numbers, *plan.inputs.texts)


def test_an_empty_value_is_null_in_the_row(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "log.csv", {"t": ["x", ""], "n": ["", 2], "y": [0, 1]})
    spec = ReplaySpec(data=str(path), predictors=("t", "n"), outcome="y")
    log = read(spec)
    logged = catalog_of(log, spec)
    from opportune.decide.plan import Plan

    layout = Plan(logged.catalog).layout
    first, second = rows_of(log, logged, layout)
    assert [layout.get(first, "t"), layout.get(first, "n")] == ["x", None]
    assert [layout.get(second, "t"), layout.get(second, "n")] == [None, 2.0]
    assert math.isnan(second.numbers[layout.slot["t"]])
