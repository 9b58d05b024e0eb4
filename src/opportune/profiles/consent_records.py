"""Records of consent, made from the stored events: what ISO/IEC TS 27560:2023 asks a controller to be able to show.

There is one record per purpose, channel and topic that a customer ever said something about, with every word in the
order in which it was taken; nothing is stored beside the events, and an event that is taken later only adds to them.
A record names the customer by pseudonym alone: a record that repeats who the person is exposes them without need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from opportune.catalog.types import ConsentRules
from opportune.clock import format_instant
from opportune.events.types import Event
from opportune.profiles.choices import consents, keep
from opportune.profiles.consent import Consent, Key, ending, status_of
from opportune.profiles.consent_events import Word, speaks, words
from opportune.profiles.state import Said, State

SCHEMA = "ISO/IEC TS 27560:2023"

WITHDRAWAL = "any event `Consent Updated`, the preference centre, or one click in a message"
"""How consent is taken back."""

Wordings = Mapping[str, Mapping[str, str]]
"""Version of a wording -> language -> the text that customers saw; "" is every language."""


class ConsentEvent(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One word in the history of a record. `event` is its number in the log of events.

    `status` is that of a consent, or `paused` or `resumed`. `noticeHash` is the SHA-256 of the text that was shown.
    """

    event: int
    at: str
    status: str
    source: str = ""
    method: str = ""
    notice_version: str = ""
    notice_hash: str = ""
    language: str = ""
    until: str | None = None
    proof: str = ""


class ConsentRecord(msgspec.Struct, frozen=True, rename="camel"):
    """One record. `status` is what it amounts to now, `since` when the word was said that counts, `expires` when that
    ends by itself. `recordId` stays the same as the record grows.
    """

    record_id: str
    schema_version: str
    subject: str
    controller: str
    purpose: str
    channel: str
    topic: str | None
    lawful_basis: str
    status: str
    since: str
    expires: str | None
    notice_version: str
    notice_hash: str
    language: str
    method: str
    source: str
    withdrawal: str
    history: tuple[ConsentEvent, ...]


def records(
    events: Iterable[tuple[int, Event]], subject: str, rules: ConsentRules, at: int, wordings: Wordings | None = None
) -> list[ConsentRecord]:
    """Return the records of a customer at an instant, by purpose, channel and topic.

    `events` are all that are stored of the customer (of every node), with their numbers in the log. `wordings` are the
    texts of earlier versions, as the catalogs of their time had them; that of `rules` is known. A category preference
    that clients repeat with each call is told once, until it changes.

    `[(seq, event) for seq, event in ...]` of one customer come from `Hub.export` or the log; the pseudonym is
    `View.subject` and the rules are those of `Hub.plan.catalog.consent`.
    """
    texts = {**(wordings or {}), **({rules.wording: rules.texts} if rules.wording else {})}
    state, history = State(), dict[Key, list[tuple[int, Word]]]()
    for seq, event in sorted(events, key=lambda numbered: numbered[0]):
        for word in words(event, seq) if speaks(event) else ():
            keep(state, *word)
            told = history.setdefault(word.key, [])
            repeated = told and word.kind == "preference" == told[-1][1].kind
            if not repeated or told[-1][1].said.status != word.said.status:
                told.append((seq, word))
    latest = consents(state)
    return [_record(subject, key, told, latest.get(key), rules, at, texts) for key, told in sorted(history.items())]


def receipt(record: ConsentRecord, at: int, sign: Callable[[bytes], str]) -> dict[str, Any]:
    """Return a record as a receipt for its customer: JSON with the instant of issue and a signature.

    The signature is what `sign` gives for the canonical JSON (keys sorted, UTF-8) of all other fields; with the secret
    of the hub that is `lambda data: signer.sign("consent receipt", {"sha256": sha256(data).hexdigest()}, 1 << 62)`.
    """
    told: dict[str, Any] = {"issued": format_instant(at), "record": msgspec.to_builtins(record)}
    return {**told, "signature": sign(canonical(told))}


def canonical(told: Mapping[str, Any]) -> bytes:
    """Return the bytes of a receipt that are signed: all but its signature."""
    signed = {name: value for name, value in told.items() if name != "signature"}
    return msgspec.json.encode(signed, order="sorted")


def _record(
    subject: str,
    key: Key,
    told: list[tuple[int, Word]],
    latest: Consent | None,
    rules: ConsentRules,
    at: int,
    texts: Wordings,
) -> ConsentRecord:
    ends = None if latest is None else ending(latest, rules)
    notice = (latest.wording, latest.language) if latest else ("", "")
    return ConsentRecord(
        record_id=sha256("\x1f".join((subject, *key)).encode()).hexdigest()[:32],
        schema_version=SCHEMA,
        subject=subject,
        controller=rules.controller,
        purpose=key[0],
        channel=key[1],
        topic=key[2] if len(key) == 3 else None,
        lawful_basis="consent",
        status=status_of(key, latest, at, rules) if latest else "none",
        since=format_instant(latest.at if latest else told[0][1].said.at),
        expires=None if ends is None else format_instant(ends),
        notice_version=notice[0],
        notice_hash=_hash(texts, *notice),
        language=notice[1],
        method=latest.method if latest else "",
        source=latest.source if latest else "",
        withdrawal=WITHDRAWAL,
        history=tuple(_event(seq, word, texts) for seq, word in told),
    )


def _event(seq: int, word: Word, texts: Wordings) -> ConsentEvent:
    said: Said = word.said
    status = said.status if word.kind != "pause" else "resumed" if said.status == "granted" else "paused"
    return ConsentEvent(
        seq,
        format_instant(said.at),
        status,
        said.source,
        said.method,
        said.wording,
        _hash(texts, said.wording, said.language),
        said.language,
        None if said.until is None else format_instant(said.until),
        said.proof,
    )


def _hash(texts: Wordings, version: str, language: str) -> str:
    """Return the SHA-256 of a wording; "" where its text is not known."""
    by_language = texts.get(version, {})
    text = by_language.get(language, by_language.get(""))
    return "" if text is None else sha256(text.encode()).hexdigest()
