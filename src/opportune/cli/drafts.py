"""The command `draft`: texts that a generator proposes and a person accepts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from opportune import settings
from opportune.cli.options import Dir, Json, chosen, say


class _NewByDefault(TyperGroup):
    """`draft ACTION` is `draft new ACTION`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["new", *args]
        return super().parse_args(ctx, args)


HELP = """Draft the texts of a treatment, list the drafts that wait, accept one.

Example: opportune draft keep_bundle --treatment hero
"""

draft = typer.Typer(cls=_NewByDefault, no_args_is_help=True, help=HELP)


@draft.command("new")
def new(
    action: Annotated[str, typer.Argument(help="The action to write for; `draft ACTION` is short for it.")],
    treatment: Annotated[str, typer.Option(help="The treatment (default: the only one).")] = "",
    language: Annotated[str, typer.Option(help="The language (default: the catalog's).")] = "",
    instruction: Annotated[str, typer.Option(help="What to heed, in words.")] = "",
    url: Annotated[str | None, typer.Option(help="An OpenAI-compatible address (default: generator_url).")] = None,
    model: Annotated[str | None, typer.Option(help="The model there (default: generator_model).")] = None,
    dir: Dir = None,
    json: Json = False,
) -> None:
    """Draft the texts of a treatment into drafts/: checked, never live by itself. Without an address, in plain words.

    The key of the address comes from OPPORTUNE_GENERATOR_KEY. Only texts of the catalog are sent.

    Example: opportune draft keep_bundle --treatment hero --language de --instruction "warm, one sentence"
    """
    from opportune.clock import SystemClock
    from opportune.deliver.drafts import draft as drafted
    from opportune.deliver.generators import Chat, Generator, Plain

    given = {"dir": dir, "generator_url": url, "generator_model": model}
    found = settings.read(given, os.environ)
    generator: Generator = Plain()
    if found.generator_url:
        key = os.environ.get("OPPORTUNE_GENERATOR_KEY", "")
        generator = Chat(found.generator_url, found.generator_model, key)
    path, made, problems = drafted(
        found.dir, action, treatment, language, generator, SystemClock().now(), instruction
    )  # fmt: skip
    lines = [f"{key}: {text}" for key, text in made.texts.items()] + [str(p) for p in problems]
    lines.append(f"By {made.by}, in {path}. Read it, then: opportune draft accept {path} --by YOUR_NAME")
    told = {"file": str(path), "by": made.by, "language": made.language, "texts": dict(made.texts)}
    say(json, {**told, "problems": [str(p) for p in problems]}, "\n".join(lines))


@draft.command("list")
def list_(dir: Dir = None, json: Json = False) -> None:
    """List the drafts that wait for a person.

    Example: opportune draft list --dir shop
    """
    from opportune.clock import format_instant
    from opportune.deliver.draft_files import waiting

    rows = [
        {"file": str(path), "action": d.action, "treatment": d.treatment, "language": d.language, "by": d.by,
         "at": format_instant(d.at), "texts": dict(d.texts)}
        for path, d in waiting(chosen(dir).dir)
    ]  # fmt: skip
    lines = [f"{row['file']}  by {row['by']}, {row['at']}" for row in rows] or ["No draft waits."]
    say(json, {"drafts": rows}, "\n".join(lines))


@draft.command("accept")
def accept(
    file: Annotated[Path, typer.Argument(help="The draft, a file of drafts/.")],
    by: Annotated[str, typer.Option(help="Who read it and takes it.")],
    dir: Dir = None,
    json: Json = False,
) -> None:
    """Put a draft into the files of the catalog, comments kept. It goes live with the next publish.

    Example: opportune draft accept drafts/keep_bundle.hero.de.yaml --by ana
    """
    from opportune.clock import SystemClock
    from opportune.deliver.drafts import accept as accepted

    folder = chosen(dir).dir
    file = file if file.exists() else folder / file
    changed, record = accepted(folder, file, by, SystemClock().now())
    text = f"Changed {', '.join(changed) or 'nothing'}; the draft is kept in {record}.\nNext: opportune publish"
    say(json, {"changed": changed, "record": str(record)}, text)
