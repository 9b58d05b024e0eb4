"""A question before something that cannot simply be taken back, which names the effect and takes down why."""

from __future__ import annotations

from nicegui import ui

from opportune.console.parts.button import button
from opportune.console.parts.field import Field


async def asked_why(title: str, effect: str, yes: str, needed: bool = True) -> str | None:
    """Ask for a reason; return it ("" where none is `needed`), None if nothing is to be done."""
    # it hangs on the page: the list that holds its button may be drawn anew while it is open
    with (
        ui.context.client,
        ui.dialog() as dialog,
        ui.element("div").classes("card").props("role=alertdialog aria-modal=true"),
    ):
        with ui.element("h2"):
            ui.label(title)
        ui.label(effect)
        field = Field("Why" if needed else "How (need not be said)")
        with ui.element("div").classes("row"):
            button(yes, lambda: dialog.submit(field.value.strip()) if field.value.strip() or not needed else
                   ui.notify("Say why.", type="negative"), danger=True)  # fmt: skip
            button("Leave it as it is", lambda: dialog.submit(None))
    try:
        answer = await dialog
        return None if answer is None else str(answer)
    finally:
        dialog.delete()
