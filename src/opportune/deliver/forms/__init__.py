"""The forms of messages: what a treatment's content consists of in each, and how it becomes one person's message.

A form is one file and one line in `FORMS`; `contract` holds the checks that each must pass.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from typing import Any, cast

from opportune.catalog.fields import nearest
from opportune.catalog.types import Channel
from opportune.deliver.forms.base import Compiled, Form, Make
from opportune.errors import BadInput

__all__ = ["FORMS", "Compiled", "Form", "Make", "form_of", "open_form"]

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


BODIES: Mapping[str, tuple[str, ...]] = {
    "email": ("mjml", "html", "text"),
    "sms": ("text",),
    "push": ("title", "body"),
    "letter": ("text",),
    "audience": ("list",),
}
"""What content in a form must have at least one of."""


def form_of(channel: Channel, content: Mapping[str, Any]) -> str:
    """Return the form of a treatment in a channel.

    It is the channel's, unless somebody else sends there (`via` is None) and the content has nothing of that form: then
    it may be anything, say the number of a template at a provider, and is handed on as JSON.

    >>> email = Channel("email", True, "email")
    >>> form_of(email, {"template": 17}), form_of(email, {"text": "Hello"})
    ('json', 'email')
    """
    bodies = BODIES.get(channel.form, ())
    told = channel.via or not bodies or any(field in content for field in bodies)
    return channel.form if told else "json"


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
