"""Which column plays which part in a table of contacts, by the names people give to columns."""

from __future__ import annotations

import re
from collections.abc import Iterable

ROLES: dict[str, str] = {
    "id": r"id|(customer|contact|user|person|member|prospect|client|subscriber) ?(id|key|number|no)",
    "email": r"(primary |work )?e ?mail( ?address| ?addr)?|mail",
    "phone": r"(mobile|phone|tel|telephone|cell)( ?(phone|number|no|nr))?",
    "name": r"(full |last |family |contact )?name|surname",
    "created": r"(created|signup|signed up|registered|entered|creation|join(ed)?)( ?(at|on|date|time))?",
    "updated": r"(updated|modified|changed|last (updated|modified|changed))( ?(at|on|date|time))?",
    "closed": r"(closed|won|close)( ?(at|on|date|time))",
    "birth": r"(date of birth|dob|birth ?(date|day)|birthday|born( on)?)",
    "stage": r"(deal |lead |sales |lifecycle |pipeline )?stage|lifecycle",
    "amount": r"(deal |order |total |lifetime )?(amount|value|revenue|spend|spent|turnover)",
    "consent": r"(marketing |e ?mail )?(consent|opt ?in|opted in|subscribed|permission)",
    "consent_at": r"(marketing |e ?mail )?(consent|opt ?in|opted in|subscribed)( given)? ?(at|on|date|time)",
    "consent_proof": r"(marketing |e ?mail )?(consent|opt ?in)( given)? ?(source|proof|wording|text|ip|form|version)",
    "unsubscribed_at": r"(unsubscribed|opt(ed)? ?out|withdrawn|consent withdrawn)( ?(at|on|date|time))",
}
"""The roles, each with the names of columns that play it: words in lower case, one blank apart."""

OUTCOMES = r"converted|conversion|is ?converted|won|churn|churned|outcome|target|label|purchased|bought|responded|y"

YES = ("yes", "y", "true", "t", "1", "1.0", "granted", "given", "opted in", "opted_in", "opt-in", "subscribed", "on")
"""What stands for a yes, in lower case."""


def guessed(columns: Iterable[str]) -> dict[str, str]:
    """Return the columns that play a role, by role: the first whose name fits.

    >>> guessed(["Contact ID", "E-Mail", "signupDate", "consent_given_at", "size"])
    {'id': 'Contact ID', 'email': 'E-Mail', 'created': 'signupDate', 'consent_at': 'consent_given_at'}
    """
    words = {column: plain(column) for column in columns}
    found = {}
    for role, pattern in ROLES.items():
        fits = [column for column, name in words.items() if re.fullmatch(pattern, name)]
        if fits:
            found[role] = fits[0]
    return found


def outcome_of(columns: Iterable[str]) -> str:
    """Return the first column whose name is that of an outcome; "" if there is none."""
    return next((column for column in columns if re.fullmatch(OUTCOMES, plain(column))), "")


def plain(name: str) -> str:
    """Return the words of a name in lower case, one blank apart.

    >>> plain("lastName"), plain(" Deal_Amount (EUR)")
    ('last name', 'deal amount eur')
    """
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return " ".join(re.findall(r"[^\W_]+", apart.lower()))
