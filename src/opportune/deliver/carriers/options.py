"""The options of a channel, with the environment filled in: read one by one, each mistake said with its cure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opportune.catalog.types import Channel
from opportune.errors import BadInput

_NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Options:
    """The options of a channel. Every reader raises `BadInput`, which names the channel, the option and the cure.

    `folder` is the project's: relative paths count from it.
    """

    def __init__(self, channel: Channel, environ: Mapping[str, str], folder: Path) -> None:
        self.channel, self.folder = channel, folder
        texts = list(_texts(channel.options))
        unset = sorted({name for text in texts for name in _NAME.findall(text) if not environ.get(name)})
        if unset:
            names, are = " and ".join(unset), "is" if len(unset) == 1 else "are"
            raise BadInput(
                f"channel `{channel.name}` needs {names} from the environment, which {are} not set; "
                f"start with `{unset[0]}=...`, or change `options` of the channel"
            )
        self._values = _filled(channel.options, environ)

    def need(self, key: str) -> str:
        """Return a text that must be there."""
        text = self.text(key)
        if not text:
            raise BadInput(f"channel `{self.channel.name}` needs the option `{key}`; add it under `options:`")
        return text

    def text(self, key: str, default: str = "") -> str:
        value = self._values.get(key, default)
        if isinstance(value, Mapping | list | tuple):
            raise self.wrong(key, "one text")
        return str(value).strip()

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """Return a number from `low` to `high`, written as one or as text."""
        text = self.text(key, str(default))
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise self.wrong(key, f"a number from {low:g} to {high:g}")
        return number

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        number = self.number(key, default, low, high)
        if number != int(number):
            raise self.wrong(key, "a whole number")
        return int(number)

    def flag(self, key: str) -> bool:
        """Return whether an option is set to true; false where it is absent."""
        text = self.text(key, "false").lower()
        if text not in ("true", "false"):
            raise self.wrong(key, "true or false")
        return text == "true"

    def choice(self, key: str, known: tuple[str, ...], default: str) -> str:
        text = self.text(key, default)
        if text not in known:
            raise self.wrong(key, f"one of {', '.join(known)}")
        return text

    def texts(self, key: str) -> dict[str, str]:
        """Return a mapping of texts; empty where it is absent."""
        value = self._values.get(key, {})
        if not isinstance(value, Mapping) or any(isinstance(v, Mapping | list | tuple) for v in value.values()):
            raise self.wrong(key, "a mapping of texts")
        return {str(name): str(text) for name, text in value.items()}

    def path(self, key: str) -> Path:
        """Return a path that must be there."""
        return self.folder / self.need(key)

    def wrong(self, key: str, must: str) -> BadInput:
        """Return what to raise for an option; its value is not shown, since it may be a secret."""
        return BadInput(f"`{key}` of channel `{self.channel.name}` must be {must}; change it under `options:`")


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) else []


def _filled(value: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(inner, environ) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(inner, environ) for inner in value]
    return _NAME.sub(lambda found: environ[found[1]], value) if isinstance(value, str) else value
