"""A new project: the template of a small telecom company, written into a folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from opportune.clock import DAY, SystemClock, format_instant
from opportune.errors import BadInput

_AGO = re.compile(rb'"(\d+) days ago"')


def template() -> dict[str, bytes]:
    """Return the files of the template by their relative path."""
    return dict(sorted(_walk(files("opportune.catalog") / "template", "")))


def write_project(folder: Path | str, force: bool = False, now: int | None = None) -> list[Path]:
    """Write the template into a folder, made if need be, and return the paths written.

    In stories, what happened some days ago is dated from `now` (default: this instant); what has no date happens when
    it is played.

    Raises `BadInput`, before anything is written, if a file of the same name is there already and `force` is false, or
    if another YAML file would become part of the catalog.
    """
    root, now = Path(folder), SystemClock().now() if now is None else now
    if root.exists() and not root.is_dir():
        raise BadInput(f"{str(root)!r} is a file; name a folder")
    wanted = template()
    there = [name for name in wanted if (root / name).exists()]
    if there and not force:
        raise BadInput(f"{str(root)!r} already has {', '.join(there)}; choose another, or overwrite (--force)")
    others = sorted(p.name for p in root.glob("*.y*ml") if p.name not in wanted) if root.is_dir() else []
    if others and not force:
        raise BadInput(f"{str(root)!r} already has a catalog ({', '.join(others)}); choose another folder")
    for name, content in wanted.items():
        path = root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as why:
            raise BadInput(f"{str(root)!r} cannot be made: {why.strerror}; choose another folder") from None
        path.write_bytes(_dated(content, now) if name.startswith("stories/") else content)
    return [root / name for name in wanted]


def _dated(story: bytes, now: int) -> bytes:
    return _AGO.sub(lambda found: f'"{format_instant(now - int(found[1]) * DAY)}"'.encode(), story)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        elif not item.name.startswith(("_", ".")):
            yield f"{prefix}{item.name}", item.read_bytes()
