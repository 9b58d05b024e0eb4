"""What a message of marketing must say and its author left out: who sends it, and how to end it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from opportune.deliver.render.templates import Templates

WORDS = {
    "en": ("Unsubscribe", "Choose what you get", "You receive this message because you agreed to it."),
    "de": ("Abbestellen", "Auswählen, was Sie erhalten", "Sie erhalten diese Nachricht, weil Sie zugestimmt haben."),
    "fr": ("Se désabonner", "Choisir vos messages", "Vous recevez ce message parce que vous l’avez accepté."),
    "es": ("Darse de baja", "Elegir qué recibe", "Recibe este mensaje porque lo ha aceptado."),
    "it": ("Annulla l’iscrizione", "Scegli cosa ricevere", "Ricevi questo messaggio perché lo hai accettato."),
    "nl": ("Afmelden", "Kiezen wat u ontvangt", "U ontvangt dit bericht omdat u daarmee hebt ingestemd."),
    "pt": ("Cancelar a subscrição", "Escolher o que recebe", "Recebe esta mensagem porque a aceitou."),
    "pl": ("Wypisz się", "Wybierz, co otrzymujesz", "Otrzymujesz tę wiadomość, ponieważ wyrażono na nią zgodę."),
}
"""The words by language; a language that is not here gets the English ones."""

_LINES = """\
{% if sender.name %}{{ sender.name }}{% endif %}{% if sender.address %}{% if sender.name %}, {% endif %}\
{{ sender.address }}{% endif %}"""

_HTML = (
    "<style>@media (prefers-color-scheme: dark) { .message-end { background: #1c1c1e !important; } "
    ".message-end p, .message-end a { color: #d1d1d6 !important; } }</style>"
    '<div class="message-end" style="background:#ffffff;padding:16px 24px;text-align:center;'
    'font:12px/1.5 Arial,Helvetica,sans-serif"><p style="margin:0;color:#4b4b4f">AGREED</p>'
    f'<p style="margin:4px 0 0;color:#4b4b4f">{_LINES}</p><p style="margin:4px 0 0;color:#4b4b4f">'
    '{% if links.unsubscribe %}<a href="{{ links.unsubscribe }}" style="color:#4b4b4f">UNSUBSCRIBE</a>{% endif %}'
    "{% if links.unsubscribe and links.preferences %} | {% endif %}"
    '{% if links.preferences %}<a href="{{ links.preferences }}" style="color:#4b4b4f">CHOOSE</a>{% endif %}'
    "</p></div>"
)
_TEXT = (
    f"-- \nAGREED\n{_LINES}\n"
    "{% if links.unsubscribe %}UNSUBSCRIBE: {{ links.unsubscribe }}\n{% endif %}"
    "{% if links.preferences %}CHOOSE: {{ links.preferences }}\n{% endif %}"
)


class Footer:
    """The end of an e-mail whose author gave no way out of it, in one language.

    It applies where the context has `links.unsubscribe` or `links.preferences`: a message that needs a way out has
    them, a service message has not. Whether the way out is there is looked up in the finished message, so that a link
    in a block counts and one in a branch that was not taken does not.
    """

    def __init__(self, language: str, templates: Templates) -> None:
        words = WORDS.get(language.lower()[:2], WORDS["en"])
        self._html = templates.html(_worded(_HTML, words), "footer")
        self._text = templates.text(_worded(_TEXT, words), "footer")

    def html(self, page: str, context: Mapping[str, Any]) -> str:
        """Return the page with a way out."""
        out = _ways_out(context)
        if not out or any(escape(address) in page for address in out):
            return page
        at = page.rfind("</body>")
        at = len(page) if at < 0 else at
        return page[:at] + self._html.render(context) + page[at:]

    def text(self, text: str, context: Mapping[str, Any]) -> str:
        """Return the text part with a way out."""
        out = _ways_out(context)
        if not out or any(address in text for address in out):
            return text
        return f"{text}\n\n{self._text.render(context).strip()}"


def _ways_out(context: Mapping[str, Any]) -> list[str]:
    links = context.get("links") or {}
    return [str(links[key]) for key in ("unsubscribe", "preferences") if links.get(key)]


def _worded(source: str, words: tuple[str, str, str]) -> str:
    unsubscribe, choose, agreed = words
    return source.replace("UNSUBSCRIBE", unsubscribe).replace("CHOOSE", choose).replace("AGREED", agreed)
