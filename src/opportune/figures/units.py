"""Units of figures and of the numbers around them, where these are not the figure's own. Pure."""

from __future__ import annotations

DAYS = "days"
"""The unit of spans of time: shown in what they are long in, down to seconds."""

_BESIDE = {
    ("budget", "planned"): "money", ("budget", "forecast at completion"): "money", ("budget", "next euro"): "ratio",
    ("conversion", "hand-over to sales"): "days", ("roi", "cost per conversion"): "money",
}  # fmt: skip

_MONEY = (
    "spend", "contacts", "cost", "attributed_margin", "incremental_margin", "cost_per_conversion", "planned",
    "planned_until_now", "spent", "committed",
)  # fmt: skip


def days_in(days: float) -> tuple[float, str]:
    """Return the unit that days are shown in, and how many of it are a day.

    >>> days_in(30.0), days_in(0.01), days_in(0.0)
    ((1.0, 'days'), (1440.0, 'min'), (1.0, 'days'))
    """
    units = ((1.0, DAYS), (24.0, "h"), (1440.0, "min"), (86_400.0, "s"))
    return next((unit for unit in units if not days or abs(days) * unit[0] >= 1), units[-1])


def beside_unit(figure: str, name: str, own: str) -> str:
    """Return the unit of what stands beside a figure whose unit is `own`.

    >>> beside_unit("budget", "planned", "share"), beside_unit("budget", "used well", "share")
    ('money', 'share')
    """
    return _BESIDE.get((figure, name), own)


def row_unit(name: str) -> str:
    """Return the unit of what a row has besides its value: money, days, or "" of what is counted.

    >>> row_unit("spent"), row_unit("p90"), row_unit("held_out")
    ('money', 'days', '')
    """
    return "money" if name in _MONEY else "days" if name == "p90" else ""
