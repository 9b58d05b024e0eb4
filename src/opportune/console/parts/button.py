"""A button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui


def button(
    text: str, act: Callable[[], Any], primary: bool = False, quiet: bool = False, danger: bool = False, help: str = ""
) -> ui.element:
    """Add a button that does something; `help` is what a screen reader and the pointer are told beside its text."""
    kind = "primary" if primary else "quiet" if quiet else "danger" if danger else ""
    with ui.element("button").classes(f"button {kind}").props("type=button") as made:
        ui.label(text)
    if help:
        made._props["title"] = made._props["aria-label"] = help
    return made.on("click", lambda _: act(), [])
