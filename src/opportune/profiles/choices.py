"""What a state holds of the customer's choices: how words are kept, merged and read.

Everything is the last word by (at, is it a refusal, seq), per key, so that states merge in any order, and of two words
of one instant the refusal counts. A later word hides an earlier one in `State.consents`; what must not be forgotten
then (the last refusal, the last confirmed grant) is kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from opportune.catalog.types import Channel
from opportune.profiles.consent import PURPOSES, REFUSED, Consent, Key, Preferred, Wishes, covers, spelled
from opportune.profiles.state import MOST_CONSENTS, Choices, Often, Prefers, Said, State

PREFERRED_CHANNEL = "preferred_channel"
"""The trait that says what `Channel Preferred` says."""

PROVEN_SOURCES = frozenset(("import", "admin"))
"""The sources whose grants count as confirmed if they say where the proof is."""

SECOND_OPT_IN = "double_opt_in"
"""The method of grants that were confirmed."""


def choices_of(state: State) -> Choices:
    """Return the choices of a state, to be changed."""
    if state.choices is None:
        state.choices = Choices()
    return state.choices


def keep(state: State, kind: str, key: Key, word: Said) -> None:
    """Take a word of an event (`consent_events.Word`) into a state."""
    if kind == "pause":
        say(choices_of(state).pauses, key, word)
        return
    if word.status == "requested":
        say(choices_of(state).requests, key, word)
        return
    held = state.consents.get(key)
    if word.status in REFUSED:
        _note_refusal(choices_of(state), key, word)
    elif held is not None and held.status in REFUSED:
        _note_refusal(choices_of(state), key, held)  # of a state that is older than the list of refusals
    if kind == "preference":
        say(state.preferences, key[1], word)
        return
    if confirmed(word):
        say(choices_of(state).proofs, key, word)
    say(state.consents, key, word)


def keep_often(state: State, channel: str, often: Often) -> None:
    """Take how often a customer wants to hear from us in a channel into a state."""
    frequency = choices_of(state).frequency
    if channel in frequency or len(frequency) < MOST_CONSENTS:
        frequency[channel] = [max([*frequency.get(channel, ()), often])]


def confirmed(word: Said) -> bool:
    """Return whether a grant needs no second opt-in: it is one, or was imported or entered with a proof."""
    proven = word.source in PROVEN_SOURCES and bool(word.proof)
    return word.status == "granted" and (proven or word.method == SECOND_OPT_IN)


def say(said: dict[Any, Said], key: Any, word: Said) -> None:
    """Keep a word if it is the latest of its key.

    When all places are taken, a refusal takes that of the oldest grant; if there is none, it becomes a refusal in all
    channels. A grant is left out.
    """
    held = said.get(key)
    if held is None and len(said) >= MOST_CONSENTS:
        if word.status not in REFUSED:
            return
        grants = [k for k, w in said.items() if w.status not in REFUSED]
        if grants:
            del said[min(grants, key=lambda k: (said[k].at, said[k].seq))]
        elif isinstance(key, tuple) and key[0] in PURPOSES:
            key, held = (key[0], "all"), said.get((key[0], "all"))
        else:
            return
    if held is None or _when(word) >= _when(held):
        said[key] = word


def join(into: dict[Any, Said], other: dict[Any, Said]) -> None:
    """Add the words of another state."""
    for key, word in other.items():
        held = into.get(key)
        if held is None or _when(word) >= _when(held):
            into[key] = word


def merged(states: Iterable[State]) -> Choices | None:
    """Return what several nodes chose as one; None if none chose anything. Of frequencies each one holds."""
    found = [state.choices for state in states if state.choices is not None]
    if len(found) < 2:
        return found[0] if found else None
    whole = Choices()
    for choices in found:
        join(whole.pauses, choices.pauses)
        join(whole.proofs, choices.proofs)
        join(whole.refusals, choices.refusals)
        join(whole.requests, choices.requests)
        for channel, often in choices.frequency.items():
            whole.frequency[channel] = sorted({*whole.frequency.get(channel, ()), *often})
        whole.prefers = max((p for p in (whole.prefers, choices.prefers) if p), default=None)
        for key, when in choices.bounced.items():
            whole.bounced[key] = max(whole.bounced.get(key, when), when)
        for name, word in choices.corrected.items():
            whole.corrected[name] = max(whole.corrected.get(name, word), word, key=lambda w: (w.at, w.seq))
    return whole


def consents(state: State) -> dict[Key, Consent]:
    """Return the last word on consent per key, the category preferences among them (see `consent_events`)."""
    latest = dict(state.consents)
    for channel, preferred in state.preferences.items():
        if preferred.status != "granted" or not _refuses(state, channel):
            join(latest, {("marketing", channel): preferred})
    choices = state.choices or Choices()
    for key, asked in choices.requests.items():
        latest.setdefault(key, asked)
    return {
        key: _told(said, choices.proofs.get(key), choices.refusals.get(key), _latest_over(choices.refusals, key))
        for key, said in latest.items()
    }


def wishes(state: State, channels: Iterable[Channel]) -> Wishes:
    """Return everything that a customer said about being contacted, in the channels of the catalog."""
    choices = state.choices or Choices()
    pauses = {key: _told(said, None, None, None) for key, said in choices.pauses.items()}
    prefers, preferred = preference(state), None
    if prefers is not None and any(c.push and c.name == prefers.channel for c in channels):
        preferred = Preferred(prefers.channel, prefers.at, prefers.only)
    return Wishes(consents(state), pauses, preferred)


def preference(state: State) -> Prefers | None:
    """Return the channel that a customer prefers, by event or trait, whichever came last."""
    said = [state.choices.prefers] if state.choices and state.choices.prefers else []
    written = state.traits.get(PREFERRED_CHANNEL)
    if written is not None:
        value, at, seq = written
        channel = value.get("channel") if isinstance(value, dict) else value
        only = not (isinstance(value, dict) and value.get("only") is False)
        if channel is None or isinstance(channel, str):
            said.append(Prefers(at, seq, spelled(channel or ""), only))
    return max(said, default=None)


def _told(said: Said, proof: Said | None, refusal: Said | None, over: Said | None) -> Consent:
    """Return a word with what it rests on: the last confirmed grant, the last refusal of the same, and the last `over`
    it: of the same or of something wider, after which a grant has to be confirmed anew.
    """
    proven = proof is not None and said.status == "granted" and (over is None or _when(proof) > _when(over))
    refused = refusal.at if refusal is not None and said.status == "granted" else None
    return Consent(
        said.status, said.at, said.source, said.wording, said.language, said.method, said.until, said.proof, proven,
        refused,
    )  # fmt: skip


def _note_refusal(choices: Choices, key: Key, word: Said) -> None:
    """Remember the last refusal; where there is no room for it, as one in all channels."""
    if key not in choices.refusals and len(choices.refusals) >= MOST_CONSENTS:
        key = (key[0], "all")
    join(choices.refusals, {key: word})


def _latest_over(refusals: Mapping[Key, Said], key: Key) -> Said | None:
    return max((word for other, word in refusals.items() if covers(other, key)), key=_when, default=None)


def _refuses(state: State, channel: str) -> bool:
    covering = [(purpose, name) for purpose in ("marketing", "all") for name in (channel, "all")]
    return any(key in state.consents and state.consents[key].status in REFUSED for key in covering)


def _when(word: Said) -> tuple[int, bool, int]:
    return word.at, word.status in REFUSED, word.seq
