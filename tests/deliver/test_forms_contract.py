"""The contract of forms, run on each that is registered."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opportune.catalog import channel_sections
from opportune.deliver.forms import FORMS, Form, contract, open_form
from opportune.errors import BadInput

OFFER = (Path(__file__).parent / "assets" / "offer.mjml").read_text("utf-8")

EXAMPLES: dict[str, dict[str, Any]] = {
    "email": {
        "subject": "{{ customer.first_name }}: {{ action.benefit }}",
        "preheader": "For {{ customer.name }}",
        "mjml": OFFER,
        "text": "Hello {{ customer.name }}, see https://acme.example/?a=1&b=2",
        "from_name": "{{ sender.name }}",
    },
    "sms": {"text": "{{ customer.first_name }}, look: https://acme.example/{{ action.name }}", "transliterate": True},
    "push": {
        "title": "{{ action.benefit }}",
        "body": "For you, {{ customer.first_name }}",
        "url": "https://acme.example/{{ action.name }}",
        "data": {"deep": ["{{ decision.id }}", 3, None]},
    },
    "json": {
        "title": "Hi {{ customer.name }}",
        "n": 3,
        "list": [{"a": "{{ action.value | money }}"}, True],
        "none": None,
    },
    "script": {
        "opening": "Good day, {{ customer.name }}",
        "questions": ["How was {{ action.name }}?"],
        "objections": {"Too dear": "It is {{ action.value | money }}"},
        "tone": "calm",
    },
    "letter": {
        "subject": "{{ action.benefit }}",
        "text": "Dear {{ customer.first_name }},\n\n- **one**\n- two\n\nYours",
    },
    "audience": {"list": "{{ action.campaign }}"},
}


@pytest.mark.parametrize("name", sorted(FORMS))
@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Callable[[Form, contract.Example], None], name: str) -> None:
    check(open_form(name), EXAMPLES[name])


def test_every_form_is_known_by_its_name_and_has_an_example() -> None:
    assert len(contract.CHECKS) >= 7
    assert sorted(EXAMPLES) == sorted(FORMS) == sorted(channel_sections.FORMS)
    for name in FORMS:
        assert open_form(name).name == name


def test_an_unknown_form_says_what_there_is() -> None:
    with pytest.raises(BadInput, match="'emial'; did you mean `email`"):
        open_form("emial")


def test_import_is_light() -> None:
    heavy = "{'liquid', 'mrml', 'css_inline', 'reportlab', 'jsonschema', 'phonenumbers', 'babel'}"
    modules = "opportune.deliver.forms.contract, opportune.catalog"
    forms = "[open_form(name) for name in FORMS]"
    code = (
        f"import sys, {modules}\nfrom opportune.deliver.forms import *\n{forms}\nassert not {heavy} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
