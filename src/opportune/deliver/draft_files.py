"""Drafts as files of the project folder, `drafts/ACTION.TREATMENT.LANGUAGE.yaml`: never live, theirs to edit."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from opportune.catalog.export import scalar
from opportune.catalog.fields import Fields, Report
from opportune.catalog.node import Node, Spot
from opportune.catalog.source import parse_yaml
from opportune.clock import format_instant, parse_instant
from opportune.errors import BadCatalog, BadInput, Problem

FOLDER, ACCEPTED = "drafts", "accepted"


@dataclass(frozen=True, slots=True)
class Draft:
    """Texts for the fields of a treatment in a language, and who wrote them when.

    `based_on` is the hash of what stood there then.
    """

    action: str
    treatment: str
    language: str
    texts: Mapping[str, str]
    by: str
    at: int
    based_on: str
    instruction: str = ""

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.action}.{self.treatment}.{self.language}.yaml"


def save(folder: Path, draft: Draft) -> Path:
    """Write a draft, in place of one for the same treatment and language; return its file."""
    path = folder / FOLDER / draft.name
    path.parent.mkdir(exist_ok=True)
    _write(path, _text(draft, path))
    return path


def note(path: Path, found: Iterable[Problem]) -> None:
    """Add what was found to a draft just saved, at its end: for who reads it; it is never read back."""
    lines = [f"  - {scalar(str(problem))}\n" for problem in found]
    _write(path, path.read_text("utf-8") + (f"found:\n{''.join(lines)}" if lines else "found: []\n"))


def settle(path: Path, by: str, at: int) -> Path:
    """Move a draft to those accepted, with who accepted it; return its file there."""
    home = path.parent / ACCEPTED
    home.mkdir(exist_ok=True)
    moment = format_instant(at)
    kept = home / f"{path.stem}.{''.join(c for c in moment if c.isalnum())}.yaml"
    _write(kept, f"{path.read_text('utf-8').rstrip()}\naccepted: {{by: {json.dumps(by)}, at: {json.dumps(moment)}}}\n")
    path.unlink()
    return kept


def waiting(folder: Path) -> list[tuple[Path, Draft]]:
    """Return the drafts that wait for a person, by file. Raises `BadCatalog` if one cannot be read."""
    return [(path, read(path)[0]) for path in sorted((folder / FOLDER).glob("*.yaml"))]


def read(path: Path) -> tuple[Draft, Node]:
    """Return a draft and the node of its texts. Raises `BadInput` if there is none, `BadCatalog` for its mistakes."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as why:
        raise BadInput(f"{str(path)!r} cannot be read as a draft: {why}; see `opportune draft list`") from None
    problems: list[Problem] = []
    report = Report(problems)
    tree = parse_yaml(text, str(path), problems) or Node({}, Spot(str(path)))
    fields = Fields(tree, report, "this draft")
    words = {key: fields.text(key, required=True) for key in ("action", "treatment", "language", "by", "based_on")}
    at, instruction, node = fields.text("at", required=True), fields.text("instruction"), fields.find("texts", True)
    texts: dict[str, str] = {}
    for key, _, inner in fields.pairs("texts"):
        if isinstance(inner.value, dict | list) or not inner.text.strip():
            fields.wrong(inner, f"texts.{key}", "a text")
        texts[key] = inner.text
    if problems or node is None:
        raise BadCatalog(problems)
    try:
        made = parse_instant(at)
    except BadInput:
        raise BadCatalog([Problem(f"`{at}` is no time", "leave it as it was", file=str(path))]) from None
    return Draft(**words, texts=texts, at=made, instruction=instruction), node


def _text(draft: Draft, path: Path) -> str:
    accept = f"opportune draft accept {path} --by YOUR_NAME"
    lines = ["# A draft: not live. Read it, change the texts as you like, and take it with", f"#   {accept}"]
    lines += [f"{key}: {scalar(getattr(draft, key))}" for key in ("action", "treatment", "language")]
    lines.append("texts:")
    for key, text in draft.texts.items():
        if _fits_a_block(text):
            lines += [f"  {scalar(key)}: |-", *(f"    {line}".rstrip() for line in text.split("\n"))]
        else:
            lines.append(f"  {scalar(key)}: {scalar(text)}")
    lines += [f"by: {scalar(draft.by)}", f'at: "{format_instant(draft.at)}"', f'based_on: "{draft.based_on}"']
    if draft.instruction:
        lines.append(f"instruction: {scalar(draft.instruction)}")
    return "\n".join(lines) + "\n"


def _fits_a_block(text: str) -> bool:
    """Whether a text has lines that a block of YAML holds as they are."""
    lines = text.split("\n")
    plain = all(line.isprintable() and line == line.strip() for line in lines)
    return len(lines) > 1 and plain and bool(lines[0]) and bool(lines[-1])


def _write(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, "utf-8")
    os.replace(beside, path)
