"""The section `actions`: everything that we could do for a customer."""

from __future__ import annotations

from typing import Any, cast, get_args

from opportune.catalog.content import read_content, read_languages
from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Fields
from opportune.catalog.node import Node
from opportune.catalog.policy_sections import amount
from opportune.catalog.profile_sections import LEVER_BOUNDS
from opportune.catalog.shelf_sections import read_items, written_items
from opportune.catalog.types import Action, Approval, Basis, Catalog, Goal, Outcomes, Treatment
from opportune.clock import DAY, format_instant, format_span

BASES: tuple[Basis, ...] = get_args(Basis)
RESERVED_ISSUES = ("all", "action", "group", "issue", "channel")
DEFAULT_OUTCOMES = Outcomes(("accept",), ("reject", "dismiss"), 7 * DAY)
NOT_OUTCOMES = {
    "impression": "an impression is recorded by itself: served is not seen",
    "none": "no answer within the window is recorded by itself",
}


def read_actions(draft: Draft, node: Node | None) -> tuple[Action, ...]:
    """Return the actions sorted by issue, group and name, whatever the order of the files."""
    return tuple(sorted((read_action(draft, item) for item in entries(node)), key=lambda a: (a.issue, a.group, a.name)))


def read_action(draft: Draft, item: Node) -> Action:
    """Return one action."""
    fields, name = draft.named("actions", "action", item)
    for level in ("issue", "group"):
        fields.text(level, required=True)
        if level in fields.values:
            draft.spell(fields.text(level), fields.spot(level), level)
    issue = fields.text("issue")
    if issue in RESERVED_ISSUES:
        draft.report.error(fields.spot("issue"), f"`{issue}` cannot name an issue", "it is a word of scopes; rename it")
    conditions = draft.conditions
    action = Action(
        name=name,
        issue=issue,
        group=fields.text("group"),
        kind=cast(Any, fields.choice("kind", ("marketing", "service"), "marketing")),
        topic=fields.choice("topic", [topic.name for topic in draft.parts["topics"]]),
        urgent=fields.flag("urgent"),
        off=fields.flag("off"),
        campaign=fields.text("campaign"),
        owner=fields.text("owner"),
        cost=fields.number("cost", 0.0, 0.0),
        starts=fields.instant("from", draft.zone),
        ends=fields.instant("until", draft.zone),
        value=fields.amount("value", 1.0, conditions),
        lever=fields.number("lever", 0.0, *LEVER_BOUNDS),
        benefit=fields.text("benefit"),
        helps=fields.condition("helps", conditions),
        eligible=fields.condition("eligible", conditions),
        applicable=fields.condition("applicable", conditions),
        suitable=fields.condition("suitable", conditions),
        basis=cast(Any, fields.choice("basis", BASES) or None),
        proof=fields.text("proof"),
        approved=_approved(draft, fields),
        outcomes=_outcomes(draft, fields),
        treatments=tuple(_treatments(draft, fields)),
    )
    fields.close()
    return action


def _approved(draft: Draft, action: Fields) -> Approval | None:
    node = action.find("approved")
    if node is None:
        return None
    fields = Fields(node, draft.report, f"`approved` of {action.what}")
    by, digest, at = fields.text("by", required=True), fields.text("hash", required=True), None
    if fields.find("at", required=True) is not None:
        at = fields.instant("at", draft.zone)
    fields.close()
    return Approval(by, at or 0, digest)


def _outcomes(draft: Draft, action: Fields) -> Outcomes:
    node = action.find("outcomes")
    if node is None:
        return DEFAULT_OUTCOMES
    fields = Fields(node, draft.report, f"`outcomes` of {action.what}")
    positive = fields.words("positive", DEFAULT_OUTCOMES.positive)
    negative = fields.words("negative", tuple(n for n in DEFAULT_OUTCOMES.negative if n not in positive))
    if not positive:
        draft.report.error(fields.spot("positive"), f"{fields.what} has no positive one", "add one, such as accept")
    for word in positive:
        if word in negative:
            what = f"`{word}` is both positive and negative in {fields.what}"
            draft.report.error(fields.spot("negative"), what, "keep it in one of the lists")
    for key in ("positive", "negative"):
        for inner in fields.items(key):
            if inner.text in NOT_OUTCOMES:
                draft.report.error(inner.spot, f"`{inner.text}` cannot be an outcome", NOT_OUTCOMES[inner.text])
    window = fields.span("window", DEFAULT_OUTCOMES.window) or DEFAULT_OUTCOMES.window
    outcomes = Outcomes(positive, negative, window, _goal(draft, fields))
    fields.close()
    return outcomes


