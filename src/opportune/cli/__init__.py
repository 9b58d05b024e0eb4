"""The command `opportune`."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

import opportune
from opportune.cli.commands import Commands
from opportune.errors import BadInput, Forgotten, NotFound, OpportuneError

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="A customer decision hub: one brain behind every channel.",
)


@app.callback(invoke_without_command=True)
def options(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(opportune.__version__)
        raise typer.Exit


def main() -> None:
    """Run the command; errors go to stderr, with exit code 2 where the input is at fault and 1 elsewhere.

    SIGTERM ends it in order, as Ctrl-C does: what was sent is written down first.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        app()
    except (BadInput, NotFound, Forgotten) as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    except (OpportuneError, OSError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
