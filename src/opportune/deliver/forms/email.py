"""The form `email`: {subject, preheader?, mjml | html | text, from_name?} -> {subject, preheader, html?, text, ...}.

Once per treatment and language: MJML becomes HTML, its CSS is inlined, the text part is derived. Per person only
Liquid runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from opportune.deliver.forms import mjml
from opportune.deliver.forms.active import check_active
from opportune.deliver.forms.base import Draft, Make, one_line
from opportune.deliver.forms.footer import Footer
from opportune.deliver.forms.held import Held, line_and_column, offset_of
from opportune.deliver.forms.html_text import tidy, to_text
from opportune.deliver.forms.page import PREHEADER, TITLE, direction_of, finished, prepared
from opportune.deliver.links import linked_html, linked_text
from opportune.deliver.render.templates import RenderFailed, Template, Templates
from opportune.deliver.types import Failure
from opportune.errors import Problem

FIELDS = ("subject", "preheader", "mjml", "html", "text", "from_name")
CLIPPED = 102 * 1024
"""Gmail shows the first 102 KiB of a message and hides the rest, the way out included."""

_LITERAL = re.compile(r"\{[{%]")
"""What is no Liquid but would be taken for it: the author wrote it as an entity."""


class Email:
    """An e-mail with an HTML and a text part, or of text alone. The text is derived from the HTML unless it is given.

    Marketing always carries a way out: see `Footer`.
    """

    name = "email"

    def compile(self, content: Mapping[str, Any], language: str, templates: Templates) -> _Compiled:
        draft = Draft(content, templates)
        subject, preheader = draft.text("subject", required=True), draft.text("preheader")
        from_name = draft.text("from_name")
        page = _page(draft, language, preheader is not None)
        text = draft.text("text") if content.get("text") else page.text(templates) if page else None
        warnings = draft.close(FIELDS)
        assert subject is not None
        assert text is not None
        html = page.template(templates) if page else None
        return _Compiled(subject, preheader, from_name, html, text, Footer(language, templates), page, warnings)

    def linked(self, content: dict[str, Any], make: Make) -> dict[str, Any]:
        html = {"html": linked_html(content["html"], make)} if "html" in content else {}
        return {**content, **html, "text": linked_text(content["text"], make)}

    def remarks(self, content: Mapping[str, Any]) -> list[str]:
        size = len(content.get("html", "").encode())
        return [_too_big(size)] if size > CLIPPED else []


@dataclass(frozen=True, slots=True)
class _Page:
    """The compiled HTML with its Liquid held back."""

    field: str
    held: Held
    html: str
    plain: str

    def template(self, templates: Templates) -> Template:
        return templates.html(self.held.restore(self.html), self.field)

    def text(self, templates: Templates) -> Template:
        return templates.text(self.held.restore(self.plain), self.field)

    def located(self, failure: Failure, compiled: str) -> Failure:
        """Return a failure at the place where its author wrote it."""
        if failure.field != self.field:
            return failure
        offset = offset_of(self.held.restore(compiled), failure.line, failure.column)
        line, column = line_and_column(self.held.source, self.held.origin_of(compiled, offset))
        return Failure(failure.what, self.field, line, column)


def _page(draft: Draft, language: str, preheader: bool) -> _Page | None:
    given = [field for field in ("mjml", "html") if draft.content.get(field)]
    if not given and draft.content.get("text"):
        return None
    if len(given) != 1:
        what = "both `mjml` and `html`" if given else "no `mjml`, `html` or `text`"
        draft.wrong(given[-1] if given else "mjml", what, "give the e-mail one of them")
        return None
    field = given[0]
    source = draft.source(field)
    if source is None or draft.compiled(field, source, html=True) is None:
        return None
    held, direction = Held(source), direction_of(language)
    check_active(held, field, draft)
    html = mjml.to_html(held, field, language, direction, draft) if field == "mjml" else prepared(held, field, draft)
    if html is None:
        return None
    try:
        html = finished(html, held, language, direction, preheader)
    except ValueError as wrong:
        draft.wrong(field, f"the CSS cannot be inlined: {wrong}", "mend the style sheet")
        return None
    if len(html.encode()) > CLIPPED:
        draft.warn(field, _too_big(len(html.encode())))
    return _Page(field, held, _LITERAL.sub(lambda found: f"&#123;{found[0][1]}", html), _plain(html, held))


def _plain(html: str, held: Held) -> str:
    """Return the text part with words where Liquid was."""
    text = to_text(html, lambda comment: comment if held.word.fullmatch(comment) else "")
    # a line of nothing but tags would leave an empty line with each turn of a loop
    text = re.sub(rf"(?m)^ *((?:{held.word.pattern} *)+)\n", lambda line: _unbroken(line[1], held) or line[0], text)
    return _LITERAL.sub(r"{{ '\g<0>' }}", text)


def _unbroken(words: str, held: Held) -> str:
    """Return words that all stand for tags as they are; "" if any is an output."""
    return words.strip() if all(held.tag(found[0]) for found in held.word.finditer(words)) else ""


def _too_big(size: int) -> str:
    return f"the HTML has {size / 1024:.0f} kB; Gmail hides what comes after {CLIPPED // 1024} kB: shorten it"


@dataclass(frozen=True, slots=True)
class _Compiled:
    subject: Template
    preheader: Template | None
    from_name: Template | None
    html: Template | None
    text: Template
    footer: Footer
    page: _Page | None
    warnings: Sequence[Problem]

    def render(self, context: Mapping[str, Any]) -> dict[str, Any]:
        subject = one_line(self.subject.render(context))
        if not subject:
            raise RenderFailed(Failure("the subject is empty", "subject"))
        preheader = one_line(self.preheader.render(context)) if self.preheader else ""
        content = {"subject": subject, "preheader": preheader}
        if self.html and self.page:
            html = self.rendered(self.html, self.page.html, context)
            html = html.replace(TITLE, escape(subject), 1)
            if self.preheader:
                html = html.replace(PREHEADER, escape(preheader), 1)
            content["html"] = self.footer.html(html, context)
        text = tidy(self.rendered(self.text, self.page.plain if self.page else "", context))
        content["text"] = self.footer.text(text.replace(" ()", ""), context)  # a link to nowhere
        if self.from_name:
            content["from_name"] = one_line(self.from_name.render(context))
        return content

    def rendered(self, template: Template, compiled: str, context: Mapping[str, Any]) -> str:
        try:
            return template.render(context)
        except RenderFailed as failed:
            raise RenderFailed(self.page.located(failed.failure, compiled) if self.page else failed.failure) from None
