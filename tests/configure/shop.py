"""The three products of docs/configure.md in a catalog, and a hub with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from opportune.catalog.types import Catalog
from opportune.configure.bench import Question
from opportune.services.workshop import Workshop
from opportune.testing import tiny_catalog
from opportune.wire.configured import Configured

DOCS = Path(__file__).parents[2] / "docs" / "configure.md"


def documented() -> list[dict[str, Any]]:
    text = DOCS.read_text("utf-8").partition("```yaml\n")[2].partition("```")[0]
    products: list[dict[str, Any]] = yaml.safe_load(text)["products"]
    return products


def shop(**more: Any) -> Catalog:
    data: dict[str, Any] = {
        "products": documented(),
        "traits": [{"name": "keyboard", "type": "text"}, {"name": "foot_mm", "type": "number"}],
        "loyalty": {"earn": [{"event": "Order Completed", "per": "revenue"}]},
    }
    return tiny_catalog(**{**data, **more})


def ask(workshop: Workshop, product: str, choices: dict[str, Any] | None = None, **more: Any) -> Configured:
    return workshop.bench.answer(workshop.question(product, choices or {}, **more), 60.0)


def answered(workshop: Workshop, question: object) -> Configured:
    assert isinstance(question, Question)
    return workshop.bench.answer(question, 60.0)
