"""JSON with Liquid in its strings: compiled once, rendered into the same shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opportune.deliver.forms.base import Draft
from opportune.deliver.render.templates import is_plain

Render = Callable[[Mapping[str, Any]], Any]


def tree(value: Any, field: str, draft: Draft) -> Render:
    """Return what renders a value of JSON; mistakes in its templates are added to the draft.

    Every string is a template, keys are not. A rendered string stays a string: `"{{ action.value }}"` gives `"12.5"`.
    Numbers, bools and null are as they stand, and so is everything in which no template is.
    """
    if is_plain(value):
        return lambda context: value
    if isinstance(value, str):
        template = draft.compiled(field, value)
        return template.render if template else lambda context: ""
    if isinstance(value, Mapping):
        below = {key: tree(inner, f"{field}.{key}" if field else str(key), draft) for key, inner in value.items()}
        return lambda context: {key: render(context) for key, render in below.items()}
    items = [tree(inner, f"{field}.{index}", draft) for index, inner in enumerate(value)]
    return lambda context: [render(context) for render in items]
