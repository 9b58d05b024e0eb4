"""Commands about items: recommend, items import, items list, items train, items revenue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, progress, say
from opportune.errors import BadInput

if TYPE_CHECKING:
    from opportune.wire.recommending import MoneyFigure, ShelfRevenue, ShelfState

AT_ONCE = 1_000
"""Items that are sent together."""

items = typer.Typer(no_args_is_help=True, help="The items that can be recommended.\n\nExample: opportune items list")


def recommend(
    customer: Annotated[str | None, typer.Argument(help="A user id.")] = None,
    anonymous: Annotated[str | None, typer.Option(help="An anonymous id, in place of a user id.")] = None,
    purpose: Annotated[str | None, typer.Option(help="self or gift; by default that of the running visit.")] = None,
    like: Annotated[list[str] | None, typer.Option(help="What the recipient of a gift likes; may be repeated.")] = None,
    of: Annotated[str, typer.Option(help="A condition on items, such as \"category = 'horror'\".")] = "",
    n: Annotated[int, typer.Option(help="How many items.")] = 10,
    explain: Annotated[bool, typer.Option("--explain", help="Say what counted most, and how much.")] = False,
    evaluate: Annotated[Path | None, typer.Option(help="Judge the recommender on a file of users and items.")] = None,
    user: Annotated[str, typer.Option(help="With --evaluate: the column of the user.")] = "user",
    item: Annotated[str, typer.Option(help="With --evaluate: the column of the item.")] = "item",
    time: Annotated[str | None, typer.Option(help="With --evaluate: the column of the time, if there is one.")] = None,
    least: Annotated[int, typer.Option(help="With --evaluate: users with fewer items are not judged.")] = 5,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Recommend items to a customer, each with its reason; or judge the recommender on a file of your own.

    Example: opportune recommend maya --purpose gift --like horror
    """
    if evaluate is not None:
        _evaluate(evaluate, user, item, time, n, least, json)
        return
    if purpose not in (None, "self", "gift"):
        raise BadInput(f"--purpose is {purpose!r}; write self or gift")
    with connect(dir, store) as hub:
        found = hub.recommend(customer, anonymous, n, purpose, like or (), of, peek=True)
    lines = []
    for place, one in enumerate(found.items, 1):
        price = "" if one.item.get("price") is None else f", {one.item['price']:,.2f}"
        lines.append(f"{place:3}. {one.item.get('title') or one.id} ({one.id}{price}): {one.reason}")
        if explain:
            lines.append(f"     {one.part or 'nothing'} counted most; score {one.score:.4g}, its chance of this place "
                         f"{one.probability:.3g}")  # fmt: skip
    none = "There is nothing to recommend; put items on the shelf: opportune items import"
    say(json, found, "\n".join(lines) or none)


@items.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="jsonl, csv or parquet, with columns id, title, categories, price, ...")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Put the items of a file on the shelf, in the place of those of the same ids.

    Example: opportune items import products.csv
    """
    taken, there = 0, 0
    with connect(dir, store) as hub, progress("Importing", quiet=json) as tell:
        for done, page in _pages(file):
            told = hub.put_items(page)
            taken, there = taken + told.taken, told.items
            tell(done, f"{taken:,} items")
    say(json, {"taken": taken, "items": there}, f"{taken:,} items taken; {there:,} are on the shelf.")


@items.command("list")
def list_(
    after: Annotated[str, typer.Option(help="Begin after this id.")] = "",
    limit: Annotated[int, typer.Option(help="How many.")] = 100,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """List the items of the shelf by id.

    Example: opportune items list --limit 20
    """
    with connect(dir, store) as hub:
        page = hub.items(after, limit)
    lines = [f"{one['id']:20} {one.get('title', '')}" for one in page.items]
    say(json, page, "\n".join(lines) or "There are no items; `opportune items import FILE` puts some on the shelf.")


@items.command("train")
def train(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Learn what goes with what now; a hub that serves does so by itself when its model is some hours old.

    Example: opportune items train
    """
    with connect(dir, store) as hub:
        found = hub.train_shelf()
    say(json, found, _state(found))


@items.command("status")
def status(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show what the shelf holds, and how well its model finds what customers took.

    Example: opportune items status
    """
    with connect(dir, store) as hub:
        found = hub.shelf()
    say(json, found, _state(found))


@items.command("revenue")
def revenue(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show what recommendations bring: what was bought after them, and what they changed.

    Example: opportune items revenue
    """
    with connect(dir, store) as hub:
        found = hub.shelf_revenue()
    say(json, found, _revenue(found))


def _revenue(found: ShelfRevenue) -> str:
    def line(name: str, figure: MoneyFigure | None, otherwise: str) -> str:
        if figure is None:
            return f"{name:12} not known: {otherwise}"
        per = f"{figure.value:,.2f} [{figure.low:,.2f}, {figure.high:,.2f}]"
        return f"{name:12} {per} {found.currency} per customer, {figure.total:,.2f} in all"

    return "\n".join((
        f"{found.customers:,} customers got recommendations and spent {found.revenue:,.2f} {found.currency} since; "
        f"{found.held_out:,} were held out.",
        line("attributed", found.attributed, "fewer than two customers got any"),
        f"             paid for items within {found.credit} after they were recommended; much of it they may have",
        "             bought anyway",
        line("incremental", found.incremental, found.reason),
        "             spent more, on anything, than by those who were held out: what recommendations changed",
    ))  # fmt: skip


def _state(found: ShelfState) -> str:
    if found.trained is None:
        return f"{found.items:,} items; nothing was learned yet: opportune items train"
    lines = [f"{found.items:,} items, learned from {found.touches:,} touches at {found.trained:%Y-%m-%d %H:%M} UTC",
             "Of held items, found among the first ten:"]  # fmt: skip
    return "\n".join([*lines, *(f"  {name:12} {rate:.3f}" for name, rate in found.judged.items())])


def _pages(file: Path) -> Iterator[tuple[float, list[dict[str, Any]]]]:
    """Yield (part read, rows) of a file of items; raise `BadInput` for a row that cannot be read."""
    from opportune.events.sources import open_source

    source, page = open_source(file), list[dict[str, Any]]()
    for number, row in source.rows():
        if isinstance(row, str):
            raise BadInput(f"{file}:{number}:1: this row cannot be read: {row[:60]!r}")
        page.append({name: value for name, value in row.items() if value is not None and value != ""})
        if len(page) == AT_ONCE:
            yield source.done(), page
            page = []
    if page:
        yield 1.0, page


def _evaluate(file: Path, user: str, item: str, time: str | None, n: int, least: int, json: bool) -> None:
    from opportune.recommend.evaluate import hit_rate, read_table

    found = hit_rate(read_table(file, user, item, time), n, least)
    lines = [
        f"{found.users:,} users judged, {found.items:,} items, {found.rows:,} rows; learned in {found.seconds:.1f} s",
        f"hit rate at {found.n}: {found.hit_rate:.4f} [{found.interval[0]:.4f}, {found.interval[1]:.4f}], "
        f"{found.vs_item_cosine:.3f} times item cosine",
        f"  {'item cosine':14} {found.item_cosine:.4f}",
        f"  {'popularity':14} {found.popularity:.4f}",
        *(f"  {name:14} {rate:.4f} alone, weight {found.weights[name]:.3g}" for name, rate in found.parts.items()),
    ]
    say(json, found, "\n".join(lines))
GROUPS = {"items": items}
