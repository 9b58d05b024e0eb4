"""The kinds of faults, each a condition in SQL over the contacts as `typed` lays them out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from opportune.lab.sources import literal, quoted
from opportune.quality.roles import YES

OLDEST = 115
"""Years that nobody whose birth date is right is older than."""

SHARED = 6
"""Contacts that a phone number may be shared by: a family or a small office."""

FAR = 5.0
"""Robust standard deviations from the median, on the scale of logarithms, beyond which an amount is an outlier."""

NARROWEST = 0.3
"""The least standard deviation taken for logarithms of amounts: most may be of one price."""

ALWAYS = 0.9
"""The share of a stage's contacts with an amount, or without, from which on the others contradict it."""

PLACEHOLDERS = ("test", "test test", "tester", "asdf", "asdfgh", "qwerty", "xxx", "xxxx", "dummy", "foo", "foo bar",
                "tbd", "unknown", "n.a.", "-", "--", ".", "?")  # fmt: skip

INSTANTS = ("created", "updated", "closed", "birth", "consent_at", "unsubscribed_at")
TEXTS = ("id", "email", "phone", "name", "stage", "consent", "consent_proof")

FORMATS = ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%Y%m%d")
"""How dates are written besides ISO 8601; the first that fits counts."""

_ATOM = r"[^\s@\"(),:;<>\[\]\\.]+"
_LABEL = r"[\pL\pN]([\pL\pN-]*[\pL\pN])?"
EMAIL = rf"{_ATOM}(\.{_ATOM})*@({_LABEL}\.)+(\pL{{2,}}|xn--[a-z0-9-]+)"
PHONE = r"\+?[0-9]{7,15}"


class Check(NamedTuple):
    """A kind of fault: its dimension, the roles it needs (the first is at fault), its condition, what it says."""

    kind: str
    dimension: str
    roles: tuple[str, ...]
    condition: str
    what: str


def checks(now: int) -> tuple[Check, ...]:
    """Return every kind of fault as of an instant in microseconds; a condition is NULL or false for a row without."""
    later = f"make_timestamp({now})"
    return (
        Check("missing_id", "completeness", ("id",), "id IS NULL", "no id"),
        Check("duplicate_id", "uniqueness", ("id",), "same_id > 1 AND NOT copy", "an id that an earlier row has"),
        Check("exact_duplicate", "uniqueness", (), "copy", "all but id and times as in an earlier row"),
        Check("missing_email", "completeness", ("email",), "email IS NULL", "no e-mail address"),
        Check("malformed_email", "validity", ("email",), "email IS NOT NULL AND address IS NULL",
              "no e-mail address can look so"),
        Check("duplicate_email", "uniqueness", ("email",), "same_email > 1 AND NOT copy",
              "an e-mail address that an earlier row has"),
        Check("malformed_phone", "validity", ("phone",), "phone IS NOT NULL AND number IS NULL",
              "no phone number can look so"),
        Check("shared_phone", "uniqueness", ("phone",), f"sharing > {SHARED} AND NOT copy",
              f"a phone number of more than {SHARED} contacts"),
        Check("placeholder_name", "validity", ("name",),
              f"lower(name) IN ({', '.join(map(literal, PLACEHOLDERS))})", "a name that only fills the field"),
        *(Check("unreadable_date", "validity", (role,), f"{role} IS NULL AND {role}_text IS NOT NULL",
                "no date of the calendar") for role in INSTANTS),
        *(Check("future_date", "consistency", (role,), f"{role} > {later}", "a date that is yet to come")
          for role in ("created", "updated", "birth", "consent_at")),
        Check("impossible_birth", "consistency", ("birth",), f"birth < {later} - INTERVAL {OLDEST} YEAR",
              f"older than {OLDEST} years"),
        Check("born_after_created", "consistency", ("birth", "created"), f"birth > created AND birth <= {later}",
              "born after the contact was made"),
        Check("updated_before_created", "consistency", ("updated", "created"),
              "updated < created AND (updated <> date_trunc('day', updated) OR updated < date_trunc('day', created))",
              "changed before it was made"),
        Check("closed_before_created", "consistency", ("closed", "created"), "closed < date_trunc('day', created)",
              "closed before it was made"),
        Check("unreadable_amount", "validity", ("amount",), "amount IS NULL AND amount_text IS NOT NULL", "no number"),
        Check("negative_amount", "validity", ("amount",), "amount < 0", "below 0"),
        Check("outlier_amount", "validity", ("amount",), "amount > 0 AND abs(ln(amount) - middle) > far",
              f"more than {FAR:g} robust standard deviations from the median of the logarithms"),
        Check("stage_without_amount", "consistency", ("stage", "amount"),
              f"(amount_text IS NULL OR amount = 0) AND valued >= {ALWAYS}",
              "no amount, which others of this stage have"),
        Check("stage_with_amount", "consistency", ("stage", "amount"), f"amount > 0 AND valued <= 1 - {ALWAYS}",
              "an amount, which others of this stage do not have"),
        Check("consent_without_time", "consent", ("consent", "consent_at"), "granted AND consent_at_text IS NULL",
              "consent without the time it was given"),
        Check("consent_without_proof", "consent", ("consent", "consent_proof"), "granted AND consent_proof IS NULL",
              "consent without its source or wording"),
        Check("consent_withdrawn", "consent", ("consent", "unsubscribed_at"),
              "granted AND unsubscribed_at_text IS NOT NULL AND (consent_at IS NULL OR unsubscribed_at > consent_at)",
              "consent that was withdrawn later"),
    )  # fmt: skip


