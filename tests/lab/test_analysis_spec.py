"""Mistakes in an analysis: all at once, where they are, with the cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from opportune.errors import BadCatalog, BadInput
from opportune.lab.analysis import analyze, load_analysis

GOOD = """data: shop.csv
unit: customer
arm: arm
control: old
split: {old: 1, new: 1}
metrics:
  - {name: bought, kind: proportion, column: bought}
  - {name: spend, kind: mean, column: spend}
"""

TABLE = "customer,arm,bought,spend,note,when\n" + "".join(
    f"{k},{'old' if k % 2 else 'new'},{int(k % 3 == 0)},{k % 7},n{k},2026-01-01\n" for k in range(200)
)


def spec(folder: Path, text: str, table: str = TABLE) -> Path:
    (folder / "shop.csv").write_text(table)
    file = folder / "analysis.yaml"
    file.write_text(text)
    return file


def mistakes(folder: Path, text: str, table: str = TABLE) -> list[str]:
    """Return what is said about a spec, as line:column: what."""
    file = spec(folder, text, table)
    with pytest.raises(BadCatalog) as bad:
        analyze(load_analysis(file))
    told = str(bad.value).split("\n")
    assert all(line.startswith(f"{file}:") for line in told)
    return [line.removeprefix(f"{file}:") for line in told]


def test_the_good_one_is_taken(tmp_path: Path) -> None:
    assert analyze(load_analysis(spec(tmp_path, GOOD)))["arms"] == {"old": 100, "new": 100}


def test_every_mistake_at_once(tmp_path: Path) -> None:
    told = mistakes(
        tmp_path,
        """data: shop.csv
arm: arm
contrl: old
alpha: 7
inference: sequental
split: {old: 1}
within: 7d
metrics:
  - {name: a, kind: men, column: spend}
  - {name: a, kind: ratio, numerator: spend, column: spend}
  - {kind: quantile, column: spend, quantile: 2, winsorize: .9}
""",
    )
    assert [line.split(":")[0] for line in told] == sorted((line.split(":")[0] for line in told), key=int)
    for part in (
        "1:1: the analysis has no `control`",
        "3:1: unknown key `contrl` in the analysis; did you mean `control`?",
        "`alpha` of the analysis is `7`, must be from 0.0001 to 0.5",
        "unknown inference `sequental` in the analysis; did you mean `sequential`?",
        "`split` has one arm",
        "`within` is a span of `outcomes`",
        "unknown kind `men` in metric `a`; did you mean `mean`?",
        "metric `a` has no `denominator`",
        "two metrics `a`",
        "`column` of metric `a`: a ratio has `numerator` and `denominator`; remove it",
        "a metric has no `name`",
        "`winsorize` of a metric: a quantile has none",
    ):
        assert any(part in line for line in told), (part, told)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("column: spend", "column: spent", "8:39: unknown name `spent`; did you mean `spend`?"),
        ("unit: customer", "unit: custmer", "2:7: there is no column `custmer`; did you mean `customer`?"),
        ("control: old", "control: odl\ninference: fixed", "is not in `split`"),
        ("split: {old: 1, new: 1}", "split: {old: 1, nwe: 1}", "5:22: `arm` has no value `nwe`; did you mean `new`?"),
        ("column: spend", "column: note", "the column `note` is not of numbers: it holds VARCHAR, such as 'n0'"),
        ("column: bought", "column: spend", "`spend` has values that are not 0 or 1; write a condition"),
        ("column: bought", "column: spend >", "7:53: unexpected the end"),
        ("column: spend", "column: spend, covariate: note", "the column `note` is not of numbers"),
        ("data: shop.csv", "data: shops.csv", "1:7: there is no file"),
        ("data: shop.csv", "data: analysis.yaml", "is of no kind that can be read"),
        ("data: shop.csv", "data: shop.duckdb", "there is no table|names no table"),
        ("data: shop.csv", "data: ${HOME}/shop.csv", "`${HOME}` is not known here; only ${OPPORTUNE_DATA} is expanded"),
        ("arm: arm", "arm: note", "`note` has no value `old`"),
        ("arm: arm", "arm: arm\nsegments: [note]", "`note` has more than 50 values"),
        ("metrics:", "ledger: welcome\nmetrics:", "`data` of an experiment of the ledger is as it was registered"),
        ("kind: mean", "kind: mean, within: 7d", "`within` of metric `spend`: it is a span of `outcomes`"),
    ],
)
def test_a_mistake_is_told_where_it_is(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    told = mistakes(tmp_path, GOOD.replace(old, new))
    assert any(part in line for line in told for part in said.split("|")), told


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("customer,arm,bought,spend\n", "has no rows"),
        ("", "cannot be read|has no rows|there is no column"),
        (TABLE.replace(",new,", ",old,"), "`arm` has no value `new`|`arm` has 1 values"),
        (TABLE + "7,old,0,many,x,2026-01-01\n", "`spend` is not of numbers: it holds VARCHAR, such as 'many'"),
        (TABLE + "7,old,0,inf,x,2026-01-01\n", "not finite"),
        (TABLE + "7,old,0,1e300,x,2026-01-01\n", "not finite, or beyond 1e+60"),
        (TABLE + "7,old,2,1,x,2026-01-01\n", "`bought` has values that are not 0 or 1"),
        ("\xff\xfe\x00,\x00\n", "cannot be read|there is no column|has no rows"),
    ],
)
def test_data_that_cannot_be_used_say_so(tmp_path: Path, table: str, said: str) -> None:
    told = mistakes(tmp_path, GOOD, table)
    assert any(part in line for line in told for part in said.split("|")), told


def test_a_count_below_0(tmp_path: Path) -> None:
    told = mistakes(tmp_path, GOOD.replace("kind: mean", "kind: count"), TABLE + "9999,old,0,-3,x,2026-01-01\n")
    assert "`spend` has values below 0" in told[0]


def test_no_file_and_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        load_analysis(tmp_path / "none.yaml")
    with pytest.raises(BadCatalog, match="empty"):
        load_analysis(spec(tmp_path, ""))
    with pytest.raises(BadCatalog, match="must be a mapping"):
        load_analysis(spec(tmp_path, "- a\n- b\n"))
