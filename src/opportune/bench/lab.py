"""The figures of the lab, and the published table of how far its statistics can be trusted.

    lab_10m_s, lab_10m_gib       raw Parquet, see `bench.lab_tables`
    lab_tail_least, _most        fixed tests without an effect: the smallest and the largest share that sees one on one
                                 side, nominal 2.5 %, of all designs that always have an answer
    lab_tail_most_of_all         the largest of all designs
    lab_coverage_least, _most    their 95 % intervals of the difference
    lab_sequential_false         tests without an effect that one of 52 looks takes for one
    lab_sequential_power         tests with the effect that one fixed look finds in 90 %, found at one of 52 looks

The tables behind them, and those of programs and the gate, go to `docs/calibration.md` where the project's own folder
is there. `BENCH_LAB_TESTS` says how many tests are simulated for each line (10,000).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from opportune.bench import lab_calibration, lab_flows, lab_gate, lab_program, lab_sequential, lab_tables
from opportune.bench.lab_calibration import Row
from opportune.bench.learn import Figure, figure

DOCS = Path(__file__).parents[3] / "docs"

ALWAYS = 0.999
"""The share of tests with an answer from which on the lower tail is of all tests."""


def figures() -> list[Figure]:
    """Return the figures of the group `lab`, and publish the tables."""
    many = int(os.environ.get("BENCH_LAB_TESTS", "10000"))
    fixed, sequential = lab_calibration.table(many), lab_sequential.tables(many)
    if DOCS.is_dir():
        (DOCS / "calibration.md").write_text(page(fixed, sequential, many), "utf-8")
    return [*lab_tables.figures(), *trusted(fixed, sequential)]


def trusted(fixed: Sequence[Row], sequential: Mapping[str, float]) -> list[Figure]:
    """Return the figures of the tables, in per cent."""
    answered = [row for row in fixed if row.answered >= ALWAYS]
    covered = [row.covered for row in fixed if row.answered_with_effect >= ALWAYS]
    return [
        figure("lab_tail_least", 100 * min(min(row.worse, row.better) for row in answered), "%"),
        figure("lab_tail_most", 100 * max(max(row.worse, row.better) for row in answered), "%"),
        figure("lab_tail_most_of_all", 100 * max(max(row.worse, row.better) for row in fixed), "%"),
        figure("lab_coverage_least", 100 * min(covered), "%"),
        figure("lab_coverage_most", 100 * max(covered), "%"),
        figure("lab_sequential_false", 100 * sequential["false positives, 52 looks"], "%"),
        figure("lab_sequential_power", 100 * sequential["power, 52 looks"], "%"),
    ]


def page(fixed: Sequence[Row], sequential: Mapping[str, float], many: int) -> str:
    """Return the published tables as Markdown. `many` tests were simulated for each line of the two that are given;
    programs and the gate take longer and have fewer, as said beside them."""
    candidates, companies = max(20, many // 20), max(4, many // 100)
    return "\n".join([
        "# Calibration",
        "",
        "How far the lab's statistics can be trusted, by simulation. `opportune bench lab` writes this page.",
        "",
        f"## One look at the end ({many:,} tests without and {many:,} with an effect of "
        f"{lab_calibration.LIFT:.0%} a line)",
        "",
        "Alpha is .05, so each side should see an effect where there is none in 2.5 % of tests (1.5 to 3.5 is the",
        "bar), and intervals should hold the effect in 95 %. Designs are named by customers in control and arm.",
        "`answered` is the share of tests with an answer, without and with the effect: where a few customers make",
        "most of the value there is none, rather than one that cannot be trusted.",
        "",
        "| design | seen worse | seen better | difference held | ratio held | effect found | answered |",
        "|---|---|---|---|---|---|---|",
        *map(_fixed_line, fixed),
        "",
        f"## As many looks as one likes ({many:,} tests a line; {max(1, many // 10):,} of 5,000 looks or whole paths)",
        "",
        "| what | share |",
        "|---|---|",
        *(f"| {what} | {share:.2%} |" for what, share in sequential.items()),
        "",
        "`power` is of the effect that one look of a fixed test finds in 90 %.",
        "",
        f"## Twelve flows that carry one hypothesis, read after each ({many:,} hypotheses a line)",
        "",
        *_text(lab_flows.lines(lab_flows.table(many))),
        "",
        f"## A program of two years ({companies} companies)",
        "",
        *_text(lab_program.lines(lab_program.compared(companies))),
        "",
        f"## The gate ({candidates} candidates of each kind)",
        "",
        *_text(lab_gate.lines(lab_gate.table(candidates))),
        "",
    ])  # fmt: skip


def _fixed_line(row: Row) -> str:
    shares = [row.worse, row.better, row.covered, row.relative_covered, row.found]
    told = " | ".join("" if share != share else f"{share:.2%}" for share in shares)
    return f"| {row.name} | {told} | {row.answered:.0%}, {row.answered_with_effect:.0%} |"


def _text(lines: Sequence[str]) -> list[str]:
    return ["```", *lines, "```"]

