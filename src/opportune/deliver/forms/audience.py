"""The form `audience`: {list} -> {list, email_sha256?, ...}: one row of a list that an ad service matches.

Normalized and hashed with SHA-256 (hex) as the services ask:

- `email_sha256`: trimmed, all spaces out, lower case (Meta, LinkedIn, TikTok, Microsoft);
- `google_email_sha256`: the same and, for gmail.com and googlemail.com, without the dots before the @; what follows a
  `+` stays (Google Data Manager API, "Format user data"). The same as the first for everybody else;
- `phone_sha256`: E.164 with the plus sign, read with the customer's country;
- `first_name_sha256`, `last_name_sha256`: lower case, no spaces around, no punctuation, titles and suffixes out;
- `country` (ISO 3166 alpha-2) and `postal_code`: not hashed.

What the customer lacks, or what cannot be read, is absent. Whether the customer agreed is decided before (consent).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opportune.deliver.forms.base import Draft, Make, one_line
from opportune.deliver.render.templates import Template, Templates
from opportune.errors import Problem

FIELDS = ("list",)
POSTAL_CODES = ("postal_code", "zip", "zip_code", "postcode", "plz")
"""The traits that may hold a postal code; the first that does counts."""

TITLES = frozenset((
    "mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "herr", "frau", "mme", "mlle", "m", "sr", "sra", "srta",
    "sig",
))  # fmt: skip
SUFFIXES = frozenset(("jr", "sr", "ii", "iii", "iv", "phd", "md", "esq"))


class Audience:
    """A row of an audience list. Identifiers leave the hub hashed only."""

    name = "audience"

    def compile(self, content: Mapping[str, Any], language: str, templates: Templates) -> _Compiled:
        draft = Draft(content, templates)
        name = draft.text("list", required=True)
        warnings = draft.close(FIELDS)
        assert name is not None
        return _Compiled(name, warnings)

    def linked(self, content: dict[str, Any], make: Make) -> dict[str, Any]:
        return content

    def remarks(self, content: Mapping[str, Any]) -> list[str]:
        matched = content.keys() - {"list", "country", "postal_code"}
        return [] if matched else ["nothing that a service could match: no e-mail, phone or name"]


@dataclass(frozen=True, slots=True)
class _Compiled:
    list: Template
    warnings: Sequence[Problem]

    def render(self, context: Mapping[str, Any]) -> dict[str, Any]:
        customer, traits = context.get("customer") or {}, context.get("traits") or {}
        country = str(customer.get("country") or traits.get("country") or "").strip().upper()
        country = country if re.fullmatch("[A-Z]{2}", country) else ""
        email = normal_email(traits.get("email"))
        hashed = {
            "email": email,
            "google_email": google_email(email),
            "phone": normal_phone(traits.get("phone"), country),
            "first_name": normal_name(customer.get("first_name") or traits.get("first_name"), TITLES),
            "last_name": normal_name(customer.get("last_name") or traits.get("last_name"), SUFFIXES),
        }
        postal = next((one_line(str(traits[key])) for key in POSTAL_CODES if traits.get(key)), "")
        return {
            "list": one_line(self.list.render(context)),
            **{f"{key}_sha256": _hash(value) for key, value in hashed.items() if value},
            **({"country": country} if country else {}),
            **({"postal_code": postal} if postal else {}),
        }


def normal_email(value: Any) -> str:
    """Return an address in lower case without any space; "" if it is none.

    >>> normal_email(" Maya.B@Example.COM ")
    'maya.b@example.com'
    """
    email = "".join(str(value or "").split()).lower()
    return email if re.fullmatch(r"[^@]+@[^@]+\.[^@]+", email) else ""


def google_email(email: str) -> str:
    """Return a normal address as Google compares it.

    >>> google_email("maya.b+news@gmail.com"), google_email("maya.b@example.com")
    ('mayab+news@gmail.com', 'maya.b@example.com')
    """
    local, _, domain = email.partition("@")
    return f"{local.replace('.', '')}@{domain}" if domain in ("gmail.com", "googlemail.com") else email


def normal_phone(value: Any, country: str) -> str:
    """Return a number as E.164, "" if it is none. A number without a country code is of the given country.

    >>> normal_phone("030 901820", "DE"), normal_phone("+1 (212) 555-0100", ""), normal_phone("call me", "DE")
    ('+4930901820', '+12125550100', '')
    """
    if not value:
        return ""
    import phonenumbers

    try:
        number = phonenumbers.parse(str(value), country or None)
    except phonenumbers.NumberParseException:
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if _possible(number) else ""


def _possible(number: Any) -> bool:
    import phonenumbers

    return phonenumbers.is_possible_number(number)


def normal_name(value: Any, without: frozenset[str]) -> str:
    """Return a name in lower case without punctuation and without titles or suffixes; accents stay.

    >>> normal_name(" Dr. Anne-Marie ", TITLES), normal_name("O'Brien Jr.", SUFFIXES)
    ('annemarie', 'obrien')
    """
    text = unicodedata.normalize("NFC", str(value or "")).lower()
    words = ["".join(c for c in word if c.isalpha() or unicodedata.category(c) == "Mn") for word in text.split()]
    left = [word for word in words if word and word not in without]
    return " ".join(left)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
