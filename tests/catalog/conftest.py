"""A small catalog that is right, to be made wrong in one place at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

SHOP = """\
currency: EUR
time_zone: Europe/Berlin
traits: [{name: tenure_months, type: number}, {name: plan, type: text}]
features:
  - {name: cancel_page_views_1d, event: Page Viewed, where: "page = 'cancel'", aggregate: count, window: 1d, by: 1h}
  - {name: spend_90d, event: Order Completed, aggregate: sum(revenue), window: 90d, by: 1d}
situations:
  - {name: leaving, when: cancel_page_views_1d >= 2, silences: [grow], raises: {retain: 50}}
placements:
  - {name: app.home.hero, channel: app, price: 0}
  - {name: email.weekly, channel: email, price: 0.05 + 0.1 * contacts_email_7d}
actions:
  - name: keep_bundle
    issue: retain
    group: bundle
    campaign: spring
    owner: ana
    value: 120
    lever: 0
    benefit: A lower price
    helps: spend_90d > 20
    eligible: tenure_months >= 6
    applicable: cancel_page_views_1d >= 2
    suitable: plan <> 'trial'
    outcomes: {positive: [accept], negative: [reject, dismiss], window: 7d, goal: {event: Plan Kept, within: 14d}}
    treatments: [{name: hero, channel: app, placements: [app.home.*], content: {title: Stay}}]
  - name: more_data
    issue: grow
    group: data
    campaign: spring
    owner: ana
    benefit: No slow days
    eligible: tenure_months >= 2
    treatments: [{name: mail, channel: email, placements: [email.weekly]}]
contact:
  - {name: email_week, on: channel/email, at_most: 3, in: 7d}
  - {name: tired, on: action, after: reject, times: 2, in: 30d, pause: 30d}
  - {name: night, on: channel/email, quiet: "21:00-08:00"}
model: {predictor: bayes, predictors: all, explore: thompson, arbitrate: propensity}
"""


@pytest.fixture(scope="session")
def shop_text() -> str:
    return SHOP


@pytest.fixture
def shop(tmp_path: Path) -> Callable[..., Path]:
    """Write the catalog with some of its text replaced, and more files beside it; return the folder."""

    def write(*replacements: tuple[str, str], **more: str) -> Path:
        text = SHOP
        for old, new in replacements:
            assert text.count(old) >= 1, old
            text = text.replace(old, new, 1)
        folder = tmp_path / "shop"
        folder.mkdir(exist_ok=True)
        (folder / "shop.yaml").write_text(text, encoding="utf-8")
        for name, content in more.items():
            (folder / f"{name}.yaml").write_text(content, encoding="utf-8")
        return folder

    return write
