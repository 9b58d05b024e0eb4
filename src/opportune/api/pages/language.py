"""The words of the pages in each language, and which language a customer reads.

A table is a file of `words/`; every one has the same keys. Adding a language is adding a file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from opportune.clock import parse_instant, to_datetime
from opportune.deliver.render.languages import RIGHT_TO_LEFT, base

DEFAULT = "en"


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language."""

    language: str
    table: Mapping[str, str]

    def __call__(self, key: str, **values: str) -> str:
        """Return a text with what belongs into its braces."""
        text = self.table[key]
        if values and self.direction == "rtl":  # what is put in keeps its own direction
            values = {name: f"\u2068{value}\u2069" for name, value in values.items()}
        return text.format_map(values) if values else text

    @property
    def direction(self) -> str:
        """`ltr`, or `rtl` for languages that are written from right to left."""
        return "rtl" if self.language in RIGHT_TO_LEFT else "ltr"

    def channel(self, name: str) -> str:
        """Return what a customer calls a channel; its own name where there is no word for it."""
        return self.table.get(f"channel_{name}") or readable(name)

    def source(self, name: str) -> str:
        """Return where a consent came from, as a customer reads it."""
        return self.table.get(f"source_{name.replace('-', '_')}") or readable(name)

    def day(self, at: int, zone: str, form: str = "long") -> str:
        """Return the date of an instant in a zone, written out; in a table as `medium`."""
        from babel.dates import format_date

        return format_date(local_date(at, zone), form, locale=self.language)

    def titled(self, titles: Mapping[str, str], name: str) -> str:
        """Return a title of the catalog in this language, else in any, else the name made readable."""
        for language in (self.language, "", DEFAULT, *titles):
            if language in titles:
                return titles[language]
        return readable(name)


def local_date(at: int, zone: str) -> date:
    """Return the date of an instant in a zone; that of one which no calendar has is the first or last that there is.

    >>> local_date(0, "America/New_York"), local_date(1 << 62, "Asia/Tokyo").year
    (datetime.date(1969, 12, 31), 9999)
    """
    return to_datetime(min(max(at, _FIRST), _LAST)).astimezone(ZoneInfo(zone)).date()


_FIRST, _LAST = parse_instant("0001-01-02"), parse_instant("9999-12-30")


def readable(name: str) -> str:
    """Return a name of the catalog as people read it.

    >>> readable("open_complaint")
    'Open complaint'
    """
    text = name.replace("_", " ").replace(".", " ").strip()
    return text[:1].upper() + text[1:]


@cache
def languages() -> Mapping[str, str]:
    """Return the languages that there are, each with its own name, in the order of these names."""
    found = {file.name.removesuffix(".toml"): file for file in (files(__package__) / "words").iterdir()
             if file.name.endswith(".toml")}  # fmt: skip
    names = {language: words(language)("language_name") for language in found}
    return dict(sorted(names.items(), key=lambda pair: pair[1].casefold()))


@cache
def words(language: str) -> Words:
    """Return the words of a language that there is."""
    text = (files(__package__) / "words" / f"{language}.toml").read_text("utf-8")
    return Words(language, tomllib.loads(text))


def chosen(asked: str | None, customer: object, accepted: str, default: str) -> Words:
    """Return the words that a customer reads: as asked for in the address, else their own, else the browser's first
    that there is, else the catalog's, else English.

    >>> chosen("xx", None, "pt-BR,pt;q=0.9,en;q=0.1", "de").language
    'pt'
    """
    own = customer if isinstance(customer, str) else None
    for language in (asked, own, *dearest(accepted), default):
        if language and base(language) in languages():
            return words(base(language))
    return words(DEFAULT)


def dearest(header: str) -> Iterable[str]:
    """Return the languages of an Accept-Language header, the dearest first (RFC 9110, 12.5.4)."""
    ranked = []
    for number, part in enumerate(header[:500].split(",")):
        language, _, parameters = part.strip().partition(";")
        weight = parameters.strip().removeprefix("q=").strip() or "1"
        try:
            ranked.append((-float(weight), number, language))
        except ValueError:
            continue
    return [language for weight, _, language in sorted(ranked) if weight < 0]
