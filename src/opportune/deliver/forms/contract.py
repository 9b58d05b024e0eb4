"""What every form must hold, run on each that is registered. Write a plug-in form, and run `CHECKS` on it.

Each check takes a form and an example of its content: one that renders for `PERSON`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from opportune.deliver.forms.base import Form
from opportune.deliver.render.templates import BadTemplate, RenderFailed, Templates, is_plain

PERSON: dict[str, Any] = {
    "customer": {"id": "maya", "name": "Maya Stone", "first_name": "Maya", "last_name": "Stone", "manner": "informal",
                 "language": "en", "locale": "en_GB", "time_zone": "Europe/Berlin", "country": "DE"},
    "traits": {"email": "maya@example.com", "phone": "030 901820", "address": "Long Street 12\n10115 Berlin"},
    "features": {"orders_90d": 5.0},
    "action": {"name": "tea", "benefit": "Better tea", "value": 12.5, "campaign": "spring"},
    "decision": {"id": "01J"},
    "items": [{"id": "1", "title": "Green", "url": "https://acme.example/1", "price": 4.5}],
    "links": {"unsubscribe": "https://hub.example/u/1?a=1&b=2", "preferences": "https://hub.example/p/1"},
    "sender": {"name": "Acme", "email": "hello@acme.example", "address": "Street 1, 10115 Berlin",
               "website": "https://acme.example"},
    "currency": "EUR",
    "now": "2026-03-01T10:00:00+01:00",
}  # fmt: skip
"""A customer as `deliver.person` shows one to templates."""

NAMES = (
    "", "x" * 300, "שלום עולם", "<b>&\"'</b>", "{{ 1 | plus: 1 }}{% if %}", "a\r\nBcc: b@example.com\x00", "🍵" * 50
)  # fmt: skip
"""Names that customers have or type: none, long, right to left, markup, Liquid, headers, beyond the basic plane."""

Example = Mapping[str, Any]


def renders_the_same(form: Form, example: Example) -> None:
    """Compiling and rendering are pure: the same comes out each time, and nothing that went in has changed."""
    content, person = copy.deepcopy(dict(example)), copy.deepcopy(PERSON)
    once = _compiled(form, content)
    first, second = once.render(person), once.render(person)
    assert first == second == _compiled(form, content).render(person), "rendering twice gives two messages"
    assert content == example, "compiling changed the content"
    assert person == PERSON, "rendering changed the context"


def one_person_leaves_no_trace(form: Form, example: Example) -> None:
    """Rendering for somebody else in between changes nothing."""
    compiled = _compiled(form, example)
    first = compiled.render(PERSON)
    for person in _people():
        _rendered(compiled, person)
    assert compiled.render(PERSON) == first, "a message carries something of another customer's"


def gives_plain_data(form: Form, example: Example) -> None:
    """What is finished can be sent to another process and back."""
    content = _compiled(form, example).render(PERSON)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(content)) == content


def takes_everybody(form: Form, example: Example) -> None:
    """Whatever a customer is called and lacks, there is a message or a failure that says of which field."""
    compiled = _compiled(form, example)
    fine = 0
    for person in _people():
        content = _rendered(compiled, person)
        if content is not None:
            fine += 1
            msgspec.msgpack.encode(content)
            assert all(isinstance(remark, str) for remark in form.remarks(content))
    assert fine, "nobody but the example gets a message"


def values_are_no_templates(form: Form, example: Example) -> None:
    """What a customer typed is never run as Liquid."""
    typed = "{{ 'run' | append: 'away' }}"
    person = {**PERSON, "customer": {**PERSON["customer"], "name": typed, "first_name": typed}}
    assert "runaway" not in str(_rendered(_compiled(form, example), person)), "Liquid in a value was run"


def bad_liquid_is_found(form: Form, example: Example) -> None:
    """A mistake in any text is refused, with its field, line and column."""
    for field, broken in _broken(dict(example)):
        try:
            _compiled(form, broken)
        except BadTemplate as bad:
            places = [(p.file, p.line, p.column) for p in bad.problems if not p.warning]
            found = any(place[:2] == (field, 2) and place[2] >= 4 for place in places)
            assert found, f"{field} is not blamed: {places}"
        else:
            raise AssertionError(f"broken Liquid in `{field}` was taken")


def links_can_be_made(form: Form, example: Example) -> None:
    """Giving each link back as it was changes nothing; `make` sees addresses of the web only, each decoded."""
    content = _compiled(form, example).render(PERSON)
    seen: list[str] = []
    assert form.linked(copy.deepcopy(content), lambda url: seen.append(url) or url) == content  # type: ignore[func-returns-value]
    assert all(url.lower().startswith(("http://", "https://")) and "&amp;" not in url for url in seen)


CHECKS: tuple[Callable[[Form, Example], None], ...] = (
    renders_the_same,
    one_person_leaves_no_trace,
    gives_plain_data,
    takes_everybody,
    values_are_no_templates,
    bad_liquid_is_found,
    links_can_be_made,
)


def _compiled(form: Form, content: Example) -> Any:
    return form.compile(content, "en", Templates({}, "en"))


def _rendered(compiled: Any, person: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = compiled.render(person)
        return content
    except RenderFailed as failed:
        failure = failed.failure
    assert failure.what, "a failure says nothing"
    assert failure.field, f"a failure names no field: {failure.what}"
    return None


def _people() -> Iterator[dict[str, Any]]:
    yield {}
    yield {key: type(value)() for key, value in PERSON.items()}
    for name in NAMES:
        yield {**PERSON, "customer": {**PERSON["customer"], "name": name, "first_name": name, "last_name": name}}
        yield {**PERSON, "traits": {**PERSON["traits"], "email": name, "phone": name}, "links": {}}


def _broken(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the value with one text at a time made a broken template, and the field of that text."""
    if isinstance(value, str) and not is_plain(value):
        yield path, f"fine\n   {{{{ customer.name | }}}} {value}"
    elif isinstance(value, dict):
        for key, inner in value.items():
            for field, broken in _broken(inner, f"{path}.{key}" if path else key):
                yield field, {**value, key: broken}
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            for field, broken in _broken(inner, f"{path}.{index}"):
                yield field, [*value[:index], broken, *value[index + 1 :]]
