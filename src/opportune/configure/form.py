"""A partial choice as a form shows it: what each option still can be, what is ruled out and why, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from opportune.catalog.product_types import Chosen, ProductOption
from opportune.configure.model import Choice, Model, titled
from opportune.configure.price import priced, rounded
from opportune.configure.repair import repaired
from opportune.configure.solver import Core, Search
from opportune.wire.configured import (
    ChangeInfo,
    Configured,
    ConflictInfo,
    OptionInfo,
    PriceInfo,
    RepairInfo,
    TierInfo,
    ValueInfo,
)

MOST_CONFLICTS = 5


def form(
    search: Search, currency: str, least: int, keep: Sequence[str] = (), filled: Mapping[str, str] | None = None
) -> Configured:
    """Return what the choice of a search can be. `least` is the smallest amount of the currency, in millionths.

    `filled` says why options were filled in; `keep` are options that a repair does not touch.
    """
    model, whole = search.model, dict(search.choice)
    possible = search.possible()
    lowest = search.lowest(model.total) if possible else None
    conflicts, repair = list[ConflictInfo](), None
    if possible is False:
        conflicts, cores = _conflicts(search)
        changed = repaired(search, whole, cores, keep)
        if changed is not None:
            repair = RepairInfo(model.values({**whole, **changed}), _changes(model, whole, changed))
    reasons = filled or {}
    beside = _Beside(search)
    options = [
        beside.number(option, whole, reasons.get(name, ""))
        if model.domains[name].is_number
        else beside.choice(option, whole, reasons.get(name, ""))
        for name, option in model.options.items()
    ]
    missing = [name for name in model.options if name not in whole]
    now, lines = priced(model, whole, least)
    price = PriceInfo(currency, now, None if lowest is None else rounded(max(lowest, Fraction(0)), least), lines)
    return Configured(
        model.product.name, model.product.title or model.product.name, possible, not missing, model.values(whole),
        missing, price, options, conflicts, repair, search.in_time,
    )  # fmt: skip


def _conflicts(search: Search) -> tuple[list[ConflictInfo], list[Core]]:
    """Return conflicts that share no option, and take their options out of the choice until the rest is possible."""
    told, cores = list[ConflictInfo](), list[Core]()
    while len(cores) < MOST_CONFLICTS:
        core = search.why_not()
        if not (core.options or core.rules or core.closed):  # the time was over
            break
        choices = search.model.values({option: search.choice[option] for option in core.options})
        rules = [search.model.rules[place].name for place in core.rules]
        told.append(ConflictInfo(why(search, core), choices, rules))
        cores.append(core)
        for option in core.options:
            search.drop(option)
        if not core.options or search.possible() is not False:
            break
    return told, cores


def _changes(model: Model, before: Choice, after: Choice) -> list[ChangeInfo]:
    return [
        ChangeInfo(name, model.options[name].title or name, model.value(name, before[name]), model.value(name, place))
        for name, place in after.items()
    ]


class _Beside:
    """What options can be beside the rest of a choice."""

    def __init__(self, search: Search) -> None:
        self._search, self._model = search, search.model
        self._seen: dict[int, bool | None] = {}
        domains = self._model.domains
        self._look([node for name in domains if name not in search.choice for node in domains[name].nodes])
        for name in search.choice:
            for node in domains[name].nodes:
                self._seen[node] = search.possible([search.machine.node(node)], (name,))
        # reasons come last: where time is short, what is possible counts more
        self._spans = {name: span(search, name) for name, domain in domains.items() if domain.is_number}

    def choice(self, option: ProductOption, whole: Choice, filled: str) -> OptionInfo:
        """Return a choice, or a yes or no, value by value."""
        nodes = self._model.domains[option.name].nodes
        values = []
        for place, node in enumerate(nodes):
            possible = self._seen[node]
            value = self._model.value(option.name, place)
            price = option.values[place].price if option.values else option.price * place
            because = self._why_not(option.name, place, place) if possible is False else ""
            values.append(ValueInfo(value, titled(option, place), price, possible, because))
        return OptionInfo(
            option.name, option.title or option.name, option.type, self._chosen(option, whole), filled,
            option.personal, values,
        )  # fmt: skip

    def number(self, option: ProductOption, whole: Choice, filled: str) -> OptionInfo:
        """Return a number with the range that is left, and what bounds it."""
        low, high = self._spans[option.name]
        last, because = self._model.domains[option.name].count - 1, list[str]()
        if low is not None and low > 0:
            because.append(self._why_not(option.name, 0, low - 1))
        if high is not None and high < last:
            because.append(self._why_not(option.name, high + 1, last))
        return OptionInfo(
            option.name, option.title or option.name, option.type, self._chosen(option, whole), filled,
            option.personal, [], option.unit, option.low, option.high, option.step,
            None if low is None else float(self._model.value(option.name, low)),
            None if high is None else float(self._model.value(option.name, high)),
            "; ".join(dict.fromkeys(filter(None, because))), [TierInfo(tier.price, tier.to) for tier in option.units],
        )  # fmt: skip

    def _chosen(self, option: ProductOption, whole: Choice) -> Chosen | None:
        return self._model.value(option.name, whole[option.name]) if option.name in whole else None

    def _why_not(self, option: str, low: int, high: int) -> str:
        machine = self._search.machine
        wanted = machine.between(option, low, high) if high > low or self._model.domains[option].is_number else None
        core = self._search.why_not(machine.at(option, low) if wanted is None else wanted, (option,))
        return why(self._search, core)

    def _look(self, nodes: Sequence[int]) -> None:
        """Find out which nodes can be yes; each choice that the solver comes upon shows several at once."""
        unseen = dict.fromkeys(nodes)
        while unseen:
            answer = self._search.possible([self._search.either(unseen)])
            if not answer:
                self._seen |= dict.fromkeys(unseen, answer)
                return
            for node in self._search.found(unseen):
                self._seen[node] = True
                del unseen[node]


def span(search: Search, option: str) -> tuple[int | None, int | None]:
    """Return the lowest and the highest position that a number can have beside the choice; None where not known."""
    last = search.model.domains[option].count - 1
    without = (option,)
    if not search.possible((), without):
        return None, None
    lowest = _least(lambda place: search.possible([search.between(option, 0, place)], without), last)
    highest = _least(lambda place: search.possible([search.between(option, last - place, last)], without), last)
    return lowest, None if highest is None else last - highest


def _least(test: Callable[[int], bool | None], last: int) -> int | None:
    low, high = 0, last
    while low < high:
        middle = (low + high) // 2
        answer = test(middle)
        if answer is None:
            return None
        if answer:
            high = middle
        else:
            low = middle + 1
    return low


def why(search: Search, core: Core) -> str:
    """Return in words why some things cannot be together."""
    model = search.model
    rules = [model.rules[place].because.rstrip(".") for place in core.rules]
    rules += [search.closed[place].because for place in core.closed]
    chosen = [
        f"{model.options[name].title or name}: {titled(model.options[name], search.choice[name])}"
        for name in core.options
    ]
    reason = "; ".join(dict.fromkeys(rules))
    if not chosen:
        return reason
    return f"{reason} (chosen: {', '.join(chosen)})" if reason else f"chosen: {', '.join(chosen)}"
