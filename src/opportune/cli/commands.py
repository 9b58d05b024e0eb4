"""The commands by heading: where each one is, and what the list of commands says of it.

A command is imported when it is asked for, so that `opportune --help` costs the same however many there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

if TYPE_CHECKING:
    from collections.abc import MutableMapping

HEADINGS: dict[str, dict[str, tuple[str, str]]] = {
    "Start": {
        "demo": ("demo:demo", "A simulated company, live; no configuration."),
        "init": ("catalog:init", "Write a small, commented project that works."),
        "serve": ("server:serve", "Answer every channel over HTTP."),
        "console": ("console:console", "A web page to see it think, and steer it."),
        "key": ("server:key", "The keys that open the HTTP door."),
    },
    "Catalog": {
        "check": ("catalog:check", "Every mistake at once, with its cure."),
        "diff": ("catalog:diff", "What publishing would change, and for how many."),
        "publish": ("catalog:publish", "Take changed files live: all or none."),
        "export": ("catalog:export", "Write what the console changed into them."),
    },
    "Customers": {
        "import": ("customers:import_", "Take events in from files."),
        "rejected": ("customers:rejected", "Events that were set aside, and replay."),
        "profile": ("customers:profile", "What is known of a customer."),
        "consents": ("customers:consents", "What a customer agreed to, and the proofs."),
        "forget": ("customers:forget", "Destroy a customer's data everywhere."),
        "quality": ("quality:quality", "The faults of the data, or of a table."),
        "plan": ("quality:plan", "The tracking plan, and what of it comes."),
    },
    "Decisions": {
        "decide": ("decisions:decide", "The next best action for a customer."),
        "decisions": ("recall:decisions", "What was decided, the latest first."),
        "explain": ("decisions:explain", "Why a decision was as it was."),
        "respond": ("decisions:respond", "What became of an action."),
        "model": ("decisions:model", "What the model has learned."),
        "rebuild": ("decisions:rebuild", "Learn the model anew from the ledger."),
        "replay": ("measure:replay", "A logged campaign through the hub."),
    },
    "Messages": {
        "preview": ("messages:preview", "A message as a customer would get it."),
        "draft": ("drafts:draft", "Drafts of texts, waiting for a person."),
        "outbound": ("outbound:outbound", "Decide for a whole audience."),
        "outbox": ("outbox:outbox", "What waits to leave, and what could not."),
        "care": ("asked:care", "The care score: is it too much?"),
    },
    "Items": {
        "items": ("recommend:items", "The items that can be recommended."),
        "recommend": ("recommend:recommend", "Items for a customer, each with its reason."),
        "coupon": ("coupons:coupon", "Coupons and their codes."),
        "points": ("coupons:points", "The points of customers."),
        "configure": ("configure:configure", "Check and complete a choice of a product."),
        "rental": ("rental:rental", "Lists to rent from."),
    },
    "Operations": {
        "campaign": ("campaigns:campaign", "Campaigns: stages, tasks, money, calendar."),
        "figures": ("figures:figures", "The six figures, with their uncertainty."),
        "report": ("report:report", "Reports by day and week: text, HTML, PDF, e-mail."),
        "tables": ("figures:tables", "The ledger as Parquet tables."),
        "tools": ("tools:tools", "The tools that people work with."),
        "health": ("health:health", "Where the operation is ill, and what to do next."),
    },
    "Knowledge": {
        "lab": ("lab:lab", "Hypotheses, experiments, holdouts, the gate."),
        "attribution": ("attribution:attribution", "Who gets the credit for conversions."),
        "clv": ("foresight:clv", "What each customer will bring."),
        "budget": ("foresight:budget", "Share a budget out over its lines."),
        "forecast": ("forecast:forecast", "What comes next in a series."),
        "geo": ("geo:geo", "What a test in some regions did."),
        "scores": ("scores:scores", "Who will leave, or respond: scores as traits."),
        "bench": ("measure:bench", "Measure the hub beside its peers."),
    },
    "Upkeep": {
        "backup": ("customers:backup", "A consistent copy of the whole store."),
        "restore": ("customers:restore", "Make a backup the store."),
    },
}
"""Heading -> command -> (module of this package and name in it, what it is for)."""

COMMANDS = {name: one for commands in HEADINGS.values() for name, one in commands.items()}


class _Imported(Mapping[str, typer.core.TyperCommand]):
    """The commands by name, each imported when it is looked up."""

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = COMMANDS[name][0].partition(":")
        found = getattr(import_module(f"opportune.cli.{module}"), attribute)
        app = typer.Typer(rich_markup_mode=None, add_completion=False)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
            return cast(TyperGroup, get_command(app)).commands[name]
        app.command(name=name)(found)
        return get_command(app)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Commands(TyperGroup):
    """The group of all commands."""

    def __init__(self, **told: Any) -> None:
        super().__init__(**told)
        self.commands = cast("MutableMapping[str, Any]", _Imported())

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, by heading."""
        return [*COMMANDS]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands without importing one."""
        for heading, commands in HEADINGS.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(11), told) for name, (_, told) in commands.items()])
