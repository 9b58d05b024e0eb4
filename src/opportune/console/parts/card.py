"""A card with a heading, and what it shows as csv."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nicegui import ui

from opportune.console.parts.button import button


@contextmanager
def card(title: str, csv: Callable[[], object] | None = None) -> Iterator[ui.element]:
    """Add a card; `csv` saves what is in it."""
    with ui.element("section").classes("card") as made:
        with ui.element("div").classes("card-head"):
            with ui.element("h2"):
                ui.label(title)
            if csv is not None:
                button("csv", csv, quiet=True, help=f"Save {title} as csv")
        yield made
