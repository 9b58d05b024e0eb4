"""Questions before something that cannot simply be taken back: they name the effect, and may take down why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui

from opportune.console.parts.button import button
from opportune.console.parts.field import Field

NO = "Leave it as it is"


async def confirmed(title: str, effect: str, yes: str) -> bool:
    """Ask whether to go on; return the answer. `yes` names what the button does."""
    with _question(title, effect) as dialog, ui.element("div").classes("row"):
        button(yes, lambda: dialog.submit(True), danger=True)
        button(NO, lambda: dialog.submit(False))
    return bool(await _answer(dialog))


async def asked_why(title: str, effect: str, yes: str, needed: bool = True) -> str | None:
    """Ask for a reason; return it ("" where none is `needed`), None if nothing is to be done."""

    def go_on() -> None:
        if field.value.strip() or not needed:
            dialog.submit(field.value.strip())
        else:
            ui.notify("Say why.", classes="bad", icon="warning")

    with _question(title, effect) as dialog:
        field = Field("Why" if needed else "How (need not be said)")
        with ui.element("div").classes("row"):
            button(yes, go_on, danger=True)
            button(NO, lambda: dialog.submit(None))
    answer = await _answer(dialog)
    return None if answer is None else str(answer)


@contextmanager
def _question(title: str, effect: str) -> Iterator[ui.dialog]:
    # it hangs on the page: the list that holds its button may be drawn anew while it is open
    with (
        ui.context.client,
        ui.dialog() as dialog,
        ui.element("div").classes("card").props("role=alertdialog aria-modal=true"),
    ):
        with ui.element("h2"):
            ui.label(title)
        ui.label(effect)
        yield dialog


async def _answer(dialog: ui.dialog) -> object:
    try:
        return await dialog
    finally:
        dialog.delete()
