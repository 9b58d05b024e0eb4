"""What the demo shows in a terminal: one screen that says what happens, to whom, why, and whether it is worth it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from opportune.decide.stages.assign import HOLDOUT, RANDOM
from opportune.demo.customers import Notice
from opportune.demo.figures import HUB, more
from opportune.demo.story import clock_of
from opportune.measure.summary import Rate, difference
from opportune.simulate.tally import Arm, Mean

NAMES = {HUB: "hub", RANDOM: "random (2 %)", HOLDOUT: "no contact"}
MARKS = {"says": "→", "silent": "·", "yes": "✓", "no": "✗", "enters": "●", "leaves": "○"}
STYLES = {"says": "cyan", "silent": "dim", "yes": "bold green", "no": "red", "enters": "yellow", "leaves": "green"}
TURNS = ("enters", "leaves")

FIXED = 15
"""Lines of the screen that are not notices."""

WIDE = 100
"""From this width on there is room for what the customer reads."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that one look at the demo shows."""

    address: str
    key: str
    currency: str
    customers: int
    events: int
    decisions: int
    per_second: tuple[float, float]
    streams: int
    answered_ms: float | None
    arms: Mapping[str, Arm]
    problem_contacts: int
    problem_sales: int
    feed: Sequence[Notice]
    turns: Sequence[Notice]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or console.height
        turning = max(2, (height - FIXED) // 4)
        feed = max(0, height - FIXED - turning)
        yield _apart(
            Text.assemble((" Opportune ", "bold reverse"), f"  {self.customers} simulated customers, live"),
            Text("Ctrl-C ends ", "dim"),
            width,
        )
        yield self._counters()
        yield _rule(f"is it worth it? {self.currency} of sales and kept plans, since the company began")
        yield self.worth()
        for line in self.told():
            yield Text(f" {line}", no_wrap=True, overflow="ellipsis")
        yield _rule("who gets what, and why")
        yield from _latest(self.feed, feed, width)
        yield _rule("situations that customers enter and leave, and what caused it")
        yield from _latest(self.turns, turning, width)
        yield _rule("ask it yourself: paste this into another terminal")
        yield Text(curl(self.address, self.key), no_wrap=True, overflow="crop", end="")

    def told(self) -> tuple[str, str, str]:
        """Return in words what contacts bring, what choosing adds, and whether people in trouble are left in peace."""
        peace = f"people with an open problem: {self.problem_contacts} contacts, {self.problem_sales} of them sales"
        return brings(self.arms, self.currency), adds(self.arms), peace

    def _counters(self) -> Text:
        events, decisions = self.per_second
        took = "" if self.answered_ms is None else f"answered in {self.answered_ms:.0f} ms   "
        told = Text(no_wrap=True, overflow="ellipsis")
        told.append(f" {events:.1f}", "bold").append(" events/s   ")
        told.append(f"{decisions:.1f}", "bold").append(f" decisions/s   {took}{streams(self.streams)}   ")
        return told.append(f"{self.events:,} and {self.decisions:,} so far", "dim")

    def worth(self) -> Table:
        """Return the figures of each arm."""
        table = Table(box=None, padding=(0, 2, 0, 1), show_edge=False, header_style="dim", pad_edge=True)
        table.add_column("chosen by", no_wrap=True)
        table.add_column("customers", justify="right")
        table.add_column("said yes", no_wrap=True)
        table.add_column(f"{self.currency} per customer", no_wrap=True)
        for name, arm in self.arms.items():
            yes = "" if name == HOLDOUT else percent(arm.accepted)
            table.add_row(NAMES[name], f"{arm.customers:,}", yes, amount(arm.value_per_customer))
        return table


def brings(arms: Mapping[str, Arm], currency: str) -> str:
    """Return in words what contacts bring, or that nobody can tell yet."""
    gain = more(arms[HUB].value_per_customer, arms[HOLDOUT].value_per_customer)
    if gain.value is None or gain.low is None or gain.high is None:
        return "too few customers to tell what contacts bring"
    clear = "" if gain.low > 0 or gain.high < 0 else ": not clear yet"
    return f"contacts bring {gain.value:+.1f} {currency} a customer ({gain.low:+.1f} to {gain.high:+.1f}){clear}"


def adds(arms: Mapping[str, Arm]) -> str:
    """Return in words how often the hub hears yes beside its random arm, or that nobody can tell yet."""
    lift = difference(arms[HUB].accepted, arms[RANDOM].accepted)
    if lift.value is None:
        return "too few answers to compare the hub with its random arm"
    low, value, high = 100 * lift.low, 100 * lift.value, 100 * lift.high
    clear = "" if lift.clear else ": not clear yet"
    return f"said yes, hub minus random: {value:+.1f} points ({low:+.0f} to {high:+.0f}){clear}"


def percent(rate: Rate) -> str:
    """Return a rate with its interval and its counts."""
    if rate.rate is None:
        return "nobody asked yet"
    return f"{rate.rate:.1%} ({rate.low:.0%} to {rate.high:.0%}), {rate.positive:,} of {rate.n:,}"


def amount(mean: Mean) -> str:
    """Return a mean with its interval."""
    if mean.value is None:
        return "nobody yet"
    return f"{mean.value:.1f}" if mean.low is None else f"{mean.value:.1f} ({mean.low:.1f} to {mean.high:.1f})"


def streams(count: int) -> str:
    """Return a count of open streams."""
    return f"{count} open stream{'' if count == 1 else 's'}"


def curl(address: str, key: str) -> str:
    """Return a command that asks what to say to Maya now: two lines of less than 80 columns, to be pasted together.

    The break lies in the JSON, where spaces that a terminal adds while copying do no harm.
    """
    host = address.removeprefix("http://")
    return f"curl {host}/v1/decide -u {key}: -d '{{\n  \"userId\": \"maya\", \"placement\": \"app.home.hero\"}}'"


def plain(notice: Notice) -> str:
    """Return a notice as one line of text."""
    title = f" “{notice.title}”" if notice.title else ""
    return " ".join(
        (clock_of(notice.at), MARKS[notice.kind], f"{notice.customer:14} {notice.channel:5}", _what(notice))
    ) + f"{title}  {notice.why}"  # fmt: skip


def _what(notice: Notice) -> str:
    """Return what happened in a word or two."""
    return f"{notice.kind} {notice.what}" if notice.kind in TURNS else notice.what


def _latest(notices: Sequence[Notice], room: int, width: int) -> list[Text]:
    """Return the last notices, as many as there is room for, and empty lines for the rest."""
    last = deque(notices, maxlen=room)
    return [*(_noticed(n, width) for n in last), *(Text() for _ in range(room - len(last)))]


def _noticed(notice: Notice, width: int) -> Text:
    style, wide = STYLES[notice.kind], width >= WIDE
    told = Text(no_wrap=True, overflow="ellipsis")
    told.append(f" {clock_of(notice.at)} ", "dim")
    told.append(f"{MARKS[notice.kind]} ", style)
    told.append(f"{notice.customer.removeprefix('customer-')} ")
    if notice.kind in TURNS:
        told.append(f"{_what(notice)} ", style)
        return told.append(f"because of {notice.why}", "dim")
    told.append(f"{notice.channel:5} ", "dim")
    told.append(f"{notice.what:16} ", style)
    if wide and notice.kind == "says":
        told.append(f"{notice.title[:28]:29}")
    return told.append(notice.why, "dim")


def _rule(title: str) -> Rule:
    return Rule(f"[dim]{title}[/]", style="dim", align="left", characters="─")


def _apart(left: Text, right: Text, width: int) -> Text:
    gap = " " * max(1, width - left.cell_len - right.cell_len)
    return Text.assemble(left, gap, right, no_wrap=True, overflow="crop")
