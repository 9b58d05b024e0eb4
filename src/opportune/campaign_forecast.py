"""What comes next in the figures of campaigns: forecasts of the exported tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opportune.clock import DAY
from opportune.figures.tables import opened
from opportune.lab.forecast import foretold
from opportune.lab.forecast_spec import ForecastSpec
from opportune.lab.forecast_table import summed

ROWS = {
    "contacts": "SELECT campaign, \"at\" AS moment, 1.0 AS value FROM contacts WHERE delivered",
    "outcomes": "SELECT campaign, \"at\" AS moment, 1.0 AS value FROM outcomes WHERE positive",
    "conversions": "SELECT campaign, \"at\" AS moment, 1.0 AS value FROM conversions WHERE NOT coalesce(undone, false)",
    # a later row of an entry replaces it
    "spend": "SELECT campaign, \"at\" AS moment, amount AS value FROM (SELECT * FROM spend "
             "QUALIFY row_number() OVER (PARTITION BY campaign, entry ORDER BY seq DESC) = 1) WHERE kind = 'spent'",
}  # fmt: skip
"""Figure -> its rows."""


def forecast_of_campaigns(spec: ForecastSpec) -> dict[str, Any]:
    """Return the forecasts of a figure of all campaigns, or of each, as plain data (`opportune.lab.forecast.foretold`).

    The day of the last fact goes on and is left out, unless the spec says `until`. Raises `BadInput` for a folder that
    has no tables, `BadCatalog` where a figure has no rows.
    """
    with opened(Path(spec.tables)) as (connection, manifest):
        until = spec.until
        if until is None and manifest.at:
            until = manifest.at - manifest.at % DAY - 1
        key, which = ("campaign", "campaign IS NOT NULL AND campaign <> ''") if spec.by else ("''", "true")
        rows = f"SELECT {key} AS key, moment, value FROM ({ROWS[spec.figure]}) WHERE {which}"
        return foretold(spec, summed(spec, connection, rows, until))
