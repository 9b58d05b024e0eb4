"""Every page of the console: its address, its name, and what a role must be allowed to see it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `show` is `module:function` of `opportune.console.pages`; it is given the `frame.Desk`."""

    path: str
    title: str
    icon: str
    what: str
    show: str


PAGES = (
    Page("/now", "Now", "monitor_heart", "see now", "now:show"),
    Page("/customer", "Customer", "person_search", "see customers", "customer:show"),
    Page("/messages", "Messages", "outgoing_mail", "see messages", "messages:show"),
    Page("/actions", "Actions", "campaign", "see actions", "actions:show"),
    Page("/models", "Models", "bubble_chart", "see models", "models:show"),
    Page("/funnel", "Funnel", "filter_alt", "see funnel", "funnel:show"),
    Page("/data", "Data", "storage", "see data", "data:show"),
    Page("/trust", "Trust", "verified_user", "see trust", "trust:show"),
    Page("/operations", "Operations", "view_kanban", "see operations", "operations:show"),
    Page("/lab", "Lab", "science", "see lab", "lab:show"),
)
