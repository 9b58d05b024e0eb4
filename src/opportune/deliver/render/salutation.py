"""How a message greets: formal or informal, in the language of the text, never guessing who somebody is.

Formal greetings need a form of address (trait `salutation`) that the customer gave; without one the whole name is
greeted, and without a name nobody in particular.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from opportune.deliver.render.languages import base


class Words(NamedTuple):
    """The greetings of a language. `{last}` has the title before it; `titled` is used in place of a form of address.

    `mr`, `ms`, `mx` greet by form of address; `named` greets the whole `{name}` formally, `informal` the first name.
    """

    mr: str
    ms: str
    mx: str
    named: str
    informal: str
    nobody: str
    nobody_informal: str
    titled: str = ""


GREETINGS: Mapping[str, Words] = {
    "en": Words("Dear Mr {last}", "Dear Ms {last}", "Dear Mx {last}", "Dear {name}", "Hello {first}", "Hello",
                "Hello", "Dear {last}"),
    "de": Words("Sehr geehrter Herr {last}", "Sehr geehrte Frau {last}", "", "Guten Tag {name}", "Hallo {first}",
                "Guten Tag", "Hallo"),
    "fr": Words("Bonjour Monsieur {last}", "Bonjour Madame {last}", "", "Bonjour {name}", "Bonjour {first}",
                "Bonjour", "Bonjour"),
    "es": Words("Estimado Sr. {last}", "Estimada Sra. {last}", "", "Hola, {name}", "Hola, {first}", "Hola", "Hola"),
    "it": Words("Gentile Sig. {last}", "Gentile Sig.ra {last}", "", "Gentile {name}", "Ciao {first}", "Buongiorno",
                "Ciao"),
    "nl": Words("Geachte heer {last}", "Geachte mevrouw {last}", "", "Geachte {name}", "Hallo {first}", "Goedendag",
                "Hallo"),
    "pt": Words("Caro Sr. {last}", "Cara Sra. {last}", "", "Olá, {name}", "Olá, {first}", "Olá", "Olá"),
    # a Polish name would have to be bent to be greeted, so forms of address stand alone
    "pl": Words("Szanowny Panie", "Szanowna Pani", "", "Dzień dobry", "Cześć, {first}", "Dzień dobry", "Cześć"),
}  # fmt: skip
"""The greetings by language, without the comma that the text puts behind them."""

FORMS = {
    **dict.fromkeys(("mr", "sir", "herr", "m", "monsieur", "sr", "señor", "sig", "signor", "signore", "heer", "dhr",
                     "senhor", "pan"), "mr"),
    **dict.fromkeys(("ms", "mrs", "miss", "madam", "frau", "mme", "mlle", "madame", "sra", "señora", "sigra", "signora",
                     "mevrouw", "mevr", "mw", "senhora", "pani"), "ms"),
    **dict.fromkeys(("mx", "divers", "neutral"), "mx"),
}  # fmt: skip
"""What customers write as their form of address (lower case, without dots), and which greeting that asks for."""

INFORMAL = frozenset(("informal", "du", "tu", "tú", "je", "ty"))
FORMAL = frozenset(("formal", "sie", "vous", "usted", "lei", "u", "pan", "pani"))


def greeting(customer: Mapping[str, Any], language: str, manner: str = "") -> str:
    """Return the greeting of a customer (`deliver.person`) in a language; `manner` overrides the customer's own.

    In a language that has no row here, the name alone.

    >>> greeting({"salutation": "Frau", "title": "Dr.", "last_name": "Kruse", "manner": "formal"}, "de-AT")
    'Sehr geehrte Frau Dr. Kruse'
    >>> greeting({}, "de"), greeting({"first_name": "Maya", "manner": "informal"}, "fr")
    ('Guten Tag', 'Bonjour Maya')
    """
    first, last, name = (_text(customer.get(key)) for key in ("first_name", "last_name", "name"))
    name = name or f"{first} {last}".strip()
    words = GREETINGS.get(base(language))
    if words is None:
        return name
    if (manner or _text(customer.get("manner"))).lower() in INFORMAL:
        return words.informal.format(first=first or name) if first or name else words.nobody_informal
    title = _text(customer.get("title"))
    form = FORMS.get(_text(customer.get("salutation")).lower().replace(".", "").strip(), "")
    pattern = (words.titled if title and form else "") or {"mr": words.mr, "ms": words.ms, "mx": words.mx}.get(form, "")
    if pattern and (last or "{last}" not in pattern):
        return pattern.format(last=f"{title} {last}".strip())
    if not name:
        return words.nobody
    # whoever has a title is greeted with it; a name that is given whole may hold it already
    return words.named.format(name=name if not title or name.startswith(title) else f"{title} {name}")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
