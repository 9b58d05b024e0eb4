"""Attribution of files: the spec with its mistakes, odd rows, and the answer as the command gives it."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from opportune.cli import app
from opportune.errors import BadCatalog, BadInput
from opportune.lab.attribution import attribution, load_attribution
from opportune.measure.attribution.models import MODELS

PATHS = Path(os.environ.get("OPPORTUNE_DATA", Path(__file__).parents[3] / "shared/data")) / "attribution_paths.csv.gz"

SPEC = "data: paths.csv\npath: path\nconversions: won\nvalue: worth\nnulls: lost\n"


def answer(folder: Path, table: str, spec: str = SPEC) -> dict[str, Any]:
    (folder / "paths.csv").write_text(table, "utf-8")
    (folder / "spec.yaml").write_text(spec, "utf-8")
    return attribution(load_attribution(folder / "spec.yaml"))


def sums(found: dict[str, Any]) -> dict[str, tuple[float, float]]:
    return {
        name: tuple(sum(one[key] for one in model["channels"].values()) for key in ("conversions", "value"))
        for name, model in found["models"].items()
    }  # type: ignore[return-value]


def problems(folder: Path, spec: str, table: str = "path,won,worth,lost\na,1,1,1\n") -> list[str]:
    with pytest.raises(BadCatalog) as caught:
        answer(folder, table, spec)
    return [f"{p.line}:{p.column} {p.what}; {p.cure}" for p in caught.value.problems]


def test_rows_are_shared_out_by_every_model(tmp_path: Path) -> None:
    found = answer(tmp_path, "path,won,worth,lost\nmail > search,3,30,5\nmail>search,1,,2\nÜber uns > mail,2,8,\n")
    assert found["paths"] == 3
    assert found["conversions"] == 6
    assert found["nulls"] == 7
    assert set(found["models"]) == set(MODELS)
    for name, (conversions, value) in sums(found).items():
        assert (conversions, value) == pytest.approx((6, 38)), name
        assert found["models"][name]["total_conversions"] == pytest.approx(6)
        assert list(found["models"][name]["channels"]) == ["mail", "search", "Über uns"]
    last = found["models"]["last"]["channels"]
    assert last["search"]["conversions"] == 4
    assert last["mail"]["value"] == 8
    low, high = last["search"]["interval"]
    assert 0 <= low < 4 < high
    assert found["tournament"] is None
    assert found["warnings"] == []
    assert found["left_out"] == {}


def test_the_specs_of_the_page_are_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "attribution.md").read_text("utf-8")
    files, ledger = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    found = answer(tmp_path, "path,conversions,value,nulls\ndisplay > email,3,30,5\nemail,2,20,9\n", files)
    assert set(found["models"]) == set(MODELS)
    assert set(found["tournament"]["calibrated"]) == {"display", "email"}
    (tmp_path / "ledger.yaml").write_text(ledger, "utf-8")
    assert load_attribution(tmp_path / "ledger.yaml").offline["Store Visited"] == "store"
    columns = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert all(f"`{name}`" in "".join(columns) for name in MODELS)


NAMES = st.sampled_from(("a", " b c ", "ü", "x>y", "", "d|e", "''", '"q"'))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.lists(NAMES, max_size=5), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12))
def test_what_is_shared_out_and_what_is_left_out_are_all(
    tmp_path: Path, rows: list[tuple[list[str], int, int]]
) -> None:
    written = ['"' + "|".join(names).replace('"', '""') + f'",{won},{won * 2},{lost}' for names, won, lost in rows]
    found = answer(tmp_path, "\n".join(["path,won,worth,lost", *written]) + "\n", SPEC + 'separator: "|"\n')
    whole = sum(won for _, won, _ in rows)
    assert found["conversions"] + found["left_out"].get("conversions_without_a_channel", 0) == whole
    for name, (conversions, value) in sums(found).items():
        if found["models"][name]["reason"] is None:
            assert (conversions, value) == pytest.approx((found["conversions"], 2 * found["conversions"])), name


def test_paths_without_a_channel_are_left_out_and_told(tmp_path: Path) -> None:
    found = answer(tmp_path, "path,won,worth,lost\na > b,3,30,5\n,2,4,1\n > ,1,1,0\n")
    assert found["left_out"] == {"conversions_without_a_channel": 3, "nulls_without_a_channel": 1}
    assert sums(found)["linear"] == pytest.approx((3, 30))
    assert "3 conversions without a channel are left out" in found["warnings"]


def test_nothing_to_share_out_is_told_and_is_no_number(tmp_path: Path) -> None:
    found = answer(tmp_path, "path,won,worth,lost\na > b,0,0,5\nb,0,0,2\n")
    for model in found["models"].values():
        assert model["channels"] == {}
        assert model["total_conversions"] == 0
        assert model["reason"] == "nothing converted: there is nothing to share out"
    assert problems(tmp_path, SPEC, "path,won,worth,lost\n")[0].endswith("has no rows; give journeys, with a header")


def test_without_columns_of_counts_each_row_is_a_conversion(tmp_path: Path) -> None:
    found = answer(tmp_path, "path\na > b\na\na > b\n", "data: paths.csv\npath: path\nmodels: [last, logistic]\n")
    assert {name: one["conversions"] for name, one in found["models"]["last"]["channels"].items()} == {"a": 1, "b": 2}
    assert "name their column as `nulls`" in found["models"]["logistic"]["reason"]


def test_a_separator_that_no_path_has_is_told(tmp_path: Path) -> None:
    found = answer(tmp_path, "path,won,worth,lost\na > b,3,30,5\nb,1,1,1\n", SPEC + 'separator: "|"\n')
    assert found["warnings"] == ["no path has the separator '|': every journey has one touch"]
    assert list(found["models"]["last"]["channels"]) == ["a > b", "b"]
    found = answer(tmp_path, "path,won,worth,lost\na b,3,30,5\nb,1,1,1\n", SPEC + 'separator: " "\nmodels: last\n')
    assert list(found["models"]["last"]["channels"]) == ["a", "b"]


def test_costs_stand_beside_credits(tmp_path: Path) -> None:
    found = answer(tmp_path, "path,won,worth,lost\na,4,40,5\na > b,0,0,2\n", SPEC + "costs: {a: 20, b: 5, z: 1}\n")
    a, b = found["models"]["last"]["channels"].values()
    assert (a["cost"], a["cost_per_conversion"], a["return"]) == (20, 5, 2)
    assert (b["cost"], b["cost_per_conversion"], b["return"]) == (5, None, 0)
    assert found["warnings"] == ["`costs` names channels that no journey meets: z"]


HOLDOUTS = """holdouts:
  a: {treated: 9000, conversions: 900, held: 1000, held_conversions: 95}
  b: {treated: 9000, conversions: 900, held: 1000, held_conversions: 60}
