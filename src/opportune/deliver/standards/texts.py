"""The rules about texts: what must appear, what must not, and how words are spelled."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache

from opportune.catalog import patterns
from opportune.catalog.types import Forbids, Requires, Standard, Terms
from opportune.deliver.standards.looking import Looking, Wording
from opportune.deliver.standards.reading import Reading, read
from opportune.deliver.standards.spoken import View
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


def hits(looking: Looking, wording: Wording, words: tuple[str, ...]) -> Iterator[tuple[Reading, int, int]]:
    """Yield each (text as read, start, end) where a word appears in the chosen texts."""
    pattern = _pattern(words)
    for source in wording.chosen:
        for reading in looking.read(wording.language, source, View.POSSIBLE):
            for hit in pattern.finditer(reading.text):
                yield reading, hit.start(), hit.end()


def terms(looking: Looking, standard: Standard, rule: Terms) -> None:
    """Each term is spelled as it should be; addresses of pages and e-mail are no text."""
    spellings = {folded(wrong): right for wrong, right in rule.spellings.items()}
    pattern = re.compile(_pattern(tuple(rule.spellings)).pattern, re.IGNORECASE)
    for wording in looking.wordings(standard):
        looking.tell_unclear(standard, wording)
        for source in wording.chosen:
            for reading in looking.read(wording.language, source, View.POSSIBLE, case=True):
                for hit in pattern.finditer(reading.text):
                    right = spellings.get(folded(hit[0]), hit[0])
                    if not _is_right(reading.text, hit, right) and not _ADDRESS.search(_run(reading.text, hit)):
                        spot = looking.spot(wording, reading, hit.start())
                        where = looking.home(wording, reading, hit.start())
                        looking.tell(standard, spot, f"`{hit[0]}` in {where} is misspelled", f"write `{right}`")


_ADDRESS = re.compile(r"@|://|\w\.[^\W\d]")


def _is_right(text: str, hit: re.Match[str], right: str) -> bool:
    """Whether the hit is part of the right spelling, as `Acme` is of `Acme Inc.`."""
    within = (m.start() for m in re.finditer(re.escape(hit[0]), right))
    return any(text.startswith(right, hit.start() - at) for at in within if at <= hit.start())


def _run(text: str, hit: re.Match[str]) -> str:
    """Return the hit with what stands around it up to the next blanks."""
    return text[text.rfind(" ", 0, hit.start()) + 1 :].split(" ", 1)[0] if " " not in hit[0] else ""


def folded(text: str) -> str:
    """Return a text as texts are compared.

    >>> folded("  Ｆree – “STRASSE” {{sender.name}}"), folded("Straße")
    ('free - "strasse" {{ sender.name }}', 'strasse')
    """
    return read(Source((), text)).text.strip()


@lru_cache(maxsize=256)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern that finds whole words; nothing in it can be tried in more than one way."""
    found = sorted((folded(word) for word in words), key=lambda word: (-len(word), word))
    return re.compile("|".join(_whole(word) for word in found))


def _whole(word: str) -> str:
    bare = word.strip("*")
    before = r"(?<!\w)\w*" if word.startswith("*") else r"(?<!\w)" if bare[:1].isalnum() else ""
    after = r"\w*" if word.endswith("*") else r"(?!\w)" if bare[-1:].isalnum() else ""
    return before + re.escape(bare) + after
