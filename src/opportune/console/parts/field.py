"""Fields of a form that stay plain HTML: quick, and as the browser's own for keyboard and screen reader.

What they begin with is a default and no bound value: a bound one would come back with each change of the page, in the
middle of somebody's typing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

VALUE = "(event) => emit(event.target.value)"
LONGEST = 2_000
"""Characters that are taken of a field."""


class Field:
    """A labeled text field. `enter` is called when it is sent off with the Enter key."""

    def __init__(
        self, label: str, value: str = "", hint: str = "", enter: Callable[[], Any] | None = None, secret: str = ""
    ) -> None:
        """`secret` hides what is typed, and says to the browser what it is: new-password or current-password."""
        self.value = value
        with Element("label") as self.place:
            ui.label(label)
            self._input = Element("input").classes("field")
        self._input._props.update({"type": "text", "defaultValue": value, "placeholder": hint, "autocomplete": "off"})
        if secret:
            self._input._props.update({"type": "password", "autocomplete": secret})
        self._input.on("input", self._typed, js_handler=VALUE)
        if enter:
            self._input.on("keydown.enter", lambda _: enter(), [])

    def _typed(self, told: GenericEventArguments) -> None:
        self.value = str(told.args)[:LONGEST]


class Choice:
    """A labeled list to choose one of; `chosen` is called with each new choice."""

    def __init__(
        self, label: str, options: Mapping[str, str], chosen: Callable[[], Any] | None = None, value: str | None = None
    ) -> None:
        self.value = value if value is not None and value in options else next(iter(options), "")
        self._options: dict[str, str] = {}
        self._chosen = chosen
        with Element("label") as self.place:
            ui.label(label)
            self._select = Element("select").classes("field")
        self._select.on("change", self._changed, js_handler=VALUE)
        self.offer(options)

    def offer(self, options: Mapping[str, str]) -> None:
        """Offer value -> text; what is chosen stays so if it is still there."""
        if dict(options) == self._options:
            return
        self._options = dict(options)
        if self.value not in options:
            self.value = next(iter(options), "")
        self._select.clear()
        with self._select:
            for value, text in options.items():
                option = Element("option")
                option._props["value"] = value
                option._props["selected"] = value == self.value
                option._text = text

    def _changed(self, told: GenericEventArguments) -> None:
        value = str(told.args)
        if value in self._options:
            self.value = value
            if self._chosen:
                self._chosen()
