"""What a question looks like in each form of a message; where a customer can answer it, their answer is one click."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from opportune.catalog.types import Ask, Option, Pulse, Trait

Content = Callable[[str, str], dict[str, Any] | None]
"""Gives the content of a form in a language; None where the form takes no answer."""

LINK = "{{ links.answer }}"
"""The page on which a customer answers; `?answer=VALUE` marks one there."""

MOST_BUTTONS = 12
"""Answers that each have a button in an e-mail; more are chosen on the page."""

_MAIL = (
    '<mjml><mj-body><mj-section><mj-column><mj-text font-size="20px">{question}</mj-text>{more}{buttons}'
    "</mj-column></mj-section></mj-body></mjml>"
)


def pulse_content(pulse: Pulse) -> Content:
    """Return what the question of the pulse looks like."""

    def content(form: str, language: str) -> dict[str, Any] | None:
        question = text_in(pulse.question, language)
        answers = [("yes", text_in(pulse.yes, language)), ("no", text_in(pulse.no, language))]
        told = [{"answer": value, "title": title} for value, title in answers]
        return _content(form, question, "", answers, {"question": question, "answers": told})

    return content


def ask_content(ask: Ask, trait: Trait) -> Content:
    """Return what the question for a fact looks like: it always says what the answer buys."""

    def content(form: str, language: str) -> dict[str, Any] | None:
        question, buys = text_in(ask.question, language), text_in(ask.buys, language)
        told: dict[str, Any] = {"question": question, "buys": buys, "fact": ask.fact, "kind": trait.kind.value}
        if ask.options:
            told["options"] = [{"value": o.value, "title": title_of(o, language)} for o in ask.options]
        answers = [(shown(o.value), title_of(o, language)) for o in ask.options]
        return _content(form, question, buys, answers, told)

    return content


def title_of(option: Option, language: str) -> str:
    """Return what an answer is called in a language."""
    return text_in(option.title, language) or shown(option.value)


def shown(value: str | float | bool) -> str:
    """Return a value as people, and forms of a page, write it.

    >>> shown(6.0), shown(True), shown("gold")
    ('6', 'yes', 'gold')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.15g}" if isinstance(value, float) else value


def text_in(texts: Mapping[str, str], language: str) -> str:
    """Return a text in a language, else the one for all, else English, else any; "" if there is none.

    >>> text_in({"en": "Yes", "de": "Ja"}, "fr")
    'Yes'
    """
    return next((texts[key] for key in (language, "", "en", *texts) if key in texts), "")


def _content(
    form: str, question: str, buys: str, answers: Sequence[tuple[str, str]], told: dict[str, Any]
) -> dict[str, Any] | None:
    choice = " / ".join(title for _, title in answers)
    match form:
        case "json":
            return told
        case "script":
            parts = {"questions": question, "benefit": buys, "answers": choice}
            return {key: text for key, text in parts.items() if text}
        case "email":
            return {"subject": question, "mjml": _mail(question, buys, answers)}
        case "sms":
            return {"text": " ".join(filter(None, (question, buys, LINK)))}
        case "push":
            return {"title": question, "body": buys or choice, "url": LINK}
    return None


def _mail(question: str, buys: str, answers: Sequence[tuple[str, str]]) -> str:
    few = 0 < len(answers) <= MOST_BUTTONS
    buttons = [(f"{LINK}?answer={quote(value)}", title) for value, title in answers] if few else [(LINK, buys)]
    made = "".join(f'<mj-button href="{href}">{escape(title, quote=False)}</mj-button>' for href, title in buttons)
    more = f"<mj-text>{escape(buys, quote=False)}</mj-text>" if buys else ""
    return _MAIL.format(question=escape(question, quote=False), more=more, buttons=made)
