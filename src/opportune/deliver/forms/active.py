"""What runs in a browser and never in an e-mail: mail programs drop it, and filters take the message for a fraud."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from opportune.deliver.forms.base import Draft
from opportune.deliver.forms.held import Held, line_and_column, offset_of

DATA = frozenset(("application/ld+json", "application/json"))
"""Types of scripts that are data, which mail programs read: orders, flights, tickets."""

_RUNS = re.compile(r"(javascript|vbscript):", re.IGNORECASE)
_IGNORED = re.compile(r"[\x00-\x20]+")
"""What browsers leave out of the beginning of an address, and some of it within."""


def check_active(held: Held, field: str, draft: Draft) -> None:
    """Refuse scripts, attributes that run something (`onclick`) and links with `javascript:`, each where it stands."""
    _Reader(held, field, draft).feed(held.text)


class _Reader(HTMLParser):
    """Reads as a browser does: entities in attributes are resolved, upper and lower case are alike."""

    def __init__(self, held: Held, field: str, draft: Draft) -> None:
        super().__init__()
        self.held, self.field, self.draft = held, field, draft

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "script" and given.get("type", "").strip().lower() not in DATA:
            self.wrong("<script", "`<script>` runs in no e-mail", "remove it")
        for name, value in given.items():
            if re.fullmatch("on[a-z]+", name):
                self.wrong(name, f"`{name}` runs in no e-mail", "remove it")
            elif found := _RUNS.match(_IGNORED.sub("", value)):
                self.wrong(name, f"a link with `{found[0].lower()}` works in no e-mail", "link to a page, https://...")

    def wrong(self, part: str, what: str, cure: str) -> None:
        """Add a mistake at a part of the tag that is being read."""
        at = offset_of(self.held.text, self.getpos()[0], self.getpos()[1] + 1)
        # an attribute of this name, not the end of another one such as `data-onclick`; else the tag itself
        within = re.search(rf"(?<![\w-]){re.escape(part)}(?=\s*=)", self.get_starttag_text() or "", re.IGNORECASE)
        line, column = line_and_column(self.held.source, self.held.origin(at + (within.start() if within else 0)))
        self.draft.wrong(self.field, what, cure, line, column)
