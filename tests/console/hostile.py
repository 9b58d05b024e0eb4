"""A hub in which every text that somebody else wrote tries to run, to break out, or to be a formula."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from opportune.catalog.project import write_project
from opportune.client import Client

RUN = (
    "<script>window.taken=1</script><img src=x onerror='window.taken=1'>\"><svg onload=window.taken=1>"
    "{{constructor.constructor('window.taken=1')()}}${window.taken=1}"
)
"""Runs where it is not escaped, in HTML, in an attribute or in a template."""

SHORT = "<img src=x onerror=window.taken=1>{{constructor.constructor('window.taken=1')()}}"
"""The same where names are short."""

TEXTS = {
    "markup": RUN,
    "image": SHORT,
    "link": "javascript:window.taken=1//",
    "formula": "=HYPERLINK(\"http://evil.example\",\"you\")",
    "turned": "‮gnp.evil‬ ابجد",
    "long": "w" * 10_000,
    "odd": "a\x00b\r\nSet-Cookie: x=1 ` `${1}` 'x' \"y\" \\",
}  # fmt: skip

RAW = f"{{% raw %}}{RUN}{{% endraw %}}"

CATALOG: dict[str, Any] = {
    "hypotheses": [
        {"name": "hostile", "claim": RUN, "because": RUN, "metric": "orders", "expected": 0.3, "smallest": 0.05,
         "owner": SHORT},
        {"name": "hostile_two", "claim": TEXTS["link"], "because": TEXTS["turned"], "metric": "orders", "expected": 0.3,
         "smallest": 0.05, "owner": TEXTS["formula"], "parent": "hostile"},
    ],
    "metrics": [{"name": "orders", "event": "Order Completed", "within": "3d"}],
    "tools": [
        {"name": "hostile", "category": RUN, "owner": SHORT, "cost": {"month": 90}, "contract": {"from": "2026-01-01"},
         "features": [RUN, TEXTS["formula"]], "does": [RUN]},
        {"name": "second", "category": TEXTS["link"], "owner": TEXTS["formula"], "cost": {"month": 9},
         "contract": {"from": "2026-01-01"}, "does": [RUN]},
    ],
    "people": [{"name": one, "email": "ana@acme.example"} for one in (SHORT, TEXTS["formula"])],
    "campaigns": [
        {"name": "hostile", "title": RUN, "owner": SHORT, "brief": RUN, "starts": "2026-10-01", "ends": "2027-03-01",
         "tags": [RUN, TEXTS["formula"]], "goal": {"metric": "orders", "target": 5}, "hypothesis": "hostile",
         "budget": {"lines": [{"line": RUN, "planned": 10}]},
         "tasks": [{"name": SHORT, "owner": SHORT, "due": "2026-12-01"},
                   {"name": TEXTS["formula"][:40], "due": "2026-12-01"}]},
        {"name": "linked", "title": TEXTS["link"], "owner": SHORT, "starts": "2026-10-01",
         "ends": "2027-03-01", "tags": [TEXTS["link"]]},
    ],
    "channels": [{"name": "email", "via": "file", "options": {"folder": "sent"}}],
    "placements": [{"name": "email.hostile", "channel": "email", "price": 0}],
    "actions": [
        {"name": "hostile", "issue": "grow", "group": "any", "campaign": "hostile", "owner": SHORT, "value": 100,
         "benefit": RUN, "outcomes": {"positive": ["accept"], "negative": ["reject"], "window": "7d"},
         "treatments": [
             {"name": "hero", "channel": "app", "placements": ["app.home.hero"], "content": {"title": RAW, "body": RAW,
              "url": "https://acme.example"}},
             {"name": "mail", "channel": "email", "placements": ["email.hostile"],
              "content": {"subject": f"{{{{ traits.first_name }}}} {RAW}", "text": "Dear {{ traits.first_name }}"}},
         ]},
    ],
}  # fmt: skip


def write(folder: Path) -> None:
    """Write the project folder."""
    write_project(folder, False)
    (folder / "hostile.yaml").write_text(yaml.safe_dump(CATALOG, allow_unicode=True, sort_keys=False), "utf-8")


def fill(hub: Client) -> list[str]:
    """Let customers with hostile words come by every way in; return their ids."""
    for number, (kind, text) in enumerate(TEXTS.items()):
        who = text[:200].replace("\x00", "")
        hub.ingest(_events(who, kind, text, number))
        answer = hub.decide(who, "app.home.hero")
        for one in answer.actions:
            hub.respond(str(answer.decision_id), one.action, "impression")
        hub.decide(who, "email.hostile")
    hub.new_key("write", name=SHORT)
    return [text[:200].replace("\x00", "") for text in TEXTS.values()]


def _events(who: str, kind: str, text: str, number: int) -> list[dict[str, Any]]:
    known = {"plan": "silver", "tenure_months": 24, "email": f"c{number}@acme.example", "first_name": text,
             text[:60]: text}  # fmt: skip
    said = {"purpose": "marketing", "channel": "email", "status": "granted", "wording": text, "language": "en",
            "version": text[:40], "source": text[:60]}  # fmt: skip
    sent: list[dict[str, Any]] = [
        {"type": "identify", "userId": who, "anonymousId": f"{who}-device", "traits": known},
        {"type": "track", "userId": who, "event": "Consent Updated", "properties": said},
        {"type": "track", "userId": who, "event": text[:200], "properties": {text[:60]: text, "revenue": 5},
         "context": {"userAgent": text, "page": {"url": text, "referrer": text}}},
        {"type": "page", "userId": who, "name": text, "properties": {"url": text, "title": text}},
        {"type": "track", "userId": who, "event": "Order Completed", "properties": {"revenue": 20, "coupon": text}},
        {"type": "track", "userId": who, "event": "Order Completed", "properties": {"revenue": text}},
        {"type": text, "userId": who, "event": text},
        {"type": "track", "userId": who},
    ]
    return [{**one, "messageId": f"{kind}-{at}"} for at, one in enumerate(sent)]
