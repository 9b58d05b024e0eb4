"""The spec of `opportune geo`: a test in some regions, or a plan of one.

    data: sales.csv                 # csv, csv.gz, parquet, a folder or pattern of them, FILE.duckdb:TABLE; relative to
                                    # the spec; ${OPPORTUNE_DATA} is expanded
    region: location                # column; default: the first there is of region, location, geo, market, ...
    at: date                        # column: a date or a time; default: date, at, ...
    value: sales                    # column of numbers, summed by region and period
    every: day                      # day, week (from Monday) or month, in UTC
    treated: [chicago, portland]    # regions in which something was done, or will be
    from: 2021-04-01                # since when; without it the answer is a plan
    until: 2021-04-15               # the last day of it; default: that of the last row
    exclude: [boston]               # regions that are neither treated nor to compare with
    level: 0.9                      # of intervals
    intercept: true                 # may the treated be higher or lower than every mix of the others by a constant?
    lengths: [14, 28]               # of a plan: periods that the test may take
    seed: 7
"""

from __future__ import annotations

from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

from opportune.catalog.fields import Fields
from opportune.catalog.node import Node
from opportune.catalog.spec_file import data_path
from opportune.lab.forecast_spec import Every
from opportune.lab.foresight_spec import Spec, loaded


class GeoSpec(Spec, frozen=True, kw_only=True):
    """What to compare; the module's text says what each key means. `since` is `from`; instants in microseconds."""

    region: str = ""
    at: str = ""
    value: str = ""
    every: Every = "day"
    treated: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    exclude: tuple[str, ...] = ()
    level: float = 0.9
    intercept: bool = True
    lengths: tuple[int, ...] = (14, 28)
    seed: int = 7


def load_geo(path: str | Path) -> GeoSpec:
    """Return the spec in a YAML file.

    `data` comes back absolute or relative to the working directory. Raises `BadCatalog` with every mistake at once,
    `BadInput` if the file cannot be read.
    """
    return loaded(path, "the geo spec", _read)


def _read(fields: Fields, root: Node, folder: Path) -> GeoSpec:
    spec = GeoSpec(
        data=data_path(fields, "data", folder),
        region=fields.text("region"),
        at=fields.text("at"),
        value=fields.text("value", required=True),
        every=cast(Every, fields.choice("every", ("day", "week", "month"), "day")),
        treated=fields.words("treated") if fields.find("treated", required=True) else (),
        since=fields.instant("from", ZoneInfo("UTC")),
        until=fields.instant("until", ZoneInfo("UTC")),
        exclude=fields.words("exclude"),
        level=fields.number("level", 0.9, 0.5, 0.99),
        intercept=fields.flag("intercept", True),
        lengths=_lengths(fields),
        seed=fields.whole("seed", 7),
        written=root,
    )
    if fields.find("treated") and not spec.treated:
        fields.report.error(fields.spot("treated"), "`treated` is empty", "name the regions")
    both = sorted({*spec.treated} & {*spec.exclude})
    if both:
        what = f"`{both[0]}` is treated and excluded"
        fields.report.error(fields.spot("exclude"), what, "keep one of the two")
    if spec.since is not None and spec.until is not None and spec.until < spec.since:
        fields.report.error(fields.spot("until"), "`until` is before `from`", "give a later day")
    if spec.since is not None and "lengths" in fields.values:
        what = "`lengths` is for a plan, without `from`"
        fields.report.error(fields.node.keys["lengths"], what, "remove one of them")
    return spec


def _lengths(fields: Fields) -> tuple[int, ...]:
    nodes = fields.items("lengths")
    good = [n.value for n in nodes if isinstance(n.value, int) and not isinstance(n.value, bool) and n.value > 0]
    if len(good) < len(nodes):
        fields.wrong(nodes[0], "lengths", "whole numbers of periods, above 0")
    return tuple(good) or (14, 28)
