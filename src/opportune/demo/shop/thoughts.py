"""What the hub thought, in words: asked of the hub by the shop's server, with what it has on record."""

from __future__ import annotations

from typing import Any

from opportune.demo.shop.session import fresh
from opportune.demo.shop.site import Answer, Ask, Shop, data
from opportune.errors import Forgotten, NotFound, Stale
from opportune.wire import Answered, Explanation

SLOTS = {
    "front": {"shop.front.hero": "Hero", "shop.front.tiles": "Tiles", "shop.front.picks": "For you"},
    "goods": {"shop.goods.note": "Note"},
}
"""The placements of each page, and what people call them."""

MOST = 3
"""Actions that were not chosen, of each slot."""


def thoughts(shop: Shop, ask: Ask) -> Answer:
    """Return what was decided for each slot and why; for a visitor who is not known, what would be decided."""
    named = SLOTS.get(ask.query.get("page", ""))
    if named is None:
        raise NotFound("There is no such page.")
    decision, session = ask.query.get("decision", ""), ask.session
    if decision:
        try:
            found: Answered = shop.hub.recorded(decision)
            begins = f"Decision {decision}, as the ledger has it."
        except (Forgotten, Stale):
            raise NotFound("This decision cannot be read any more.") from None
        if found.customer_id not in (session.user, session.visitor):
            raise NotFound("This decision is not yours.")
    else:
        purpose = {"purpose": "gift" if session.gift else "self"}
        found = shop.hub.decide(anonymous=fresh(), placements=list(named), limit=3, context=purpose, peek=True,
                                explain=True)  # fmt: skip
        begins = "Nobody is known here yet: the hub was asked without a record. For such a visitor it thinks:"
    told = found.explanation
    if not isinstance(told, Explanation):
        raise NotFound("This decision has no explanation.")
    return data({"begins": begins, "slots": [_slot(found, told, place, name) for place, name in named.items()]})


def _slot(found: Answered, told: Explanation, place: str, name: str) -> dict[str, Any]:
    titles = {one.action: str(one.content.get("title") or one.content.get("text")) for one in found.actions}
    reasons = [item.reason for one in found.actions if one.placement == place for item in one.items]
    won = [
        {"title": titles.get(one.action, one.action), "why": _why(one.propensity, one.value, one.selection_probability)}
        for one in told.won if one.placement == place
    ]  # fmt: skip
    lost = [one for one in told.lost if one.placement == place and one.action.startswith("shop_")]
    lost = [one for one in lost if not one.reason.startswith("has no treatment for the placement")]
    return {
        "slot": name, "won": won, "items": list(dict.fromkeys(reasons)),
        "lost": [{"title": one.action.removeprefix("shop_").replace("_", " "), "why": f"{one.stage}: {one.reason}"}
                 for one in lost[:MOST]],
    }  # fmt: skip


def _why(propensity: float, value: float, chance: float) -> str:
    chosen = f"it was chosen with probability {chance:.0%}"
    return f"a click has a chance of {propensity:.1%} and is worth {value:g}; {chosen}"
