"""The rules about texts: what must appear, what must not, and how words are spelled."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache

from opportune.catalog import patterns
from opportune.catalog.types import Forbids, Requires, Standard, Terms
from opportune.deliver.standards.looking import Looking, Wording
from opportune.deliver.standards.reading import Reading, read
from opportune.deliver.standards.spoken import EDGE, View
from opportune.deliver.standards.wording import Source


def requires(looking: Looking, standard: Standard, rule: Requires) -> None:
    """One of the texts, or what the pattern finds, appears to every customer."""
    wanted = " or ".join([*(f"`{text}`" for text in rule.texts), *([f"`{rule.pattern}`"] if rule.pattern else [])])
    for wording in looking.wordings(standard):
        looking.tell_unclear(standard, wording)
        if _has(looking, wording, wording.chosen, rule, View.SURE):
            continue
        field = f"`{'`, `'.join(standard.fields)}` of " if standard.fields else ""
        where = f"{field}{wording}" + (f" in `{wording.language}`" if wording.treatment.languages else "")
        spot = looking.node(wording, *_home(wording)).spot
        if _has(looking, wording, wording.chosen, rule, View.SEEN):
            what = f"{where} has {wanted} only inside `if`, `case` or `for`: not everybody gets to see it"
            looking.tell(standard, spot, what, "write it outside of them", warns=True)
        else:
            looking.tell(standard, spot, f"{where} has no {wanted}", "add it, in the text or in a block")


def _has(looking: Looking, wording: Wording, texts: Collection[Source], rule: Requires, view: View) -> bool:
    if rule.texts and _says(looking, wording, texts, rule.texts, view):
        return True
    shown = (way for s in texts if rule.pattern for way in looking.read(wording.language, s, view, case=True))
    return any(patterns.found(rule.pattern, way.text) for way in shown)


def _says(
    looking: Looking, wording: Wording, texts: Collection[Source], wanted: tuple[str, ...], view: View = View.SEEN
) -> bool:
    shown = [way.text for s in texts for way in looking.read(wording.language, s, view)]
    return any(folded(text) in said for text in wanted for said in shown)


def _home(wording: Wording) -> tuple[str | int, ...]:
    """Return where a text that is missing belongs: the only field there is, else the content in that language."""
    if len(wording.chosen) == 1:
        return wording.chosen[0].path
    return ("languages", wording.language) if wording.language in wording.treatment.languages else ("content",)


def forbids(looking: Looking, standard: Standard, rule: Forbids) -> None:
    """None of the words appears without what allows it."""
    unless = "".join(f", or write `{text}` beside it" for text in rule.unless)
    for wording in looking.wordings(standard):
        looking.tell_unclear(standard, wording)
        if rule.provable and wording.action.proof:
            continue
        found = list(hits(looking, wording, rule.words))
        if not found or (rule.unless and _says(looking, wording, wording.all, rule.unless)):
            continue
        for reading, start, end in found:
            verdict, where = "not proven" if rule.provable else "forbidden", looking.home(wording, reading, start)
            what = f"`{reading.text[start:end]}` in {where} is {verdict}"
            proof = f"say where it is proven: `proof:` of action `{wording.action.name}`{unless}; or leave it out"
            cure = proof if rule.provable else f"leave it out{unless}"
            looking.tell(standard, looking.spot(wording, reading, start), what, cure)


def hits(
    looking: Looking, wording: Wording, words: tuple[str, ...], case: bool = False
) -> Iterator[tuple[Reading, int, int]]:
    """Yield each (text as read, start, end) where a word appears in the chosen texts.

    Every branch is read by itself; the ways that they can come together, where one may begin or end within a word.
    """
    pattern, (begun, ended) = _pattern(words, case), _parts(words)
    for source in wording.chosen:
        joins, touching = False, []
        for reading in looking.read(wording.language, source, View.EVERY, case=case):
            joins = joins or bool(begun.search(reading.text) and ended.search(reading.text))
            for hit in pattern.finditer(reading.text):
                if EDGE in (reading.text[hit.start() - 1 : hit.start()], reading.text[hit.end() : hit.end() + 1]):
                    touching.append((reading, hit.start(), hit.end()))
                else:
                    yield reading, hit.start(), hit.end()
        if joins or touching:
            for reading in looking.read(wording.language, source, View.POSSIBLE, case=case):
                for hit in pattern.finditer(reading.text):
                    yield reading, hit.start(), hit.end()
            if not looking.ways(wording.language, source).complete:
                yield from touching


def terms(looking: Looking, standard: Standard, rule: Terms) -> None:
    """Each term is spelled as it should be; addresses of pages and e-mail are no text."""
    spellings = {folded(wrong): right for wrong, right in rule.spellings.items()}
    for wording in looking.wordings(standard):
        looking.tell_unclear(standard, wording)
        for reading, start, end in hits(looking, wording, tuple(rule.spellings), case=True):
            said = reading.text[start:end]
            right = spellings.get(folded(said), said)
            if not _is_right(reading.text, said, start, right) and not _ADDRESS.search(_run(reading.text, said, start)):
                where = looking.home(wording, reading, start)
                spot = looking.spot(wording, reading, start)
                looking.tell(standard, spot, f"`{said}` in {where} is misspelled", f"write `{right}`")


_ADDRESS = re.compile(r"@|://|\w\.[^\W\d]")


def _is_right(text: str, said: str, start: int, right: str) -> bool:
    """Whether what is said is part of the right spelling, as `Acme` is of `Acme Inc.`."""
    within = (m.start() for m in re.finditer(re.escape(said), right))
    return any(text.startswith(right, start - at) for at in within if at <= start)


def _run(text: str, said: str, start: int) -> str:
    """Return what is said with what stands around it up to the next blanks."""
    return text[text.rfind(" ", 0, start) + 1 :].split(" ", 1)[0] if " " not in said else ""


def folded(text: str) -> str:
    """Return a text as texts are compared.

    >>> folded("  Ｆree – “STRASSE” {{sender.name}}"), folded("Straße")
    ('free - "strasse" {{ sender.name }}', 'strasse')
    """
    return read(Source((), text)).text.strip()


@lru_cache(maxsize=256)
def _pattern(words: tuple[str, ...], case: bool = False) -> re.Pattern[str]:
    """Return a pattern that finds whole words; nothing in it can be tried in more than one way."""
    found = sorted((folded(word) for word in words), key=lambda word: (-len(word), word))
    return re.compile("|".join(_whole(word) for word in found), re.IGNORECASE if case else 0)


def _whole(word: str) -> str:
    bare = word.strip("*")
    after = r"\w*" if word.endswith("*") else r"(?!\w)" if bare[-1:].isalnum() else ""
    return _before(word, bare) + re.escape(bare) + after


def _before(word: str, bare: str) -> str:
    return r"(?<!\w)\w*" if word.startswith("*") else r"(?<!\w)" if bare[:1].isalnum() else ""


@lru_cache(maxsize=256)
def _parts(words: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what finds the beginning of any of the words at the end of a branch, and an end where one begins."""
    begun, ended = [], []
    for word in dict.fromkeys(folded(word) for word in words):
        bare = word.strip("*")
        start = "".join(f"{re.escape(letter)}(?:" for letter in bare[:-1]) + ")?" * (len(bare) - 1)
        begun.append(rf"\w{EDGE}" if word.startswith("*") else f"{_before(word, bare)}{start}{EDGE}")
        after = "" if word.endswith("*") or not bare[-1:].isalnum() else r"(?!\w)"
        ended += [f"{EDGE}{re.escape(bare[at:])}{after}" for at in range(1, len(bare))]
    return re.compile("|".join(begun), re.IGNORECASE), re.compile("|".join(ended) or r"(?!)", re.IGNORECASE)