def _goal(draft: Draft, outcomes: Fields) -> Goal | None:
    node = outcomes.find("goal")
    if node is None:
        return None
    fields = Fields(node, draft.report, outcomes.what.replace("`outcomes`", "`goal`", 1))
    event, undo = fields.text("event", required=True), fields.text("undo") or None
    goal = Goal(event, fields.span("within", required=True) or 0, undo)
    if undo is not None and undo == event:
        draft.report.error(fields.spot("undo"), f"`undo` of {fields.what} is the goal itself", "name another event")
    fields.close()
    return goal


def _treatments(draft: Draft, action: Fields) -> list[Treatment]:
    treatments: list[Treatment] = []
    channels = [c.name for c in draft.parts["channels"]]
    for item in action.items("treatments", required=True):
        fields = Fields(item, draft.report, f"a treatment of {action.what}")
        name = fields.text("name", required=True)
        if name:
            draft.spell(name, fields.spot("name"), "treatment")
        if any(t.name == name for t in treatments):
            draft.report.error(fields.spot("name"), f"duplicate treatment `{name}` of {action.what}", "rename one")
        content, languages = read_content(draft, fields), read_languages(draft, fields)
        channel = fields.choice("channel", channels, required=True)
        placements = tuple(sorted(fields.words("placements", ("*",))))
        items, coupon = read_items(draft, fields), fields.text("coupon")
        treatments.append(Treatment(name, channel, placements, content, languages, items, coupon))
        fields.close()
    return treatments


def write_actions(catalog: Catalog) -> Any:
    return [written(action) for action in catalog.actions if not (action.survey or action.asks)]


def written(a: Action) -> dict[str, Any]:
    """Return an action as plain data."""
    conditions = {key: getattr(a, key) for key in ("helps", "eligible", "applicable", "suitable")}
    return slim(
        name=a.name,
        issue=a.issue,
        group=a.group,
        kind=None if a.kind == "marketing" else a.kind,
        topic=a.topic,
        urgent=a.urgent or None,
        off=a.off or None,
        campaign=a.campaign,
        owner=a.owner,
        cost=a.cost or None,
        from_=None if a.starts is None else format_instant(a.starts),
        until=None if a.ends is None else format_instant(a.ends),
        value=None if a.value == 1.0 else amount(a.value),
        lever=a.lever or None,
        benefit=a.benefit,
        basis=a.basis,
        proof=a.proof,
        approved=a.approved and {"by": a.approved.by, "at": format_instant(a.approved.at), "hash": a.approved.hash},
        outcomes=_written_outcomes(a.outcomes),
        treatments=[_written_treatment(t) for t in a.treatments],
        **{key: condition and condition.canonical for key, condition in conditions.items()},
    )


def _written_outcomes(o: Outcomes) -> dict[str, Any]:
    goal = o.goal and slim(event=o.goal.event, within=format_span(o.goal.within), undo=o.goal.undo)
    lists = {"positive": list(o.positive), "negative": list(o.negative)}
    return {**lists, "window": format_span(o.window), **({"goal": goal} if goal else {})}


def _written_treatment(t: Treatment) -> dict[str, Any]:
    placements = None if t.placements == ("*",) else list(t.placements)
    content, languages = dict(t.content), {language: dict(words) for language, words in t.languages.items()}
    what = {"content": content, "languages": languages, "items": written_items(t.items), "coupon": t.coupon}
    return slim(name=t.name, channel=t.channel, placements=placements, **what)
