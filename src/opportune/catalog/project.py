"""A new project: the template of a small telecom company, written into a folder."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from opportune.errors import BadInput


def template() -> dict[str, bytes]:
    """Return the files of the template by their relative path."""
    return dict(sorted(_walk(files("opportune.catalog") / "template", "")))


def write_project(folder: Path | str, force: bool = False) -> list[Path]:
    """Write the template into a folder, made if need be, and return the paths written.

    Raises `BadInput`, before anything is written, if a file of the same name is there already and `force` is false, or
    if another YAML file would become part of the catalog.
    """
    root = Path(folder)
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
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return [root / name for name in wanted]


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        elif not item.name.startswith(("_", ".")):
            yield f"{prefix}{item.name}", item.read_bytes()
