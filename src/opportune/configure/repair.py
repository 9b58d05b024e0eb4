"""The nearest choice that is possible, and the nearest value of an option."""

from __future__ import annotations

from collections.abc import Sequence

from opportune.configure.model import Choice
from opportune.configure.solver import Core, Search


def repaired(search: Search, choice: Choice, cores: Sequence[Core], keep: Sequence[str]) -> dict[str, int] | None:
    """Return new positions for as few options of a conflicting choice as can be; None where there is no repair.

    Which: of all smallest sets, the one that leaves the earlier options of the product as they are. Numbers move as
    little as can be, choices to the value of the nearest price. Options of `keep` stay. Where the time of the search
    is over, None. The search is left with the choice that it had.
    """
    before = dict(search.choice)
    kept = set(keep) & choice.keys()
    for option in list(search.choice):
        search.drop(option)
    try:
        for option in kept:
            search.choose(option, choice[option])
        if not search.possible():
            return None
        changed = _changed(search, choice, kept, len(cores))
        found: dict[str, int] = {}
        for option in changed or ():
            place = nearest(search, option, choice[option])
            if place is None:
                return None
            search.choose(option, place)
            found[option] = place
        return None if changed is None else found
    finally:
        for option in list(search.choice):
            search.drop(option)
        for option, position in before.items():
            search.choose(option, position)


def _changed(search: Search, choice: Choice, kept: set[str], least: int) -> list[str] | None:
    """Return the options to change, and leave the search with the others chosen."""
    rest = [option for option in search.model.options if option in choice and option not in kept]
    as_is = {option: search.at(option, choice[option]) for option in rest}
    for count in range(max(1, least), len(rest) + 1):
        few = search.all_but(list(as_is.values()), count)
        answer = search.possible([few])
        if answer is None:
            return None
        if answer:
            changed = list[str]()
            for option in rest:
                if len(changed) < count and search.possible([few, as_is[option]]) is not True:
                    changed.append(option)
                else:
                    search.choose(option, choice[option])
            return changed
    return None


def nearest(search: Search, option: str, position: int) -> int | None:
    """Return the position next to one that is possible beside the choice of a search; None where there is none.

    Of a number, the next one, rather less than more. Of a choice, the value of the nearest price, then the next one.
    """
    domain = search.model.domains[option]
    if domain.is_number:
        return _nearest_number(search, option, position, domain.count - 1)
    values = domain.option.values
    if not values:
        order = [position, 1 - position]
    else:
        price = values[position].price
        order = sorted(range(len(values)), key=lambda at: (abs(values[at].price - price), abs(at - position), at))
        order.remove(position)
        order.insert(0, position)
    return next((at for at in order if search.possible([search.at(option, at)])), None)


def _nearest_number(search: Search, option: str, position: int, last: int) -> int | None:
    low, high = 0, max(position, last - position)
    if not search.possible([search.between(option, 0, last)]):
        return None
    while low < high:
        middle = (low + high) // 2
        around = search.between(option, max(0, position - middle), min(last, position + middle))
        if search.possible([around]):
            high = middle
        else:
            low = middle + 1
    for at in (position - low, position + low):
        if 0 <= at <= last and search.possible([search.at(option, at)]):
            return at
    return None
