"""A question before something that cannot simply be taken back, which names the effect."""

from __future__ import annotations

from nicegui import ui

from opportune.console.parts.button import button


async def confirmed(title: str, effect: str, yes: str) -> bool:
    """Ask whether to go on; return the answer. `yes` names what the button does."""
    # it hangs on the page: the list that holds its button may be drawn anew while it is open
    with (
        ui.context.client,
        ui.dialog() as dialog,
        ui.element("div").classes("card").props("role=alertdialog aria-modal=true"),
    ):
        with ui.element("h2"):
            ui.label(title)
        ui.label(effect)
        with ui.element("div").classes("row"):
            button(yes, lambda: dialog.submit(True), danger=True)
            button("Leave it as it is", lambda: dialog.submit(False))
    try:
        return bool(await dialog)
    finally:
        dialog.delete()