def typed(roles: Mapping[str, str], columns: list[str]) -> str:
    """Return SQL that makes the table `contacts` of the table `given`: a row each, its number, and what checks read.

    A role without a column is NULL.
    """
    read = [f"{_text(roles.get(role))} AS {role}" for role in TEXTS if role != "phone"]
    read.append(rf"regexp_replace(regexp_replace({_text(roles.get('phone'))}, '(?i)\s*(ext\.?|x)\s*\d+$', ''), "
                r"'[\s().\-/\x{a0}]|^tel:', '', 'g') AS phone")  # fmt: skip
    for role in (*INSTANTS, "amount"):
        text = _text(roles.get(role))
        parsed = f"TRY_CAST({text} AS DOUBLE)" if role == "amount" else _instant(text)
        read += [f"{parsed} AS {role}", f"{text} AS {role}_text"]
    return f"""
CREATE TABLE numbered AS SELECT row_number() OVER () AS row, * FROM given;
CREATE TABLE read AS SELECT *,
    CASE WHEN regexp_full_match(email, {literal(EMAIL)}) THEN lower(email) END AS address,
    CASE WHEN regexp_full_match(phone, {literal(PHONE)}) AND length(replace(phone, right(phone, 1), '')) > 1
    THEN phone END AS number
    FROM (SELECT row, {_content(roles, columns)} AS content, {", ".join(read)} FROM numbered);
CREATE TABLE stages AS SELECT stage, avg(CAST(coalesce(amount, 0) > 0 AS INT)) AS valued
    FROM read WHERE stage IS NOT NULL GROUP BY stage HAVING count(*) >= 20;
CREATE TABLE spread AS SELECT middle, {FAR} * greatest(1.4826 * median(abs(ln(amount) - middle)), {NARROWEST}) AS far
    FROM read, (SELECT median(ln(amount)) AS middle FROM read WHERE amount > 0) WHERE amount > 0 GROUP BY middle;
{_repeats("content", "row")}
{_repeats("id")}
{_repeats("address")}
CREATE TABLE shares AS SELECT number, count(*) AS sharing FROM read WHERE number IS NOT NULL GROUP BY number
    HAVING count(*) > {SHARED};
CREATE TABLE contacts AS SELECT read.*, valued, middle, far, sharing, coalesce(nth_content, 1) > 1 AS copy,
    nth_id AS same_id, nth_address AS same_email,
    lower(consent) IN ({", ".join(map(literal, YES))}) AS granted
    FROM read LEFT JOIN stages USING (stage) LEFT JOIN spread ON true LEFT JOIN shares USING (number)
    LEFT JOIN repeats_content USING (row) LEFT JOIN repeats_id USING (row) LEFT JOIN repeats_address USING (row)"""


def _repeats(key: str, order: str = "created NULLS LAST, row") -> str:
    """Return SQL of a table of the rows that share a key, each with its place: 1 for the one that was there first."""
    return f"""
CREATE TABLE repeats_{key} AS SELECT row, row_number() OVER (PARTITION BY {key} ORDER BY {order}) AS nth_{key} FROM read
    WHERE {key} IN (SELECT {key} FROM read WHERE {key} IS NOT NULL GROUP BY {key} HAVING count(*) > 1);"""


def _content(roles: Mapping[str, str], columns: list[str]) -> str:
    """Return SQL of what two rows have in common that are one contact entered twice; NULL for a row that names nobody.

    Where nothing but an id says who a contact is, the whole row counts, and without one rows may be the same by chance.
    """
    who = [_text(roles[role]) for role in ("email", "phone") if role in roles]
    aside = {roles.get(role) for role in ("id", "created", "updated")} if who else set()
    free = ", ".join(f"numbered.{quoted(column)}" for column in columns if column not in aside)
    if who:
        return f"CASE WHEN coalesce({', '.join(who)}) IS NOT NULL THEN hash({free}) END"
    return f"hash({free})" if "id" in roles else "NULL"


def _instant(text: str) -> str:
    return f"coalesce(TRY_CAST({text} AS TIMESTAMP), try_strptime({text}, [{', '.join(map(literal, FORMATS))}]))"


def _text(column: str | None) -> str:
    return f"nullif(trim(CAST(numbered.{quoted(column)} AS VARCHAR)), '')" if column else "CAST(NULL AS VARCHAR)"
