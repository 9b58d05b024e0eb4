"""How much money is spent on what nobody measures?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from opportune.operations.health import Finding, Number, Status

CHECK, TITLE = "roi-unmeasured", "Whether spend is measured"

WATCH, ILL = 0.2, 0.5
"""The shares of spend without holdout or experiment from which on it is to be watched, and is ill."""

SHOWN = 10


class CampaignSpend(NamedTuple):
    """Money committed to and spent on a campaign; `by` names the holdout or experiment that measures it ("": none).

    `says`: the hub says, or said, something for it; of a campaign for which it does not a holdout measures nothing.
    """

    campaign: str
    amount: float
    by: str
    says: bool = True


def spend(spent: Sequence[CampaignSpend], currency: str) -> Finding:
    """Return the share of spend whose effect is known from no holdout and no experiment. Counted, so no interval."""
    total = sum(one.amount for one in spent)
    if not total > 0:
        return Finding(
            CHECK, TITLE, "unknown", "It is not known what is spent.",
            missing="no money of campaigns was told, and no contact has a cost",
            cure="opportune campaign spend --file costs.csv, and `cost:` of actions",
        )  # fmt: skip
    blind = sorted((one for one in spent if not one.by and one.amount > 0), key=lambda one: (-one.amount, one.campaign))
    lost = sum(one.amount for one in blind)
    share = lost / total
    evidence = (
        Number("unmeasured", share, "share", None, "of spend without a holdout or an experiment"),
        Number("unmeasured_spend", lost, currency, None, "committed and spent without a holdout or an experiment"),
        Number("spend", total, currency, None, "committed and spent, contacts included"),
    )
    rows = tuple({"campaign": one.campaign, "amount": one.amount} for one in blind[:SHOWN])
    status: Status = "ill" if share > ILL else "watch" if share > WATCH else "fine"
    if not blind:
        says = f"All of {total:,.2f} {currency} is measured by a holdout or an experiment."
        return Finding(CHECK, TITLE, status, says, evidence)
    to = f"{len(blind)} campaign{'s' * (len(blind) != 1)} without holdout or experiment"
    says = f"{share:.0%} of {total:,.2f} {currency} goes to {to}."
    first = blind[0].campaign or "the actions without a campaign"
    cure = f"give {first} an experiment"
    if blind[0].says:
        cure += ", or add `holdouts: [{name: control, on: [all], share: .05}]` to the catalog"
    return Finding(CHECK, TITLE, status, says, evidence, rows, cure=cure)
