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
