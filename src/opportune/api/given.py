"""What a request gives besides its body, checked: ids and whole numbers."""

from __future__ import annotations

from opportune.api.endpoint import Call
from opportune.api.problems import Refused
from opportune.errors import BadRequest


def id_of(text: str, field: str = "id") -> str:
    """Return an id as it is; raises `BadRequest` for one that nothing can have."""
    try:
        if 1 <= len(text) <= 512 and text.encode():
            return text
    except UnicodeEncodeError:
        pass
    raise BadRequest(f"{text[:60]!r} is no {field}; give a text of 1 to 512 characters", field)


def whole(call: Call, name: str, default: int, most: int) -> int:
    """Return a whole number of the query, up to a greatest one; raises `Refused`."""
    text = call.query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= most):
        raise Refused(400, "bad-request", f"{name} is {text[:20]!r}; give a whole number up to {most}", name)
    return int(text)
