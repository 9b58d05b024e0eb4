"""The forms of messages: what a treatment's content consists of in each, and how it becomes one person's message.

A form is one file and one line in `FORMS`; `contract` holds the checks that each must pass.
"""

from __future__ import annotations

import functools
import importlib
from typing import cast

from opportune.catalog.fields import nearest
from opportune.deliver.forms.base import Compiled, Form, Make
from opportune.errors import BadInput

__all__ = ["FORMS", "Compiled", "Form", "Make", "open_form"]

FORMS = {
    "email": "opportune.deliver.forms.email:Email",
    "sms": "opportune.deliver.forms.sms:Sms",
    "push": "opportune.deliver.forms.push:Push",
    "json": "opportune.deliver.forms.json:Json",
    "script": "opportune.deliver.forms.script:Script",
    "letter": "opportune.deliver.forms.letter:Letter",
    "audience": "opportune.deliver.forms.audience:Audience",
}
"""Where each form is, `module:class`; imported when it is opened."""


@functools.cache
def open_form(name: str) -> Form:
    """Return the form of that name; `BadInput` if there is none. Forms hold no state: each is made once.

    >>> open_form("sms").name
    'sms'
    """
    if name not in FORMS:
        raise BadInput(f"unknown form {name!r}; {nearest(name, FORMS)}")
    module, _, kind = FORMS[name].partition(":")
    return cast(Form, getattr(importlib.import_module(module), kind)())
