"""Every page of the console: its address, its name, and what a role must be allowed to see it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `show` is `module:function` of `opportune.console.pages`; it is given the `frame.Desk`.

    A page without an `icon` is not among the pages at the side: something else leads there. Those of one `group` stand
    together there.
    """

    path: str
    title: str
    icon: str
    what: str
    show: str
    group: str = ""


PAGES = (
    Page("/now", "Now", "monitor_heart", "see now", "now:show", "Today"),
    Page("/customer", "Customer", "person_search", "see customers", "customer:show", "Today"),
    Page("/decisions", "Decisions", "receipt_long", "see decisions", "decisions:show", "Today"),
    Page("/actions", "Actions", "campaign", "see actions", "actions:show", "The brain"),
    Page("/models", "Models", "bubble_chart", "see models", "models:show", "The brain"),
    Page("/funnel", "Funnel", "filter_alt", "see funnel", "funnel:show", "The brain"),
    Page("/operations", "Operations", "view_kanban", "see operations", "operations:show", "The work"),
    Page("/lab", "Lab", "science", "see lab", "lab:show", "The work"),
    Page("/messages", "Messages", "outgoing_mail", "see messages", "messages:show", "The work"),
    Page("/data", "Data", "storage", "see data", "data:show", "The ground"),
    Page("/trust", "Trust", "verified_user", "see trust", "trust:show", "The ground"),
    Page("/me", "Me", "", "see me", "me:show"),
)
