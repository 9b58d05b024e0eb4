"""Attribution: what each model credits each channel with, and what holdouts say of the models."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from nicegui import ui
from nicegui.element import Element

from opportune.console.frame import Desk
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty
from opportune.console.parts.intervals import Value, intervals
from opportune.console.parts.later import later
from opportune.console.parts.shown import Shown, worded
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.errors import BadInput

EVENT = "Order Completed"
HELD = (
    "Credit is a claim of a model, not what a channel added. Give the holdout of a channel above, and models are "
    "judged by it."
)


def show(desk: Desk) -> None:
    """Build the view: what is asked is in the address."""
    asked = {name: desk.query.get(name, usual)[:200] for name, usual in (
        ("event", EVENT), ("value", "revenue"), ("back", "30d"), ("held", ""))}  # fmt: skip
    _form(asked)
    try:
        spec = _spec(asked)
    except BadInput as error:
        Shown[str](lambda text: Markup('<p class="problem">{}</p>').format(worded(text))).show(str(error))
        return
    later(desk, "see operations", lambda hub: hub.attribution(spec), lambda found: _draw(desk, found))


def _form(asked: dict[str, str]) -> None:
    fields = (
        ("event", "Conversion", "the event that counts"), ("value", "worth", "a property of it"),
        ("back", "Look back", "such as 30d"),
        ("held", "Holdouts", "email: 3302 of 36000, held 331 of 4000; one channel after the other"),
    )  # fmt: skip
    with Element("form").props("method=get action=/operations").classes("what-if"):
        view = Element("input")
        view._props.update({"type": "hidden", "name": "view", "value": "attribution"})
        for name, label, hint in fields:
            with Element("label"):
                ui.label(label)
                field = Element("input").classes("field")
                field._props.update({"name": name, "defaultValue": asked[name], "placeholder": hint, "title": hint})
        with ui.element("button").classes("button primary").props("type=submit"):
            ui.label("Share it out")


def _spec(asked: dict[str, str]) -> dict[str, Any]:
    spec: dict[str, Any] = {"data": "ledger", "conversions": asked["event"], "look_back": asked["back"] or "30d"}
    if asked["value"].strip():
        spec["value"] = asked["value"].strip()
    if asked["held"].strip():
        spec["holdouts"] = holdouts(asked["held"])
    return spec


def holdouts(text: str) -> dict[str, dict[str, int]]:
    """Return holdouts as a person wrote them, `email: 3302 of 36000, held 331 of 4000; app: ...`.

    Raises `BadInput` for another text.

    >>> holdouts("email: 30 of 400, held 3 of 40")["email"]
    {'treated': 400, 'conversions': 30, 'held': 40, 'held_conversions': 3}
    """
    import re

    found = {}
    for part in filter(str.strip, text.split(";")):
        told = re.fullmatch(r"\s*(.+?):\s*(\d+)\s+of\s+(\d+)\s*,?\s*held\s+(\d+)\s+of\s+(\d+)\s*", part)
        if told is None:
            raise BadInput(f"{part.strip()[:60]!r} is no holdout; write `email: 3302 of 36000, held 331 of 4000`")
        converted, treated, held_converted, held = map(int, told.groups()[1:])
        found[told[1]] = {
            "treated": treated,
            "conversions": converted,
            "held": held,
            "held_conversions": held_converted,
        }
    return found


def _draw(desk: Desk, found: dict[str, Any]) -> None:
    words = desk.words
    tournament = found["tournament"]
    for text in found["warnings"]:
        Shown[str](lambda told: Markup('<p class="note">{}</p>').format(told)).show(text)
    if tournament:
        _tournament(tournament, words)
    else:
        Shown[str](lambda text: Markup('<p class="note warn">{}</p>').format(text)).show(HELD)
    with card("Who gets the credit", lambda: _save(found)):
        Shown[dict[str, Any]](lambda told: _credits(told, words)).show(found)
    with ui.element("section").classes("card"):
        model = next(
            (name for name in ("position", *found["models"]) if found["models"].get(name, {}).get("channels")), ""
        )
        channels = found["models"][model]["channels"] if model else {}
        if channels:
            intervals(f"Credit by the model {model}", f"attribution-{model}", f"Conversions credited by {model}", [
                Value(name, one["conversions"], *one["interval"]) for name, one in channels.items()
            ], words, share=False)  # fmt: skip


def _credits(found: dict[str, Any], words: Words) -> Markup:
    models = {name: one for name, one in found["models"].items() if one["channels"]}
    if not models:
        reason = next((one["reason"] for one in found["models"].values() if one["reason"]), "")
        return empty(
            "No journey ended in this event.", f"Choose an event that customers send, or look back further. {reason}"
        )
    channels = sorted({channel for one in models.values() for channel in one["channels"]})
    rows = (
        (name.replace("_", " "), *(_cell(one["channels"].get(channel), words) for channel in channels),
         words.number(one["total_conversions"], 0)) for name, one in models.items()
    )  # fmt: skip
    heads = (("model", "How it shares a conversion out"), *channels, ("all", "conversions that it shares out"))
    silent = [f"{name}: {one['reason']}" for name, one in found["models"].items() if one["reason"]]
    about = Markup('<p class="soft small">{}</p>').format(worded("; ".join(silent))) if silent else Markup("")
    told = f"{words.number(found['conversions'], 0)} conversions on {words.number(found['paths'])} different journeys"
    return Markup('<p class="soft small">{}</p>').format(told) + table(
        "Conversions credited", heads, rows, right={*range(1, len(channels) + 2)}) + about  # fmt: skip


def _cell(one: dict[str, Any] | None, words: Words) -> Markup:
    if one is None:
        return Markup("–")
    low, high = one["interval"]
    return Markup('<span title="{} to {} by chance alone">{}</span>').format(
        words.number(low, 0), words.number(high, 0), words.number(one["conversions"], 0)
    )


def _tournament(told: dict[str, Any], words: Words) -> None:
    with card("The tournament: models against holdouts"):
        Shown[str](lambda text: Markup('<p class="note"><b>Next:</b> {}</p>').format(text)).show(told["sentences"][-1])
        rows = (
            (name.replace("_", " "), Markup('<span class="tag {}">{}</span>').format(
                "bad" if one["rejected"] else "good", "rejected" if one["rejected"] else "not rejected"),
             words.number(one["chi_square"], 1), p_value(one["p"], words)) for name, one in told["judged"].items()
        )  # fmt: skip
        heads = ("model", ("verdict", "Whether its claims and the holdouts can both be right"), "chi-square", "p")
        Shown[dict[str, Any]](lambda _: table("Models judged", heads, rows, right={2, 3})).show(told)
    with ui.element("section").classes("card"):
        intervals("What channels added, by models and holdouts together", "attribution-calibrated",
                  "Conversions added, 90% intervals", [
                      Value(name, one["added"], *one["interval"]) for name, one in told["calibrated"].items()
                  ], words, share=False)  # fmt: skip


def p_value(p: float, words: Words) -> str:
    """Return a p-value: small ones as what they are less than.

    >>> p_value(0.2, Words.of("en", "")), p_value(1e-12, Words.of("en", ""))
    ('0.2', '< 0.001')
    """
    return f"< {words.number(0.001)}" if p < 0.001 else words.number(p, 3)


def _save(found: dict[str, Any]) -> None:
    rows = [
        (model, channel, told["conversions"], *told["interval"], told["value"])
        for model, one in found["models"].items() for channel, told in one["channels"].items()
    ]  # fmt: skip
    download_csv("attribution", ["model", "channel", "conversions", "low", "high", "value"], rows)
