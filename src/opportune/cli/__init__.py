"""The command `opportune`."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

import opportune
from opportune.cli.asked import COMMANDS as ASKED
from opportune.cli.attribution import COMMANDS as ATTRIBUTION
from opportune.cli.catalog import COMMANDS as CATALOG
from opportune.cli.configure import COMMANDS as CONFIGURE
from opportune.cli.coupons import GROUPS as COUPONS
from opportune.cli.customers import COMMANDS as CUSTOMERS
from opportune.cli.decisions import COMMANDS as DECISIONS
from opportune.cli.demo import COMMANDS as DEMO
from opportune.cli.drafts import GROUPS as DRAFTS
from opportune.cli.foresight import COMMANDS as FORESIGHT
from opportune.cli.lab import GROUPS as LAB
from opportune.cli.measure import COMMANDS as MEASURE
from opportune.cli.messages import COMMANDS as MESSAGES
from opportune.cli.outbound import GROUPS as OUTBOUND
from opportune.cli.outbox import GROUPS as OUTBOX
from opportune.cli.quality import COMMANDS as QUALITY
from opportune.cli.recommend import COMMANDS as RECOMMEND
from opportune.cli.recommend import GROUPS as ITEMS
from opportune.cli.rental import GROUPS as RENTAL
from opportune.cli.server import COMMANDS as SERVER
from opportune.cli.server import GROUPS
from opportune.errors import BadInput, Forgotten, NotFound, OpportuneError

app = typer.Typer(
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


for command in (
    *ATTRIBUTION, *FORESIGHT, *DEMO, *CATALOG, *CUSTOMERS, *DECISIONS, *MESSAGES, *SERVER, *MEASURE, *ASKED, *RECOMMEND,
    *CONFIGURE, *QUALITY,
):  # fmt: skip
    app.command(name=command.__name__.rstrip("_").replace("_", "-"), help=command.__doc__)(command)
for name, group in {**GROUPS, **COUPONS, **ITEMS, **OUTBOUND, **OUTBOX, **DRAFTS, **RENTAL, **LAB}.items():
    app.add_typer(group, name=name)


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
