"""Commands about decisions and the model: decide, explain, respond, rebuild."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, say
from opportune.clock import parse_instant
from opportune.errors import BadInput

if TYPE_CHECKING:
    from opportune.wire import Offer


def decide(
    customer: Annotated[str, typer.Argument(help="A user id (or, with --anonymous, an anonymous id).")],
    anonymous: Annotated[bool, typer.Option("--anonymous", help="The customer is an anonymous id.")] = False,
    placement: Annotated[list[str] | None, typer.Option(help="Where; several get several answers.")] = None,
    limit: Annotated[int, typer.Option(help="How many actions per placement.")] = 1,
    context: Annotated[list[str] | None, typer.Option(help="name=value, as declared in the catalog.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why this and not that.")] = False,
    commit: Annotated[bool, typer.Option("--commit", help="Record it and reserve its contacts.")] = False,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Answer a channel: the next best action for a customer, or silence.

    Example: opportune decide maya --placement app.home.hero --explain
    """
    with connect(dir, store) as hub:
        live = hub.status()
        wanted = placement or live.placements
        given = _context(context or [], live.context)
        known, visitor = (None, customer) if anonymous else (customer, None)
        answer = hub.decide(
            known, placements=wanted, context=given, limit=limit, anonymous=visitor, peek=not commit, explain=explain
        )
    lines = [line for offer in answer.actions for line in _lines(offer)] or [f"Silence: {answer.silence}."]
    if answer.decision_id:
        lines.append(f"Decision {answer.decision_id}")
    if answer.explanation:
        lines += ["", str(answer.explanation)]
    say(json, answer, "\n".join(lines))


def _lines(o: Offer) -> Iterator[str]:
    """Yield what an action is, why it won, and what it carries."""
    yield (
        f"{o.placement} {o.rank}. {o.issue}/{o.group}/{o.action} ({o.treatment}): priority {o.priority:.4g} = "
        f"P {o.propensity:.4g} x C {o.context_weight:.3g} x V {o.value:.4g} x L {o.lever:.3g}"
    )
    for item in o.items:
        yield f"    item {item.id}: {item.reason}"
    if o.coupon:
        until = f", good until {o.coupon.ends:%Y-%m-%d %H:%M} UTC" if o.coupon.ends else ""
        yield f"    coupon {o.coupon.name}: {o.coupon.code}{until}"


def explain(
    decision: Annotated[str, typer.Argument(help="A decision id.")],
    action: Annotated[str | None, typer.Option(help="Why did this one not win, and what would change that?")] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Explain a recorded decision by deciding again, as it was.

    Example: opportune explain 01KEXAMPLE --action keep_bundle
    """
    with connect(dir, store) as hub:
        if action:
            told = hub.why(decision, action)
            say(json, told, told.sentence)
            return
        found = hub.recorded(decision)
    replayed = "the same to the bit" if found.replayed else "NOT the same"
    say(json, found, f"{found.explanation}\nReplayed from the ledger: {replayed}.")


def respond(
    decision: Annotated[str, typer.Argument(help="A decision id.")],
    action: Annotated[str, typer.Argument(help="An action of it.")],
    outcome: Annotated[str, typer.Argument(help="impression, or an outcome of the action.")],
    value: Annotated[float | None, typer.Option(help="What it was worth.")] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Tell what became of an action.

    Example: opportune respond 01KEXAMPLE keep_bundle accept
    """
    with connect(dir, store) as hub:
        news = hub.respond(decision, action, outcome, value)
    say(json, {"news": news}, "Learned." if news else "Known already.")


def rebuild(
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Learn the model anew from the ledger alone, with final labels.

    Example: opportune rebuild --reason "after the refunds of May"
    """
    with connect(dir, store) as hub:
        made = hub.rebuild(reason)
    say(json, made, f"Rebuilt from {made.answers} answers: model {made.model[:12]}.")


def model(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show what the model has learned: metrics per action, and the bins of each predictor.

    Example: opportune model --dir shop
    """
    with connect(dir, store) as hub:
        found = hub.model()
    lines = [f"{found['answers']} answers learned; each prediction is judged before its answer is learned."]
    if found["actions"]:
        heads = ("answers", "positive", "AUC", "log loss", "calibration error")
        lines.append(f"{'action':24} {heads[0]:>8} {heads[1]:>8} {heads[2]:>6} {heads[3]:>9} {heads[4]:>18}")
    for a in found["actions"]:
        lines.append(
            f"{a['action']:24} {a['answers']:8.0f} {a['positives']:8.0f} {_told(a['auc'], '.3f'):>6} "
            f"{_told(a['logLoss'], '.4f'):>9} {_told(a['calibrationError'], '.4f'):>18}"
        )
    for known in found["inputs"]:
        bins = [b for b in known["bins"] if b["answers"] >= 1]
        if bins:
            drawn = ", ".join(f"{b['bin']} {b['propensity']:.1%} ({b['answers']:.0f})" for b in bins[:8])
            lines.append(f"{known['input']}: {drawn}" + (f" and {len(bins) - 8} more" if len(bins) > 8 else ""))
    say(json, found, "\n".join(lines))


def _told(value: float | None, how: str) -> str:
    return "-" if value is None else format(value, how)


READERS: dict[str, Callable[[str], Any]] = {
    "number": float,
    "text": str,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "time": parse_instant,
}


def _context(given: list[str], declared: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name not in declared:
            raise BadInput(f"--context {text}: write name=value; the catalog declares {', '.join(declared) or 'none'}")
        try:
            found[name] = READERS[declared[name]](value)
        except (ValueError, KeyError):
            raise BadInput(f"--context {text}: {value!r} is not a {declared[name]}") from None
    return found
