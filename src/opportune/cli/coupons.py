"""Commands about what customers can redeem: coupon list, new, issue, show, redeem, release, withdraw; and points."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, note, say

if TYPE_CHECKING:
    from opportune.wire.offering import CodeInfo, PointsMoved, Redemption

coupon = typer.Typer(no_args_is_help=True, help="Coupons and their codes.\n\nExample: opportune coupon list")
points = typer.Typer(no_args_is_help=True, help="The points of customers.\n\nExample: opportune points show maya")

Name = Annotated[str, typer.Argument(help="A coupon of the catalog.")]
Code = Annotated[str, typer.Argument(help="The code; case and dashes do not matter.")]
Customer = Annotated[str, typer.Argument(help="The id of a customer.")]
Order = Annotated[str, typer.Option(help="The id of the order.")]
Id = Annotated[str, typer.Option(help="An id of your own: the same one does it once.")]


@coupon.command("list")
def list_(
    customer: Annotated[str | None, typer.Option(help="Only the codes that were made for this customer.")] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """List the coupons and what became of them, or the codes of a customer.

    Example: opportune coupon list --customer maya
    """
    with connect(dir, store) as hub:
        if customer:
            codes = hub.codes_of(customer)
            say(json, {"codes": codes}, "\n".join(map(_code, codes)) or f"{customer} has no codes.")
            return
        found = hub.coupons()
    lines = [
        f"{c.name}: {c.issued:,} made, {c.open:,} open, {c.redeemed:,} redeemed, {c.expired:,} expired; "
        f"{c.spent:,.2f} spent and {c.reserved:,.2f} promised"
        + (f" of {c.budget:,.2f}" if c.budget is not None else "")
        + f" {c.currency}, in orders of {c.revenue:,.2f}"
        for c in found
    ]
    say(json, {"coupons": found}, "\n".join(lines) or "The catalog has no coupons.")


@coupon.command("new")
def new(
    name: Name,
    count: Annotated[int, typer.Option(min=1, help="How many codes.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Write the codes to this file, one a line.")] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Make codes for nobody in particular, to be printed or mailed by others. They are shown once.

    Example: opportune coupon new spring10 --count 100000 --out codes.txt
    """
    if out:
        out.touch(mode=0o600)  # a file that cannot be written is told before the codes are made
    with connect(dir, store) as hub:
        codes = hub.new_codes(name, count)
    if out:
        out.write_text("\n".join(codes) + "\n", "utf-8")
        note(f"Wrote {len(codes):,} codes to {out}.")
    say(json, {"coupon": name, "codes": [] if out else codes}, "" if out else "\n".join(codes))


@coupon.command("issue")
def issue(
    name: Name,
    customer: Customer,
    reference: Annotated[str, typer.Option(help="Why: the same reference has the same code.")] = "by hand",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Make a code for a customer.

    Example: opportune coupon issue spring10 maya --reference complaint-7
    """
    with connect(dir, store) as hub:
        found = hub.issue_coupon(name, customer, f"{customer}: {reference}")
    say(json, found, _code(found))


@coupon.command("show")
def show(code: Code, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show what became of a code.

    Example: opportune coupon show SPR-7K3M-9QXT-W2AB-C4ND5
    """
    with connect(dir, store) as hub:
        found = hub.code(code)
    say(json, found, _code(found))


@coupon.command("redeem")
def redeem(
    code: Code,
    order: Order,
    customer: Annotated[str | None, typer.Option(help="Who redeems it.")] = None,
    amount: Annotated[float | None, typer.Option(help="The amount of the order.")] = None,
    peek: Annotated[bool, typer.Option("--peek", help="Only say what would be.")] = False,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Redeem a code for an order, once.

    Example: opportune coupon redeem SPR-7K3M-9QXT-W2AB-C4ND5 --order 1001 --amount 80
    """
    with connect(dir, store) as hub:
        found = hub.redeem(code, order, customer, amount, peek=peek)
    say(json, found, _redeemed(found))


@coupon.command("release")
def release(
    code: Code,
    order: Order,
    amount: Annotated[float | None, typer.Option(help="What was kept of it (default: nothing).")] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Say that an order was returned, or a part of it.

    Example: opportune coupon release SPR-7K3M-9QXT-W2AB-C4ND5 --order 1001
    """
    with connect(dir, store) as hub:
        found = hub.release_coupon(code, order, amount)
    say(json, found, _redeemed(found))


@coupon.command("withdraw")
def withdraw(code: Code, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """End a code that nobody may use any more.

    Example: opportune coupon withdraw SPR-7K3M-9QXT-W2AB-C4ND5
    """
    with connect(dir, store) as hub:
        done = hub.withdraw_code(code)
    say(json, {"withdrawn": done}, "The code is no longer good." if done else "The code was not open.")


@points.command("show")
def standing(customer: Customer, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show where a customer stands.

    Example: opportune points show maya
    """
    with connect(dir, store) as hub:
        found = hub.points(customer)
    soon = f"; {found.expiring:,} end at {found.expires:%Y-%m-%d %H:%M} UTC" if found.expires else ""
    say(json, found, f"{customer}: {found.points:,} points, {found.tier or 'no tier'}{soon}")


@points.command("statement")
def statement(
    customer: Customer,
    after: Annotated[int, typer.Option(min=0, help="Go on after the line of this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many lines at most.")] = 100,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show the account of a customer, line by line.

    Example: opportune points statement maya
    """
    with connect(dir, store) as hub:
        found = hub.statement(customer, after, limit)
    lines = [f"{e.number}  {e.at:%Y-%m-%d}  {e.kind}  {e.points:+,}  {e.balance:,}  {e.reference}" for e in found]
    say(json, {"lines": found}, "\n".join(lines) or "There is nothing in this account.")


@points.command("spend")
def spend(
    customer: Customer,
    many: Annotated[int, typer.Argument(min=1, help="How many points.")],
    id: Id,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Spend points of a customer, all of them or none.

    Example: opportune points spend maya 500 --id order-1001
    """
    with connect(dir, store) as hub:
        found = hub.spend_points(customer, many, id)
    say(json, found, _moved(found))


@points.command("reverse")
def reverse(
    customer: Customer,
    what: Annotated[str, typer.Argument(help="spent (give back) or earned (take back).")],
    of: Annotated[str, typer.Argument(help="The id of the spending, or the order that earned.")],
    id: Id,
    many: Annotated[int | None, typer.Option("--points", min=1, help="How many (default: all).")] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Give points back that were spent, or take back points that were earned.

    Example: opportune points reverse maya spent order-1001 --id return-1001
    """
    with connect(dir, store) as hub:
        found = hub.reverse_points(customer, what, of, id, many)
    say(json, found, _moved(found))


def _code(c: CodeInfo) -> str:
    until = f", good until {c.expires:%Y-%m-%d %H:%M} UTC" if c.expires else ""
    whom = f" for {c.customer_id}" if c.customer_id else ""
    uses = f", used {c.uses:,} times" if c.uses else ""
    return f"{c.code or '(only its hash is kept)'}  {c.coupon}{whom}: {c.state}{until}{uses}"


def _redeemed(r: Redemption) -> str:
    if r.returned:
        return f"{r.coupon}: order {r.order_id} was returned; it gets nothing off."
    return f"{r.coupon}: order {r.order_id} gets {r.discount:.2f} {r.currency} off."


def _moved(moved: PointsMoved) -> str:
    return f"{moved.points:,} points; {moved.balance:,} are left." + (" It was done before." if moved.again else "")
