"""People, the processes that campaigns go through, and campaigns, as the catalog has them."""

from __future__ import annotations

from dataclasses import dataclass

CHECKS = (
    "brief", "owner", "goal", "budget", "hypothesis", "actions", "legal_text", "brand_terms", "consent_basis",
    "experiment", "someone_elses_approval", "tasks", "evaluated", "learned",
)  # fmt: skip
"""What a stage may ask for; `opportune.operations.checks` says when each is met."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who owns, does or approves work."""

    name: str
    role: str = ""
    team: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class ProcessStage:
    """A stage of a process, and the checks that a campaign must pass to enter it."""

    name: str
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Process:
    """The stages that a campaign goes through, one after the other; it begins in the first."""

    name: str
    stages: tuple[ProcessStage, ...]

    def position(self, stage: str) -> int | None:
        """Return the place of a stage, from 0; None if there is none of that name."""
        return next((i for i, one in enumerate(self.stages) if one.name == stage), None)


DEFAULT = Process(
    "default",
    (
        ProcessStage("idea"),
        ProcessStage("brief", ("owner", "goal", "brief")),
        ProcessStage("hypothesis", ("hypothesis",)),
        ProcessStage("build", ("budget",)),
        ProcessStage("approvals", ("actions", "legal_text", "brand_terms", "consent_basis", "experiment")),
        ProcessStage(
            "live", ("actions", "legal_text", "brand_terms", "consent_basis", "someone_elses_approval", "tasks")
        ),
        ProcessStage("evaluated", ("evaluated",)),
        ProcessStage("learned", ("learned",)),
    ),
)  # fmt: skip
"""The process of campaigns that name none; a process of the same name takes its place."""


def process_of(processes: tuple[Process, ...], name: str) -> Process:
    """Return the process of a name ("" is `default`), the built-in one where the catalog has no other `default`.

    >>> [stage.name for stage in process_of((), "").stages][:3]
    ['idea', 'brief', 'hypothesis']
    """
    return next((process for process in processes if process.name == (name or DEFAULT.name)), DEFAULT)


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work: who does it, when it is due (an instant; None: no date), and the hours planned for it."""

    name: str
    owner: str = ""
    due: int | None = None
    hours: float | None = None


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """Money planned for something in a month (`2026-11`; "": in no month of its own)."""

    line: str
    month: str
    planned: float


@dataclass(frozen=True, slots=True)
class Campaign:
    """A piece of marketing work. Actions belong to it by their `campaign`, experiments also by `experiments`.

    `metric` and `target` are its goal. `planned` is its whole budget: the sum of `lines` where there are some (None:
    nothing is said). A `template` is no work: others are made from it. `starts` and `ends` are instants, the end
    outside. `learned` says what came of it.
    """

    name: str
    title: str = ""
    metric: str = ""
    target: float | None = None
    owner: str = ""
    brief: str = ""
    hypothesis: str = ""
    process: str = ""
    template: bool = False
    tasks: tuple[Task, ...] = ()
    starts: int | None = None
    ends: int | None = None
    planned: float | None = None
    lines: tuple[BudgetLine, ...] = ()
    experiments: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    learned: str = ""

    def task(self, name: str) -> Task | None:
        """Return the task of a name; None if there is none."""
        return next((task for task in self.tasks if task.name == name), None)
