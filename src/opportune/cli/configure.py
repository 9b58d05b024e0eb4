"""The command `configure`: a product put together on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, say
from opportune.errors import BadInput

if TYPE_CHECKING:
    from opportune.wire.configured import Chosen, Configured, OptionInfo


def configure(
    product: Annotated[str | None, typer.Argument(help="A product of the catalog; none: list them.")] = None,
    choices: Annotated[list[str] | None, typer.Argument(help="What is chosen: option=value ...")] = None,
    customer: Annotated[str | None, typer.Option(help="For whom, by user id.")] = None,
    complete: Annotated[bool, typer.Option("--complete", help="Fill in what is open.")] = False,
    design: Annotated[str, typer.Option(help="Begin with a saved configuration, by its id.")] = "",
    remove: Annotated[str, typer.Option(help="Take back a saved configuration of the customer, by its id.")] = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show what a choice of a product still can be, what is ruled out by what, and what it costs; or complete it.

    Example: opportune configure computer screen=16 --complete --customer maya
    """
    with connect(dir, store) as hub:
        if remove:
            if customer is None:
                raise BadInput("only its designer can take a configuration back; say who: --customer ID")
            hub.remove_configuration(remove, customer)
            say(json, {"removed": True}, f"Configuration {remove} is taken back: nobody sees or orders it any more.")
            return
        if product is None:
            listed = hub.products()
            lines = [f"{one.name:20} {one.title}, {one.options} options" for one in listed]
            say(json, {"products": listed}, "\n".join(lines) or "The catalog has no products to configure.")
            return
        told = hub.configure(product)
        found = hub.configure(product, _chosen(told, choices or []), customer, None, complete, design)
    say(json, found, _text(found))


def _chosen(told: Configured, words: list[str]) -> dict[str, Chosen]:
    """Return choices that are written as `option=value`; what is no number, or no yes or no, stays a text."""
    options = {option.name: option for option in told.options}
    found: dict[str, Chosen] = {}
    for word in words:
        name, separator, text = word.partition("=")
        if not separator:
            raise BadInput(f"{word!r} is no choice; write option=value, such as {told.options[0].name}=...")
        found[name] = _value(options[name], text) if name in options else text
    return found


def _value(option: OptionInfo, text: str) -> Chosen:
    if option.type == "yes_no":
        return {"yes": True, "true": True, "no": False, "false": False}.get(text.lower(), text)
    if option.type != "choice" or all(isinstance(value.value, float) for value in option.values):
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _text(found: Configured) -> str:
    state = {True: "possible", False: "not possible", None: "not known in time"}[found.possible]
    lines = [f"{found.title}: {'complete, ' if found.complete else ''}{state}"]
    lines += [line for option in found.options for line in _option(option)]
    price = f"{found.price.now:,.2f} {found.price.currency}"
    if not found.complete and found.price.lowest is not None:
        price += f" so far, {found.price.lowest:,.2f} at least in the end"
    lines.append(f"Price: {price}")
    lines += [f"  {line.amount:10,.2f}  {line.title}" for line in found.price.lines]
    lines += [f"Conflict: {conflict.because}" for conflict in found.conflicts]
    if found.repair:
        changes = (f"{c.title} {_said(c.before)} -> {_said(c.after)}" for c in found.repair.changes)
        lines.append(f"Nearest choice that is possible: {', '.join(changes)}")
    return "\n".join(lines)


def _option(option: OptionInfo) -> list[str]:
    chosen = "open" if option.chosen is None else _said(option.chosen)
    filled = f" ({option.filled})" if option.filled else ""
    lines = [f"  {option.title} [{option.name}]: {chosen} {option.unit}".rstrip() + filled]
    if option.lowest is not None and option.highest is not None:
        why = f": {option.because}" if option.because else ""
        lines.append(f"      from {_said(option.lowest)} to {_said(option.highest)}{why}")
    elif option.values:
        lines.append(f"      can be {', '.join(_said(v.value) for v in option.values if v.possible is not False)}")
    lines += [f"      not {v.title}: {v.because}" for v in option.values if v.possible is False]
    return lines


def _said(value: Chosen) -> str:
    from opportune.catalog.product_types import written

    return written(value)
