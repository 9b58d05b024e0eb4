"""What people answer to an SMS: the words that every operator knows, and those of other languages."""

from __future__ import annotations

import unicodedata
from typing import Literal

Word = Literal["stop", "help", "start"]

_WORDS: dict[str, Word] = {
    # CTIA Short Code Monitoring Handbook, and the default keywords of Twilio
    **dict.fromkeys(("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout", "revoke", "remove"), "stop"),
    **dict.fromkeys(("help", "info"), "help"),
    **dict.fromkeys(("start", "unstop", "optin", "subscribe"), "start"),
    # what people write instead
    **dict.fromkeys(("stopp", "abmelden", "arret", "arreter", "desabonner", "parar", "alto", "baja", "cancelar",
                     "fermare", "basta", "cancella", "afmelden", "sair", "koniec", "wypisz", "עצור", "הסר"), "stop"),
    **dict.fromkeys(("hilfe", "aide", "ayuda", "aiuto", "ajuda", "pomoc", "עזרה"), "help"),
}  # fmt: skip


def keyword(text: str) -> Word | None:
    """Return what a reply asks for; None for any other text. Case, accents and signs do not matter, spaces do.

    >>> keyword(" Stop. "), keyword("opt-out"), keyword("Désabonner"), keyword("do not stop")
    ('stop', 'stop', 'stop', None)
    """
    plain = unicodedata.normalize("NFKD", text.strip().casefold())
    word = "".join(c for c in plain if c.isalnum() or c.isspace())
    return _WORDS.get(word)
