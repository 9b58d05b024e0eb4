"""What goes over the wire about campaigns: requests and answers, and the methods of `Client` that ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal

import msgspec

from opportune.wire.calling import Calling, given, quoted


class CampaignMove(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Move a campaign to a stage (empty: the next one). Who does it, and why: going back takes a reason."""

    by: str
    to: str = ""
    reason: str = ""


class CampaignApproval(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Approve a campaign as it is now, or (`undo`) take the approval back. Who does it, and why.

    `content` is that of `CampaignInfo`, as it was read: refused if it is another one by now (empty: whatever it is).
    """

    by: str
    reason: str = ""
    undo: bool = False
    content: str = ""


class CampaignTask(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Say that a task is done, or (`undo`) that it is open again. Who does it, and why."""

    task: str
    by: str
    undo: bool = False
    reason: str = ""


class MoneyEntry(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Money of a campaign: `kind` is committed or spent, `amount` below 0 a credit note.

    The same `entry` counts once: told otherwise, it takes the place of what it was. `at` is a day or an instant of ISO
    8601 (empty: now, and of what is corrected, when it was).
    """

    campaign: str
    entry: str
    amount: float
    kind: str = "spent"
    line: str = ""
    note: str = ""
    at: str = ""


class MoneyEntries(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Enter money, all entries or none. Who does it; `again`: what was ever told just so is known, as of a file that is
    sent again, and what was corrected since stands."""

    by: str
    entries: list[MoneyEntry]
    again: bool = False


class MoneyTaken(msgspec.Struct, frozen=True):
    """How many entries were news; the others were known as they are."""

    news: int
    known: int


class WorkHours(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Hours that somebody worked on a campaign, and for what. The same `entry` counts once (empty: it is a new one)."""

    by: str
    hours: float
    what: str = ""
    entry: str = ""
    at: str = ""


class CampaignClone(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Make a campaign of another one or of a template: its name, its title (empty: the same), and the day on which it
    starts (ISO 8601; empty: on the same days)."""

    name: str
    title: str = ""
    starts: str = ""


class CampaignYaml(msgspec.Struct, frozen=True):
    """A campaign as a file of the catalog, and the actions of the original, which are not made anew."""

    yaml: str
    actions: list[str]


class CampaignChanged(msgspec.Struct, frozen=True):
    """Whether it was news."""

    news: bool


class CampaignCheck(msgspec.Struct, frozen=True):
    """What a check found; where it is not passed, where that is (the path of a field) and what mends it."""

    check: str
    passed: bool
    what: str
    where: str = ""
    cure: str = ""


class CampaignMoved(msgspec.Struct, frozen=True):
    """What became of a move from `before` to `stage`: it was `moved`, or `missing` is every check that failed."""

    name: str
    before: str
    stage: str
    moved: bool
    missing: list[CampaignCheck]


class CampaignRow(msgspec.Struct, frozen=True, rename="camel"):
    """A campaign on the board. `living`: the catalog has an entry for it that is no template; others have no stage.

    `planned` is null where no budget is, `late` are tasks due and not done. What people plan (`starts`, `ends`, `due`)
    is told in the time zone of the hub, so that a day stays that day.
    """

    name: str
    title: str
    owner: str
    living: bool
    template: bool
    process: str
    stage: str
    since: datetime | None
    starts: datetime | None
    ends: datetime | None
    planned: float | None
    committed: float
    spent: float
    hours: float
    open_tasks: int
    late: int
    tags: list[str]
    alerts: list[str]


class CampaignTaskInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A task, and who did it when."""

    name: str
    owner: str
    due: datetime | None
    hours: float | None
    done: bool
    done_by: str
    done_at: datetime | None
    late: bool


class BudgetLineInfo(msgspec.Struct, frozen=True):
    """A line of a budget (empty: in no line); `planned` is null where nothing was planned for it."""

    line: str
    planned: float | None
    committed: float
    spent: float


class MoneyInfo(msgspec.Struct, frozen=True):
    """An entry of money as it counts."""

    entry: str
    kind: str
    amount: float
    line: str
    at: datetime
    by: str
    note: str


class ApprovalInfo(msgspec.Struct, frozen=True):
    """An approval: it `stands` until it is taken back or what was approved changes."""

    by: str
    at: datetime
    stands: bool
    reason: str


class CampaignCosts(msgspec.Struct, frozen=True, rename="camel"):
    """What a campaign cost by itself, beside what was entered: its contacts, and what its coupons took off orders."""

    contacts: int
    contact_cost: float
    coupons: dict[str, float]
    coupon_cost: float


class StageInfo(msgspec.Struct, frozen=True):
    """A stage of a process and the checks to enter it."""

    name: str
    checks: list[str]


GoalState = Literal["reached", "not reached", "unclear", "not known"]


class GoalTest(msgspec.Struct, frozen=True):
    """What the last look at a test of a campaign found of its goal, in words."""

    experiment: str
    arm: str
    sentence: str


class GoalInfo(msgspec.Struct, frozen=True):
    """The goal of a campaign and what it stands at, which `meaning` says in words.

    `value` is null where it is not known (`reason`); `interval` holds 95 % where it is an estimate, and is null where
    it is exact. `unit` is share, days or nothing. `state` is by the whole interval. What `tests` say is what the
    campaign added; the value alone does not.
    """

    metric: str
    target: float | None
    value: float | None
    interval: tuple[float | None, float | None] | None
    unit: str
    meaning: str
    reason: str
    state: GoalState
    tests: list[GoalTest]


class CampaignInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A campaign as it stands: its row on the board, its entry, its work, and what the `following` stage misses.

    `stamps` are what came to pass by itself: the first decision and outcome, and what the hub stamped before the
    campaign had a process. `costs` and `goal` are null where nobody asked for them. `content` changes with whatever an
    approval is of (empty: there is no entry).
    """

    row: CampaignRow
    metric: str
    target: float | None
    brief: str
    hypothesis: str
    experiments: list[str]
    actions: list[str]
    learned: str
    stages: list[StageInfo]
    following: str
    checks: list[CampaignCheck]
    approvals: list[ApprovalInfo]
    tasks: list[CampaignTaskInfo]
    lines: list[BudgetLineInfo]
    entries: list[MoneyInfo]
    stamps: dict[str, datetime]
    costs: CampaignCosts | None = None
    content: str = ""
    goal: GoalInfo | None = None


class CampaignLine(msgspec.Struct, frozen=True):
    """A line of a campaign's history: a fact of the ledger, in words."""

    number: int
    at: datetime
    what: str
    by: str
    text: str


class DueTask(msgspec.Struct, frozen=True):
    """A task that is due in a week."""

    campaign: str
    task: str
    owner: str
    due: datetime
    done: bool


class CampaignWeek(msgspec.Struct, frozen=True):
    """An ISO week, its Monday and the next one, the campaigns that are on in it, the tasks due, and the moves made
    (`spring: live`)."""

    week: str
    starts: date
    ends: date
    campaigns: list[str]
    tasks: list[DueTask]
    moves: list[str]


class CapInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A cap that has no room for a contact of each action of both campaigns: `wanted` are these actions."""

    name: str
    on: str
    at_most: int
    span: str
    wanted: int


class ClashInfo(msgspec.Struct, frozen=True, rename="camel"):
    """Two campaigns that get in each other's way.

    Of `asked` customers both may speak to `both`, and one of them to `either`; `share` is both of asked, with its 95 %
    interval. `weeks` are those in which both are on; `contacted` says, by week that is over, to how many both spoke.
    """

    campaigns: tuple[str, str]
    weeks: list[str]
    asked: int
    both: int
    either: int
    share: float | None
    interval: tuple[float, float]
    caps: list[CapInfo]
    placements: list[str]
    contacted: dict[str, int]
    sentence: str


class Campaigning(Calling):
    """The methods of `Client` about campaigns; what changes something needs an admin key."""

    def campaigns(self, at: str = "") -> list[CampaignRow]:
        """Return the board: every campaign, as of an instant of ISO 8601 ("": now)."""
        return self._call("GET", "/v1/campaigns", list[CampaignRow], query=given(at=at))

    def campaign(
        self, name: str, at: str = "", costs: bool = False, checks: bool = True, goal: bool = False
    ) -> CampaignInfo:
        """Return a campaign as it stands; with its `costs`, which takes as long as there are decisions.

        With its `goal`, what that stands at is counted in the exported tables. Without `checks` it is always quick:
        what the next stage misses may take a look at texts, events and decisions.
        """
        query = given(at=at, costs="true" if costs else "", checks="" if checks else "false",
                      goal="true" if goal else "")  # fmt: skip
        return self._call("GET", f"/v1/campaigns/{quoted(name)}", CampaignInfo, query=query)

    def campaign_history(self, name: str) -> list[CampaignLine]:
        """Return everything that the ledger tells of a campaign, in order."""
        return self._call("GET", f"/v1/campaigns/{quoted(name)}/history", list[CampaignLine])

    def move_campaign(self, name: str, by: str, to: str = "", reason: str = "") -> CampaignMoved:
        """Move a campaign to a stage ("": the next), if its checks are passed."""
        return self._call("POST", f"/v1/campaigns/{quoted(name)}/move", CampaignMoved, CampaignMove(by, to, reason))

    def approve_campaign(self, name: str, by: str, reason: str = "", undo: bool = False, content: str = "") -> bool:
        """Approve a campaign as it is now, or take that back; return whether it was news.

        With the `content` that was read (of `campaign`) it is refused if that changed since.
        """
        asked = CampaignApproval(by, reason, undo, content)
        return self._call("POST", f"/v1/campaigns/{quoted(name)}/approve", CampaignChanged, asked).news

    def do_task(self, name: str, task: str, by: str, undo: bool = False, reason: str = "") -> bool:
        """Say that a task is done, or open again; return whether it was news."""
        asked = CampaignTask(task, by, undo, reason)
        return self._call("POST", f"/v1/campaigns/{quoted(name)}/task", CampaignChanged, asked).news

    def enter_money(self, entries: Sequence[MoneyEntry], by: str, again: bool = False) -> MoneyTaken:
        """Enter money that was committed or spent, all of it or none; the same entry counts once.

        `again`: the entries may have been sent before, and corrected since.
        """
        return self._call("POST", "/v1/campaign-money", MoneyTaken, MoneyEntries(by, [*entries], again))

    def enter_hours(
        self, name: str, hours: float, by: str, what: str = "", entry: str = "", at: str = ""
    ) -> bool:
        """Enter hours that somebody worked on a campaign; return whether it was news."""
        asked = WorkHours(by, hours, what, entry, at)
        return self._call("POST", f"/v1/campaigns/{quoted(name)}/hours", CampaignChanged, asked).news

    def clone_campaign(self, name: str, new: str, title: str = "", starts: str = "") -> CampaignYaml:
        """Return a campaign made of another one or of a template, as a file of the catalog; nothing is written."""
        asked = CampaignClone(new, title, starts)
        return self._call("POST", f"/v1/campaigns/{quoted(name)}/clone", CampaignYaml, asked)

    def campaign_calendar(self, first: str = "", weeks: int = 8) -> list[CampaignWeek]:
        """Return what is on in so many ISO weeks from one on ("": the running one)."""
        query = {**given(first=first), "weeks": str(weeks)}
        return self._call("GET", "/v1/campaign-calendar", list[CampaignWeek], query=query)

    def campaign_clashes(self, first: str = "", weeks: int = 8, customers: int = 2_000) -> list[ClashInfo]:
        """Return the campaigns that clash in so many ISO weeks, by a sample of the customers."""
        query = {**given(first=first), "weeks": str(weeks), "customers": str(customers)}
        return self._call("GET", "/v1/campaign-clashes", list[ClashInfo], query=query)

