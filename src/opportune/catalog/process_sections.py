"""The sections `people` and `processes`: who works here, and what campaigns must pass on their way."""

from __future__ import annotations

from typing import Any

from opportune.catalog.campaign_types import CHECKS, Person, Process, ProcessStage
from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import MAX_NAME, Fields, nearest
from opportune.catalog.node import Node, Spot
from opportune.catalog.types import Catalog


def read_people(draft: Draft, node: Node | None) -> tuple[Person, ...]:
    """Return the people, by name. A name is any text: it is how people are called."""
    found: dict[str, Person] = {}
    for item in entries(node):
        fields = Fields(item, draft.report, "this person")
        name = called(draft, fields, "person", {one.casefold() for one in found})
        person = Person(name, fields.text("role"), fields.text("team"), fields.text("email"))
        if person.email and ("@" not in person.email or " " in person.email):
            fields.wrong(fields.values["email"], "email", "an address such as ana@example.com")
        fields.close()
        if name:
            found.setdefault(name, person)
            draft.nodes.setdefault("people", {}).setdefault(name, item)
    return tuple(sorted(found.values(), key=lambda person: person.name))


def write_people(catalog: Catalog) -> Any:
    return [slim(name=p.name, role=p.role, team=p.team, email=p.email) for p in catalog.people]


def called(draft: Draft, fields: Fields, one: str, taken: set[str]) -> str:
    """Return the name of something that is called by any line of text; it may not be `taken` (small letters)."""
    name = fields.text("name", required=True)
    spot = fields.spot("name")
    if not name:
        if "name" in fields.values and fields.values["name"].value is not None:
            draft.report.error(spot, f"this {one} has an empty name", "write how it is called")
        return ""
    if len(name) > MAX_NAME or not name.isprintable():
        draft.report.error(spot, f"`{name[:40]}` cannot name a {one}", f"use one line of {MAX_NAME} characters at most")
        return ""
    if name.casefold() in taken:
        draft.report.error(spot, f"there is a {one} `{name}` already", "rename one of them")
    fields.what = f"{one} `{name}`"
    return name


def person(draft: Draft, fields: Fields, key: str) -> str:
    """Return the name at a key: one of `people`, where the catalog has them."""
    name = fields.text(key)
    known_person(draft, fields.what, name, fields.spot(key))
    return name


def known_person(draft: Draft, what: str, name: str, spot: Spot) -> None:
    """Report a name that is none of `people`."""
    known = [one.name for one in draft.parts["people"]]
    if name and known and name not in known:
        cure = nearest(name, known)
        draft.report.error(spot, f"`{name}` in {what} is none of `people`", f"{cure}; or add them under `people:`")


def read_processes(draft: Draft, node: Node | None) -> tuple[Process, ...]:
    """Return the processes that the catalog has beside the built-in one, by name."""
    return tuple(sorted((_process(draft, item) for item in entries(node)), key=lambda process: process.name))


def _process(draft: Draft, item: Node) -> Process:
    fields, name = draft.named("processes", "process", item)
    stages = tuple(_stage(draft, f"processes.{name}", one) for one in fields.items("stages", required=True))
    if not stages and "stages" in fields.values:
        cure = "name two at least, in their order"
        draft.report.error(fields.spot("stages"), f"{fields.what} has no stages", cure)
    elif stages and stages[0].checks:
        spot = draft.spot(f"processes.{name}", stages[0].name, "checks")
        what = f"{fields.what} begins in `{stages[0].name}`, so its checks would never be asked for"
        draft.report.error(spot, what, "move them to the stage after it")
    fields.close()
    return Process(name, stages)


def _stage(draft: Draft, section: str, item: Node) -> ProcessStage:
    fields, name = draft.named(section, "stage", item)
    checks = fields.words("checks")
    for node in fields.items("checks"):
        if node.text and node.text not in CHECKS:
            what = f"unknown check `{node.text}` in {fields.what}"
            draft.report.error(node.spot, what, nearest(node.text, CHECKS))
    fields.close()
    return ProcessStage(name, checks)


def write_processes(catalog: Catalog) -> Any:
    return [
        {"name": p.name, "stages": [slim(name=stage.name, checks=list(stage.checks)) for stage in p.stages]}
        for p in catalog.processes
    ]
