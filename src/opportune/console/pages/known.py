"""What is known of a customer: traits and features with source and age, consents, situations, contacts."""

from __future__ import annotations

from datetime import datetime

from markupsafe import Markup

from opportune.console.parts.figure import empty
from opportune.console.parts.shown import joined
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.wire import KnownFact, Profile, Value

TONES = {"granted": "good", "refused": "bad", "withdrawn": "bad", "pending": "warn"}


def facts(profile: Profile, words: Words) -> Markup:
    """Return the traits, features and contact counts, each with where it comes from and how old it is."""
    names = [name for name in sorted({*profile.values, *profile.facts}) if not name.startswith("situation/")]
    if not names:
        return empty("Nothing is known of them yet.", "Declare traits and features in the catalog, and send events.")
    rows = [_row(name, profile.values.get(name), profile.facts.get(name), words) for name in names]
    rows += [
        (name, _strong(value, words), Markup('<span class="soft small">contacts made</span>'))
        for name, value in sorted(profile.contacts.items())
    ]
    drawn = table("What is known", ("trait or feature", "value", "since, and from"), rows)
    return Markup('<div class="known">{}</div>').format(drawn)


def consents(profile: Profile) -> Markup:
    """Return what may be said where, and what the customer chose beside that."""
    if not profile.consents and not profile.choices:
        return empty("They said nothing about consent.",
                     "Channels that reach out stay silent about marketing until they agree.")  # fmt: skip
    rows = [
        Markup('<tr><td>{}</td><td><span class="tag {}">{}</span></td></tr>').format(
            what, TONES.get(status, ""), status
        )
        for what, status in sorted(profile.consents.items())
    ]
    rows += [Markup("<tr><td>{}</td><td>{}</td></tr>").format(*one) for one in sorted(profile.choices.items())]
    return Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="What is known"><table class="plain">'
        "<tbody>{}</tbody></table></div>"
    ).format(joined(rows))


def situations(profile: Profile) -> Markup:
    """Return the situations that the customer is in, as tags."""
    return joined(Markup('<span class="tag warn">◆ {}</span> ').format(name) for name in profile.situations)


def plain(value: Value, words: Words) -> str:
    """Return a value as text."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return words.number(value, 2) if isinstance(value, int | float) else value


def _row(name: str, value: Value, fact: KnownFact | None, words: Words) -> tuple[str, Markup, Markup]:
    if fact is None:
        about = "never heard of"
    else:
        source = f"{fact.event}{f' ({fact.source})' if fact.source else ''}"
        evidence = "" if fact.evidence is None else f", {fact.evidence} {'event' if fact.evidence == 1 else 'events'}"
        about = f"{_age(fact.at, words)}, {source}{evidence}" if fact.at else f"{source}{evidence}"
    whole = words.whole(fact.at) if fact and fact.at else ""
    told = Markup('<span class="soft small" title="{}">{}</span>').format(whole, about)
    return name, _strong(value, words), told


def _age(at: datetime, words: Words) -> str:
    """Return how old something is. Features that count in buckets know the beginning of the last one, no more."""
    begins = not (at.second or at.microsecond or at.minute % 15)
    return f"at most {words.ago(at)}" if begins else words.ago(at)


def _strong(value: Value, words: Words) -> Markup:
    return Markup('<span class="strong">{}</span>').format(plain(value, words))
