"""What is done in the demo's company, and when: the script of its staff."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from opportune.services.office import Money
from opportune.services.outbound import Runs
from opportune.services.overlaid import Overlay, tried
from opportune.services.subject_requests import SubjectRequests

if TYPE_CHECKING:
    from opportune.demo.staff import Staff

Act = Callable[["Staff"], object]


def moved(campaign: str, by: str, to: str) -> Act:
    return lambda staff: staff.office.move(campaign, by, to)


def approved(campaign: str, by: str, why: str) -> Act:
    return lambda staff: staff.office.approve(campaign, by, why)


def done(campaign: str, task: str, by: str) -> Act:
    return lambda staff: staff.office.task(campaign, task, by)


def spent(campaign: str, entry: str, amount: float, line: str = "", by: str = "eva", committed: bool = False) -> Act:
    money = Money(campaign, entry, amount, "committed" if committed else "spent", line)
    return lambda staff: staff.office.spend([money], by)


def worked(campaign: str, hours: float, by: str, what: str) -> Act:
    return lambda staff: staff.office.hours(campaign, hours, by, what)


def started(experiment: str, by: str) -> Act:
    return lambda staff: staff.lab.start(experiment, by, "the texts were read by legal")


def rolled_out(experiment: str, arm: str, by: str, why: str) -> Act:
    return lambda staff: staff.lab.decide(staff.lab.measure(experiment), experiment, arm, by, why)


def kept(experiment: str, by: str, why: str) -> Act:
    return lambda staff: staff.lab.keep_control(experiment, by, why)


def asked(kind: str, number: int) -> Act:
    """Note what a customer asks for by law."""
    return lambda staff: SubjectRequests(staff.hub).add(kind, "fay", staff.customers[number], None, "")


def steered(path: str, value: float, by: str, why: str) -> Act:
    def act(staff: Staff) -> None:
        overlay = Overlay(staff.hub)
        draft = overlay.setting({path: value}, by, why)
        overlay.apply(draft, tried(draft))  # a lever touches no text

    return act


def answered(staff: Staff) -> None:
    """Close the first request that is open."""
    book = SubjectRequests(staff.hub)
    for one in book.each("open"):
        book.step(one.id, "done", "fay", "")
        return


def held(run: str, by: str) -> Act:
    """Pause a run, so that a person goes on with it."""
    return lambda staff: Runs(staff.hub).pause(run, by)


def sent(run: str, by: str) -> Act:
    return lambda staff: Runs(staff.hub).begin(run, by)


ACTS: Mapping[int, tuple[Act, ...]] = {
    55: (
        moved("care", "dia", "build"), approved("care", "ana", "only thanks and help"), moved("care", "ben", "live"),
        moved("green", "dia", "build"), worked("green", 2.5, "dia", "the texts"),
        moved("family", "cem", "build"), worked("family", 6, "cem", "the texts"),
    ),
    53: (
        done("green", "Ask the printers when they can stop", "ben"), approved("green", "ana", "nothing is sold"),
        moved("green", "ben", "live"), done("family", "Agree on the price", "ana"), spent("green", "invoice 101", 48.0),
        started("plain_bill", "dia"),
    ),
    51: (
        done("family", "Film the two of them", "eva"), worked("family", 9, "eva", "the film"),
        spent("family", "invoice 102", 230.0, "films"), approved("family", "ana", "read all of it"),
        moved("family", "eva", "live"), started("plain_tv", "cem"), started("plain_line", "cem"),
    ),
    50: (
        moved("spring", "ana", "build"), done("spring", "Write the texts", "cem"),
        worked("spring", 5, "cem", "the texts"),
    ),
    47: (done("spring", "Book the ads", "eva"), spent("spring", "invoice 103", 140.0, "ads", committed=True)),
    45: (approved("spring", "fay", "the prices are right"), moved("spring", "eva", "live")),
    40: (spent("care", "invoice 104", 60.0), asked("access", 3)),
    36: (spent("spring", "invoice 103", 132.5, "ads"), answered, worked("care", 3, "dia", "reading answers")),
    34: (moved("return", "ana", "build"), moved("shop", "ana", "build"), spent("family", "invoice 105", 61.0, "texts")),
    33: (kept("plain_bill", "dia", "nobody minds either title"), started("tap_bill", "cem")),
    30: (kept("plain_line", "dia", "too few looked at it to be sure"),),
    28: (rolled_out("plain_tv", "plain", "dia", "surely better, and nobody visits less"), started("price_tv", "cem")),
    27: (asked("access", 5),),
    24: (started("tap_tv", "cem"), spent("spring", "invoice 106", 75.0, "texts")),
    20: (spent("shop", "invoice 107", 60.0, "goods", committed=True), worked("shop", 7, "eva", "the shelf")),
    15: (
        steered("actions.wifi_tips.lever", 10, "ana", "tips bring people into the app"),
        spent("spring", "invoice 108", 90.0, "ads", committed=True),
    ),
    12: (kept("price_tv", "ana", "fewer said yes with a price in it"), spent("care", "invoice 109", 55.0)),
    9: (moved("family", "eva", "measured"), spent("family", "invoice 110", 40.0, "texts")),
    6: (asked("erasure", 8), spent("shop", "invoice 111", 40.0, "posters", committed=True)),
    5: (moved("green", "ben", "measured"), worked("spring", 4, "ana", "looking at the answers")),
    2: (moved("green", "ben", "learned"), spent("green", "invoice 112", 22.0)),
    0: (sent("newsletter", "cem"), sent("reminder", "cem"), held("reminder", "ana")),
}  # fmt: skip
"""What is done on a day, so many days before now."""
