"""Commands about renting: rental subscribe, list, next, send, ship, return, lost, keep, swap, copies and the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, say

if TYPE_CHECKING:
    from opportune.wire.renting import ItemCopies, NextItem, RentalInfo, RentalLine, Subscription

rental = typer.Typer(no_args_is_help=True, help="Lists to rent from.\n\nExample: opportune rental next maya dresses")

Customer = Annotated[str, typer.Argument(help="The id of a customer.")]
Plan = Annotated[str, typer.Argument(help="A rental plan of the catalog.")]
Number = Annotated[int, typer.Argument(min=1, help="The number of the rental.")]


@rental.command("subscribe")
def subscribe(
    customer: Customer,
    plan: Plan,
    tier: Annotated[str, typer.Argument(help="A tier of the plan.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Subscribe a customer to a plan, or change their tier from now on.

    Example: opportune rental subscribe maya dresses small
    """
    with connect(dir, store) as hub:
        changed = hub.subscribe_rental(customer, plan, tier)
    say(json, {"changed": changed}, f"{customer} has {tier} of {plan}" + ("." if changed else ", as before."))


@rental.command("pause")
def pause(customer: Customer, plan: Plan, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Send a customer nothing of a plan until it is resumed; they keep their places in the queues.

    Example: opportune rental pause maya dresses
    """
    with connect(dir, store) as hub:
        changed = hub.pause_rental(customer, plan)
    say(json, {"changed": changed}, f"{plan} of {customer} is paused.")


@rental.command("resume")
def resume(customer: Customer, plan: Plan, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Let a paused subscription go on.

    Example: opportune rental resume maya dresses
    """
    with connect(dir, store) as hub:
        changed = hub.resume_rental(customer, plan)
    say(json, {"changed": changed}, f"{plan} of {customer} goes on.")


@rental.command("cancel")
def cancel(customer: Customer, plan: Plan, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """End a subscription; everything must have come back.

    Example: opportune rental cancel maya dresses
    """
    with connect(dir, store) as hub:
        changed = hub.cancel_rental(customer, plan)
    say(json, {"changed": changed}, f"{customer} has nothing of {plan} any more.")


@rental.command("list")
def list_(
    customer: Customer,
    plan: Plan,
    add: Annotated[list[str] | None, typer.Option(help="An item to add, or to move; may be repeated.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="An item to remove; may be repeated.")] = None,
    place: Annotated[int | None, typer.Option(min=0, help="Where what is added goes, 0 for the front.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Show the list from this place on.")] = 0,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show the list of a customer; or add, move and remove items first.

    Example: opportune rental list maya dresses --add d7 --place 0
    """
    with connect(dir, store) as hub:
        if add or remove:
            hub.change_rental_list(customer, plan, add or (), remove or (), None, place)
        found = hub.rental_list(customer, plan, after)
    lines = [f"{one.place:4}. {one.title or one.item} ({one.item})" for one in found.items]
    say(json, found, "\n".join(lines) or f"The list of {customer} is empty.")


@rental.command("next")
def next_(customer: Customer, plan: Plan, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show what would be sent to a customer now, and why not what stands before it.

    Example: opportune rental next maya dresses
    """
    with connect(dir, store) as hub:
        found = hub.next_rental(customer, plan)
    say(json, found, _next(found))


@rental.command("suggest")
def suggest(
    customer: Customer,
    plan: Plan,
    n: Annotated[int, typer.Option(min=1, help="How many items.")] = 10,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Suggest items for the list of a customer.

    Example: opportune rental suggest maya dresses
    """
    with connect(dir, store) as hub:
        found = hub.suggest_rentals(customer, plan, n)
    lines = [f"{one.item.get('title') or one.id} ({one.id}): {one.reason}" for one in found.items]
    say(json, found, "\n".join(lines) or "There is nothing to suggest.")


@rental.command("send")
def send(
    customer: Customer,
    plan: Plan,
    id: Annotated[str, typer.Option(help="An id of your own: the same one sends once.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Send the next item to a customer.

    Example: opportune rental send maya dresses --id parcel-1001
    """
    with connect(dir, store) as hub:
        found = hub.send_rental(customer, plan, id)
    say(json, found, _info(found.sent) if found.sent else _next(found.next))


@rental.command("ship")
def ship(
    batch: Annotated[str, typer.Argument(help="An id of your own: the same one ships once.")],
    limit: Annotated[int, typer.Option(min=1, help="How many items at most.")] = 100,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Send to everybody whose turn it is, and print what to pick.

    Example: opportune rental ship 2026-11-22 --limit 500
    """
    with connect(dir, store) as hub:
        found = hub.ship_rentals(batch, limit)
    more = "\nOthers wait whose turn it is." if found.more else ""
    say(json, found, ("\n".join(map(_info, found.picks)) or "There is nothing to send.") + more)


@rental.command("return")
def return_(
    number: Annotated[int | None, typer.Argument(min=1, help="The number of the rental.")] = None,
    copy: Annotated[str, typer.Option(help="The copy, where the rental is not known; with --id.")] = "",
    id: Annotated[str, typer.Option(help="An id of your own: the same one counts once.")] = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Say that an item came back.

    Example: opportune rental return 1001
    """
    with connect(dir, store) as hub:
        found = hub.return_rental(number, copy, id)
    say(json, found, _info(found))


@rental.command("lost")
def lost(number: Number, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Say that an item will not come back.

    Example: opportune rental lost 1001
    """
    with connect(dir, store) as hub:
        found = hub.lose_rental(number)
    say(json, found, _info(found))


@rental.command("keep")
def keep(
    number: Number,
    price: Annotated[float | None, typer.Option(min=0, help="What is paid (default: the item's price).")] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Say that a customer buys what they have.

    Example: opportune rental keep 1001 --price 60
    """
    with connect(dir, store) as hub:
        found = hub.keep_rental(number, price)
    say(json, found, _info(found))


@rental.command("swap")
def swap(number: Number, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Take an item back and send the next one in its place.

    Example: opportune rental swap 1001
    """
    with connect(dir, store) as hub:
        found = hub.swap_rental(number)
    then = _info(found.sent) if found.sent else _next(found.next)
    say(json, found, f"{_info(found.returned)}\n{then}")


@rental.command("copies")
def copies(
    item: Annotated[str, typer.Argument(help="An item of the shelf.")],
    add: Annotated[list[str] | None, typer.Option(help="The name of a copy; may be repeated.")] = None,
    count: Annotated[int, typer.Option(min=0, help="Let there be copies ITEM#1 to ITEM#count.")] = 0,
    retire: Annotated[list[str] | None, typer.Option(help="A copy to take away for good; may be repeated.")] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show how many copies of an item there are for renting; or add and retire some first.

    Example: opportune rental copies d7 --count 3
    """
    with connect(dir, store) as hub:
        if add or count:
            hub.add_copies(item, add or (), count)
        for copy in retire or ():
            hub.retire_copy(copy)
        found = hub.copies(item)
    say(json, found, _copies(found))


@rental.command("show")
def show(
    customer: Customer,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show what a customer has.

    Example: opportune rental show maya
    """
    with connect(dir, store) as hub:
        found = hub.rentals(customer)
    say(json, {"plans": found}, "\n".join(map(_plan, found)) or f"{customer} rents nothing.")


@rental.command("statement")
def statement(
    customer: Customer,
    after: Annotated[int, typer.Option(min=0, help="Go on after the line of this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many lines at most.")] = 100,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show the subscriptions and rentals of a customer, line by line.

    Example: opportune rental statement maya
    """
    with connect(dir, store) as hub:
        found = hub.rental_statement(customer, after, limit)
    say(json, {"lines": found}, "\n".join(map(_line, found)) or f"{customer} has rented nothing.")


def _next(found: NextItem | None) -> str:
    assert found is not None
    passed = [f"  not {one.item}: {one.detail}" for one in found.passed] if found.item else []
    first = f"Next: {found.item}" if found.item else f"Nothing now: {found.detail}"
    return "\n".join([first, *passed])


def _info(one: RentalInfo) -> str:
    whom = f" for {one.customer_id}" if one.customer_id else ""
    again = " (known before)" if one.again else ""
    return f"{one.rental}  {one.item}, copy {one.copy}{whom}, {one.plan}: {one.state}{again}"


def _copies(found: ItemCopies) -> str:
    return f"{found.item}: {found.copies} copies, {found.out} out, {found.free} to send; {found.waiting:,} wait for it."


def _plan(one: Subscription) -> str:
    month = f"{one.sent_this_month}" + (f" of {one.per_month}" if one.per_month is not None else "")
    paused = f", paused until {one.paused_until:%Y-%m-%d}" if one.paused_until else ""
    first = (
        f"{one.plan}: {one.tier or 'no subscription'}{paused}; {len(one.out)} of {one.at_once} out, "
        f"{month} sent this month, {one.wishes:,} on the list"
    )
    return "\n".join([first, *(f"  {_info(out)}" for out in one.out)])


def _line(one: RentalLine) -> str:
    about = f"  {one.rental}  {one.item}" if one.rental else f"  {one.tier}" if one.tier else ""
    return f"{one.number}  {one.at:%Y-%m-%d}  {one.plan}  {one.what}{about}"
