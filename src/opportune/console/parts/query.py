"""The query behind a number: its text, shown and saved, and where its tables are."""

from __future__ import annotations

from markupsafe import Markup
from nicegui import ui

from opportune.console.parts.button import button
from opportune.console.parts.shown import Shown


def query(name: str, sql: str, given: str = "") -> None:
    """Add a closed part with the text of a query; `name` is that of its file, `given` what its parameters are."""
    with ui.element("details").classes("query"):
        with ui.element("summary"):
            ui.label("The query behind it")
        Shown[str](_drawn).show(sql)
        with ui.element("div").classes("row"):
            button("sql", lambda: ui.download.content(sql.encode(), f"{name}.sql", "text/plain"), quiet=True,
                   help=f"Save the query {name}")  # fmt: skip
            ui.label(
                (f"Given: {given}. " if given else "")
                + "Its tables lie beside the store; `opportune tables FOLDER` writes them anywhere."
            ).classes("soft small")


def _drawn(sql: str) -> Markup:
    return Markup('<pre class="file" tabindex="0">{}</pre>').format(sql.strip())