"""


def test_models_are_judged_and_calibrated_by_holdouts(tmp_path: Path) -> None:
    table = "path,won,worth,lost\na > b,300,0,3000\na,400,0,3000\nb,100,0,3000\nc > b,200,0,500\n"
    found = answer(tmp_path, table, SPEC + HOLDOUTS + "costs: {a: 10, b: 10, c: 90000}\n")
    told = found["tournament"]
    assert told["measured"]["a"]["added"] == pytest.approx(45)
    assert told["measured"]["b"]["added"] == pytest.approx(360)
    first = told["judged"]["first"]
    assert first["rejected"]
    assert first["channels"] == 2
    assert first["p"] < 0.001
    rejected = "first is rejected by the holdouts of 2 channels: chi-square"
    assert any(line.startswith(rejected) for line in told["sentences"])
    assert told["calibrated"]["a"]["added"] < told["calibrated"]["b"]["added"]
    assert set(told["calibrated"]) == {"a", "b", "c"}
    assert told["calibrated"]["c"]["weight"] == 0
    for one in told["calibrated"].values():
        low, high = one["interval"]
        assert low < one["added"] < high
    assert told["next_holdout"] == "c"
    assert told["sentences"][-1].startswith("hold out c next")


def test_every_mistake_is_told_at_its_place(tmp_path: Path) -> None:
    spec = SPEC + "models: [last, markow]\nposition: 0.9\nlook_back: 30d\n"
    spec += "holdouts: {a: {treated: 5}}\norder: 0\nodd: 1\n"
    told = "\n".join(problems(tmp_path, spec))
    assert "unknown model `markow`; did you mean `markov`?" in told
    assert "`position` of the attribution spec is `0.9`, must be from 0 to 0.5" in told
    assert "8:1 `look_back` is for `data: ledger`; remove it" in told
    assert "the holdout of `a` has no `held`" in told
    assert "`order` of the attribution spec is `0`, must be a whole number, 1 or more" in told
    assert "odd" in told
    assert problems(tmp_path, SPEC.replace("won", "wonn")) == [
        "3:14 there is no column `wonn`; did you mean `won`?"
    ]
    table = "path,won,worth,lost\na,1,1,1\na > b,-2,0,0\n"
    assert problems(tmp_path, SPEC, table) == ["3:14 the column `won` has -2; a count is 0 or more"]
    told = problems(tmp_path, SPEC, table.replace("-2,0,0", "1,-3,0"))[0]
    assert told.startswith("4:8 the column `worth` has -3; take")
    assert problems(tmp_path, SPEC, table.replace("-2,0,0", "0,3,0")) == [
        "4:8 the path 'a > b' has value and no conversion; give its conversions, or no value"
    ]
    assert "is not of numbers: it holds VARCHAR" in problems(tmp_path, SPEC, table.replace("-2", "two"))[0]
    assert "there is no file" in problems(tmp_path, SPEC.replace("paths.csv", "none.csv"))[0]
    with pytest.raises(BadInput, match="cannot be read"):
        load_attribution(tmp_path / "none.yaml")


def test_the_command_prints_one_object_or_a_table(tmp_path: Path) -> None:
    table = "path,won,worth,lost\na > b,300,0,3000\nb,100,0,3000\n"
    answer(tmp_path, table, SPEC + HOLDOUTS + "order: auto\ncosts: {a: 600}\n")
    run = CliRunner().invoke(app, ["attribution", str(tmp_path / "spec.yaml"), "--json"])
    assert run.exit_code == 0, run.output
    found = json.loads(run.stdout)
    assert found["models"]["markov"]["order"] in (1, 2, 3)
    assert found["models"]["markov"]["total_conversions"] == pytest.approx(400)
    shown = CliRunner().invoke(app, ["attribution", str(tmp_path / "spec.yaml")]).stdout
    assert "First is rejected by the holdouts of 2 channels" in shown
    assert "markov" in shown
    prices = next(line for line in shown.splitlines() if "cost of one" in line).split()[3:]
    first, last = (prices[[*found["models"]].index(name)] for name in ("first", "last"))
    assert (first, last) == ("2.00", "-"), "600 for the 300 that it began, and for none that it ended"
    held = found["tournament"]["measured"]["a"]
    assert f"{held['added']:,.1f} +-{1.96 * held['error']:,.1f}" in shown, "as wide as those of the models"


def test_real_paths_are_shared_out_to_the_last_conversion(tmp_path: Path) -> None:
    if not PATHS.exists():
        pytest.skip(f"there is no {PATHS}")
    header, *rows = gzip.decompress(PATHS.read_bytes()).decode().splitlines()
    assert header == "path,total_conversions,total_conversion_value,total_null"
    counted = [row.rsplit(",", 3) for row in rows]
    (tmp_path / "spec.yaml").write_text(
        f"data: {PATHS}\npath: path\nconversions: total_conversions\nvalue: total_conversion_value\n"
        "nulls: total_null\norder: 2\n"
    )
    found = attribution(load_attribution(tmp_path / "spec.yaml"))
    whole = [sum(float(row[i]) for row in counted) for i in (1, 2)]
    for name, told in sums(found).items():
        assert told == pytest.approx(tuple(whole), rel=1e-12), name
    first: dict[str, float] = {}
    for path, conversions, *_ in counted:
        channel = path.split(" > ")[0]
        first[channel] = first.get(channel, 0) + float(conversions)
    by_first = {name: one["conversions"] for name, one in found["models"]["first"]["channels"].items()}
    assert {name: n for name, n in by_first.items() if n} == {name: n for name, n in first.items() if n}
