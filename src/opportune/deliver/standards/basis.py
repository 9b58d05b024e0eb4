"""The rule that every action has a legal basis, and one that fits how it reaches the customer."""

from __future__ import annotations

from opportune.catalog.types import Action, NeedsBasis, Standard
from opportune.deliver.standards.looking import Looking, Wording, covers
from opportune.deliver.standards.texts import hits

FOR_PUSH = ("consent", "legitimate_interest")
"""The bases on which marketing may reach out; legitimate interest is that in customers whom one has already."""

OFFERS = (
    *("discount*", "% off", "sale", "coupon*", "voucher*", "upgrade*", "bargain*", "special offer*", "limited offer*"),
    *("save up to", "best price*", "free month*", "rabatt*", "gutschein*", "sonderpreis*", "sonderangebot*", "gratis"),
)
"""Words of an offer, in English and German."""


def needs_basis(looking: Looking, standard: Standard, rule: NeedsBasis) -> None:
    """Every action names a basis that fits, and service sells nothing.

    A way out needs no look: the form `email` adds it to whatever marketing lacks one.
    """
    pushes = {c.name for c in looking.catalog.channels if c.push}
    for action in looking.actions(standard):
        if action.basis is None:
            spot = looking.locate("actions", action.name, "name").spot
            cure = f"add `basis: {action.legal_basis}`, or what it really is"
            looking.tell(standard, spot, f"action `{action.name}` names no legal basis", cure)
        elif action.kind == "marketing" and action.basis not in FOR_PUSH:
            out = [t for t in action.treatments if t.channel in pushes and covers(standard, action, t)]
            for treatment in out[:1]:
                spot = looking.locate("actions", action.name, "basis").spot
                what = f"marketing cannot reach out in channel `{treatment.channel}` on the basis `{action.basis}`"
                looking.tell(standard, spot, what, f"it takes {' or '.join(FOR_PUSH)}; or make it `kind: service`")
    for wording in looking.wordings(standard):
        if wording.action.kind == "service":
            _sells_nothing(looking, standard, wording)


def _sells_nothing(looking: Looking, standard: Standard, wording: Wording) -> None:
    if not _is_worth_money(wording.action):
        return
    for reading, start, end in hits(looking, wording, OFFERS):
        where = looking.home(wording, reading, start)
        what = f"`{reading.text[start:end]}` in {where}: a service message may not carry an offer"
        spot = looking.spot(wording, reading, start)
        looking.tell(standard, spot, what, "make it `kind: marketing`, or take the offer out", warns=True)


def _is_worth_money(action: Action) -> bool:
    return not isinstance(action.value, float) or action.value > 0
