"""The spec of `opportune scores`: what to foretell of which customers, from what.

    data: customers.csv             # csv, csv.gz, parquet, a folder or pattern of them, FILE.duckdb:TABLE; relative to
                                    # the spec; ${OPPORTUNE_DATA} is expanded
    customer: customer_id           # column that names the customer
    outcome: churned                # column: yes or no, true or false, 1 or 0; nothing where it is not known yet
    positive: "gone"                # its value that stands for yes, where it is another word
    predictors: [tenure, plan]      # columns known before; default: all others but ids and times
    known_before: [plan]            # columns that are no leaks though they look like it
    apply: today.csv                # customers to score, with the same columns; default: those of `data`
    trait: churn_risk               # how the score is called as a trait; default: score
    folds: 5
    seed: 7                         # missing keys take these defaults

or of the hub's own customers, by their declared traits and features at a moment of the past and what they did then:

    data: customers
    at: 2026-05-01                  # what was known then ...
    within: 30d                     # ... and whether this event came in the time after
    event: Subscription Cancelled   # outcome: the event came; it must have ended by now
    missing: true                   # the outcome is that it did not come: a customer who stays away
    seen: 90d                       # of customers who were heard of in the time before; default: of all known by then
    known: received                 # what had been received by then; happened: for a history that was imported later
    predictors: [tenure_months]     # default: all declared traits and features of numbers, texts and bools
    trait: churn_risk
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast
from zoneinfo import ZoneInfo

from opportune.catalog.fields import IDENTIFIER, Fields, Report
from opportune.catalog.node import Node, from_python
from opportune.catalog.spec_file import data_path
from opportune.clock import DAY
from opportune.errors import BadCatalog, Problem
from opportune.lab.foresight_spec import Spec, loaded

CUSTOMERS = "customers"
"""What `data` says for the hub's own."""


class ScoresSpec(Spec, frozen=True, kw_only=True):
    """What to foretell; the module's text says what each key means. Instants and spans in microseconds."""

    customer: str = ""
    outcome: str = ""
    positive: str = ""
    predictors: tuple[str, ...] = ()
    known_before: tuple[str, ...] = ()
    apply: str = ""
    trait: str = "score"
    folds: int = 5
    seed: int = 7
    at: int | None = None
    within: int = 30 * DAY
    event: str = ""
    missing: bool = False
    seen: int | None = None
    known: Literal["received", "happened"] = "received"


def load_scores(path: str | Path) -> ScoresSpec:
    """Return the spec in a YAML file.

    `data` and `apply` come back absolute or relative to the working directory. Raises `BadCatalog` with every mistake
    at once, `BadInput` if the file cannot be read.
    """
    return loaded(path, "the scores spec", _read)


def sent_scores(given: object) -> ScoresSpec:
    """Return the spec of the hub's customers in plain data, as `load_scores` reads one; raises `BadCatalog`."""
    problems: list[Problem] = []
    root = from_python(given, "", problems)
    fields = Fields(root, Report(problems), "the scores spec")
    spec = _read(fields, root, Path("."))
    fields.close()
    if spec.data != CUSTOMERS:
        problems.append(Problem(f"`data` is {spec.data[:40]!r}", f"write `data: {CUSTOMERS}`", file="data"))
    if any(not problem.warning for problem in problems):
        raise BadCatalog(problems)
    return spec


_OF_TABLE = ("customer", "outcome", "positive", "known_before", "apply")
_OF_HUB = ("at", "within", "event", "missing", "seen", "known")


def _read(fields: Fields, root: Node, folder: Path) -> ScoresSpec:
    own = fields.text("data") == CUSTOMERS
    spec = ScoresSpec(
        data=CUSTOMERS if own else data_path(fields, "data", folder),
        customer=fields.text("customer", required=not own),
        outcome=fields.text("outcome", required=not own),
        positive=fields.text("positive"),
        predictors=fields.words("predictors"),
        known_before=fields.words("known_before"),
        apply=data_path(fields, "apply", folder) if fields.find("apply") else "",
        trait=fields.text("trait", "score"),
        folds=fields.whole("folds", 5, low=2),
        seed=fields.whole("seed", 7),
        at=fields.instant("at", ZoneInfo("UTC")),
        within=fields.span("within", 30 * DAY) or 30 * DAY,
        event=fields.text("event", required=own),
        missing=fields.flag("missing"),
        seen=fields.span("seen"),
        known=cast(Literal["received", "happened"], fields.choice("known", ("received", "happened"), "received")),
        written=root,
    )
    if own and spec.at is None:
        fields.find("at", required=True)
    if not IDENTIFIER.fullmatch(spec.trait):
        fields.report.error(fields.spot("trait"), f"`{spec.trait}` cannot name a trait", "letters, digits and _")
    if spec.folds > 20:
        fields.report.error(fields.spot("folds"), "`folds` is above 20", "5 or 10 will do")
    for key in _OF_TABLE if own else _OF_HUB:
        if key in fields.values:
            what = "a table" if own else f"`data: {CUSTOMERS}`"
            fields.report.error(fields.node.keys[key], f"`{key}` is for {what}", "remove it")
    return spec
