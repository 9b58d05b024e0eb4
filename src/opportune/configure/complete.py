"""A partial choice completed: each open option gets the likeliest value that still fits, the surest options first."""

from __future__ import annotations

from opportune.configure.form import span, why
from opportune.configure.likely import Guess, Known, Likely
from opportune.configure.repair import nearest
from opportune.configure.solver import Search


def complete(search: Search, known: Known) -> dict[str, str]:
    """Choose what is open in a choice that is possible; return for each option that was filled why it got its value.

    The best completion is that of the surest guess, then of the next surest beside it, and so on: a strong preference
    is never given up for weaker ones. A guess that does not fit gives way to the next likely value, of numbers to the
    nearest. What is personal and not known stays open, unless only one value fits. The same is asked, the same comes.
    """
    filled: dict[str, str] = {}
    if not search.possible():
        return filled
    model, likely = search.model, Likely(search.model, search.choice, known)
    while left := [option for option in model.options if option not in search.choice]:
        found = {option: likely.guesses(option) for option in left}
        told = [option for option in left if found[option]]
        if not told:
            break
        option = max(told, key=lambda name: (round(found[name][0].likelihood, 9), -left.index(name)))
        reason = _choose(search, option, found[option])
        if reason is None:  # the time is over
            return filled
        filled[option] = reason
        likely.chose(option, search.choice[option])
    for option in [option for option in model.options if option not in search.choice]:
        reason = _only(search, option)
        if reason is not None:
            filled[option] = reason
    return filled


def _choose(search: Search, option: str, likely: list[Guess]) -> str | None:
    if search.model.domains[option].is_number:
        place = nearest(search, option, likely[0].position)
        if place is None:
            return None
        search.choose(option, place)
        moved = place != likely[0].position
        return f"{likely[0].reason}; this is the nearest that fits" if moved else likely[0].reason
    for rank, guess in enumerate(likely):
        if search.possible([search.at(option, guess.position)]):
            search.choose(option, guess.position)
            reason = guess.reason or "it fits"
            return reason if rank == 0 else f"{reason}; what is likelier does not fit"
    return None


def _only(search: Search, option: str) -> str | None:
    """Choose the value of a personal option if it is the only one that fits, and say why it is."""
    domain = search.model.domains[option]
    if domain.is_number:
        low, high = span(search, option)
        fits = [low] if low is not None and low == high else []
    else:
        fits = [place for place in range(domain.count) if search.possible([search.at(option, place)]) is not False]
    if len(fits) != 1 or fits[0] is None:
        return None
    place = fits[0]
    import z3

    core = search.why_not(z3.Not(search.machine.at(option, place)), (option,))
    search.choose(option, place)
    return f"nothing else fits: {why(search, core)}".removesuffix(": ")
