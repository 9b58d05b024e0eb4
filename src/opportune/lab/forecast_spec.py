"""The spec of `opportune forecast`: which series, and how far ahead.

    data: sales.csv                 # csv, csv.gz, parquet, a folder or pattern of them, FILE.duckdb:TABLE; relative to
                                    # the spec; ${OPPORTUNE_DATA} is expanded
    at: date                        # column: a date or a time; default: the first there is of date, at, month, ...
    value: sales                    # column of numbers, summed by period; default: rows are counted
    by: region                      # column: one series for each of its values; default: one of all
    every: month                    # day, week (from Monday) or month, in UTC
    season: 12                      # periods of a season, 1 for none; default: 7 of days, 52 of weeks, 12 of months
    ahead: 12                       # periods; default: 14 days, 8 weeks, 12 months
    interval: 0.8                   # the share of what comes that intervals shall hold
    until: 2026-03-31               # the day up to which all rows are there: a period that goes on is left out
    missing: gap                    # periods without a row: `gap` is filled in, `zero` is 0; default: zero if counted
    models: own                     # or statsforecast, where it is installed

or figures of campaigns, from the exported tables:

    data: {tables: exported}
    figure: contacts                # contacts (delivered), outcomes (positive), conversions or spend
    by: campaign                    # or nothing, for all together
    every: week
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast
from zoneinfo import ZoneInfo

from opportune.catalog.fields import Fields
from opportune.catalog.node import Node
from opportune.catalog.spec_file import data_path
from opportune.lab.foresight_spec import Spec, loaded

Every = Literal["day", "week", "month"]
Figure = Literal["contacts", "outcomes", "conversions", "spend"]

SEASONS: dict[str, int] = {"day": 7, "week": 52, "month": 12}
AHEAD: dict[str, int] = {"day": 14, "week": 8, "month": 12}
FIGURES = ("contacts", "outcomes", "conversions", "spend")


class ForecastSpec(Spec, frozen=True, kw_only=True):
    """What to foretell; the module's text says what each key means. `tables` is the folder of exported tables, and then
    `data` is empty; `until` in microseconds."""

    tables: str = ""
    figure: str = ""
    at: str = ""
    value: str = ""
    by: str = ""
    every: Every = "month"
    season: int = 12
    ahead: int = 12
    interval: float = 0.8
    until: int | None = None
    missing: Literal["gap", "zero"] = "gap"
    models: Literal["own", "statsforecast"] = "own"


def load_forecast(path: str | Path) -> ForecastSpec:
    """Return the spec in a YAML file.

    `data` and `tables` come back absolute or relative to the working directory. Raises `BadCatalog` with every mistake
    at once, `BadInput` if the file cannot be read.
    """
    return loaded(path, "the forecast spec", _read)


def _read(fields: Fields, root: Node, folder: Path) -> ForecastSpec:
    tables = _tables(fields, folder)
    every = fields.choice("every", ("day", "week", "month"), "month")
    counted = bool(tables) or "value" not in fields.values
    spec = ForecastSpec(
        data="" if tables else data_path(fields, "data", folder),
        tables=tables,
        figure=fields.choice("figure", FIGURES, required=bool(tables)),
        at=fields.text("at"),
        value=fields.text("value"),
        by=fields.text("by"),
        every=cast(Every, every),
        season=fields.whole("season", SEASONS[every], low=1),
        ahead=fields.whole("ahead", AHEAD[every], low=1),
        interval=fields.number("interval", 0.8, 0.01, 0.99),
        until=fields.instant("until", ZoneInfo("UTC")),
        missing=cast(Literal["gap", "zero"], fields.choice("missing", ("gap", "zero"), "zero" if counted else "gap")),
        models=cast(Literal["own", "statsforecast"], fields.choice("models", ("own", "statsforecast"), "own")),
        written=root,
    )
    for key in ("at", "value") if tables else ("figure",):
        if key in fields.values:
            what = "a table of your own" if tables else "`data: {tables: FOLDER}`"
            fields.report.error(fields.node.keys[key], f"`{key}` is for {what}", "remove it")
    if tables and spec.by not in ("", "campaign"):
        fields.report.error(fields.spot("by"), f"figures are by campaign, not by `{spec.by}`", "write `by: campaign`")
    if spec.ahead > 1000 or spec.season > 1000:
        key = "ahead" if spec.ahead > 1000 else "season"
        fields.report.error(fields.spot(key), f"`{key}` is above 1,000 periods", "give less, or take longer periods")
    return spec


def _tables(fields: Fields, folder: Path) -> str:
    node = fields.values.get("data")
    if node is None or not isinstance(node.value, dict):
        return ""
    fields.find("data")
    inner = Fields(node, fields.report, "`data`")
    found = data_path(inner, "tables", folder)
    inner.close()
    return found
