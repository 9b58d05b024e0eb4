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
    Page("/data", "Data", "database", "see data", "data:show"),
)
