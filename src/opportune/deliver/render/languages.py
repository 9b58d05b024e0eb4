"""Which variant of a text a customer reads."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babel import Locale


RIGHT_TO_LEFT = frozenset(("ar", "arc", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"))
"""Languages that are written from right to left."""


def nearest(wanted: str, known: Iterable[str], default: str) -> str:
    """Return the variant to read: the exact one, else its language without a region, else the default, else any.

    Returns the default if there is no variant at all.

    >>> nearest("de-AT", ["en", "de"], "en"), nearest("fr", ["en", "de"], "en"), nearest("fr", ["pl", "de"], "en")
    ('de', 'en', 'de')
    """
    variants = {tidy(one): one for one in sorted(known)}
    word = tidy(wanted)
    while word:
        if word in variants:
            return variants[word]
        word = word.rpartition("-")[0]
    for other in (tidy(default), base(default)):
        if other in variants:
            return variants[other]
    return next(iter(variants.values()), default)


def tidy(language: str) -> str:
    """Return a language as it is compared: lower case, parts joined by `-`."""
    return language.replace("_", "-").lower()


def base(language: str) -> str:
    """Return a language without its region: `de` of `de-AT`."""
    return tidy(language).partition("-")[0]


@lru_cache(maxsize=1024)
def locale_of(language: str, locale: str) -> Locale:
    """Return how numbers, money and dates are written in a text of some language for a customer of some locale.

    A text keeps its own language and takes over the customer's region where that is known to exist: `en` for a
    customer of `de_DE` is English as written in Germany, never German dates in an English text. What nobody knows is
    written as in the language alone, and that failing as in English.
    """
    from babel import Locale, UnknownLocaleError

    region = next((p.upper() for p in tidy(locale).split("-")[1:] if len(p) in (2, 3) and p != "001"), "")
    own = tidy(language).replace("-", "_")
    # a text that names a region itself keeps it where the customer has none
    for name in (f"{base(language)}_{region}" if region else own, own, base(language), "en"):
        try:
            return Locale.parse(name)
        except (ValueError, UnknownLocaleError):
            continue
    raise AssertionError("babel knows no English")
