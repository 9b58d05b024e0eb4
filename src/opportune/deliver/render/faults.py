"""Where in a text an error of liquid is, also when liquid does not know."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from liquid import Environment
    from liquid.exceptions import LiquidError

_MARKUP = re.compile(r"\{\{.*?\}\}|\{%-?\s*(#|\w*).*?%\}", re.DOTALL)
_END = re.compile(r"expected tag (\w+)")


def fault_of(environment: Environment, error: LiquidError, text: str) -> tuple[str, int, int]:
    """Return what is wrong, and the line and column (both from 1) of a text where it is."""
    what = str(error.message or type(error).__name__)
    token = error.token
    at = token.start_index if token is not None and token.source == text else -1
    unclosed = _END.match(what)
    if at < 0 and unclosed:
        at, what = _unclosed(text, unclosed[1]), f"`{{% {unclosed[1][3:]} %}}` has no `{{% {unclosed[1]} %}}`"
    elif at < 0:
        at = _first_bad(environment, text)
    return what, *place(text, at)


def place(text: str, at: int) -> tuple[int, int]:
    """Return the line and column, both from 1, of a character of a text; of the first one where it is unknown."""
    at = min(max(at, 0), len(text))
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _unclosed(text: str, end: str) -> int:
    """Return where the innermost tag begins that its end tag is missing for."""
    open_at: list[int] = []
    for found in _MARKUP.finditer(text):
        if found[1] == end[3:]:
            open_at.append(found.start())
        elif found[1] == end and open_at:
            open_at.pop()
    return open_at[-1] if open_at else -1


def _first_bad(environment: Environment, text: str) -> int:
    """Return where the first piece of markup stands that cannot be parsed even on its own."""
    from liquid.exceptions import LiquidError

    for found in _MARKUP.finditer(text):
        closed = f"{found[0]}{{% end{found[1]} %}}"
        for alone in (found[0], closed) if found[1] else (found[0],):
            try:
                environment.from_string(alone)
                break
            except LiquidError:
                continue
        else:
            if not (found[1] or "").startswith(("end", "els", "when")):
                return found.start()
    return -1
