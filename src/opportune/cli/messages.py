"""The command `preview`: a message as a customer would get it."""

from __future__ import annotations

import json as codec
from base64 import b64decode
from pathlib import Path
from typing import Annotated, Any

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, note, say
from opportune.errors import BadInput
from opportune.wire.sending import Preview


def preview(
    action: Annotated[str, typer.Argument(help="An action of the catalog that is live.")],
    customer: Annotated[str | None, typer.Option(help="For whom (default: a sample person).")] = None,
    treatment: Annotated[str, typer.Option(help="Which form of the action (default: its first).")] = "",
    language: Annotated[str, typer.Option(help="In which language (default: the customer's).")] = "",
    out: Annotated[Path | None, typer.Option(help="Write the page or the PDF to this file.")] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show a message as a customer would get it now, in any form. Leaves no trace.

    Example: opportune preview more_data --customer maya --treatment mail --out mail.html
    """
    with connect(dir, store) as hub:
        made = hub.preview(action, customer, treatment, language)
    if out and made.fault is None:
        out.write_bytes(_file(made))
        note(f"Wrote {out}.")
    say(json, made, "\n".join([_head(made), "", *_shown(made)]))
    if made.fault:
        raise typer.Exit(2)


def _head(made: Preview) -> str:
    who = made.customer_id or "a sample person"
    return f"{made.action}/{made.treatment} for {who}: {made.form} in {made.channel}, language {made.language}"


def _shown(made: Preview) -> list[str]:
    """Return the lines that show a message to a person."""
    if made.fault:
        f = made.fault
        return [f"{f.field}:{f.line}:{f.column}: {f.what}" if f.field else f.what]
    lines: list[str] = []
    for key, value in made.content.items():
        if key in FILES:
            lines.append(f"{key}: {len(value)} characters; --out FILE writes it")
        elif isinstance(value, str) and "\n" in value:
            lines += [f"{key}:", *(f"  {line}" for line in value.splitlines())]
        else:
            lines.append(f"{key}: {value if isinstance(value, str) else codec.dumps(value, ensure_ascii=False)}")
    return lines + [f"Note: {remark}" for remark in made.remarks]


FILES = ("html", "pdf")
"""Parts of a content that are for other programs."""


def _file(made: Preview) -> bytes:
    content: dict[str, Any] = dict(made.content)
    if "pdf" in content:
        return b64decode(content["pdf"])
    if "html" in content:
        return str(content["html"]).encode()
    raise BadInput(f"--out: the form {made.form} has no page and no PDF; leave it out, or use --json")
