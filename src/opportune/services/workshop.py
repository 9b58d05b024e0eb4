"""The workshop: configurable products of a hub, asked about, completed, saved, shared and ordered again.

What takes the hub is short and done in it; what takes the solver is long and done anywhere else: a `Question` is what
the hub knows for one, and `Bench.answer` needs nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as evolved
from typing import Any
from weakref import WeakKeyDictionary

from msgspec.structs import replace

from opportune.catalog.product_types import Chosen, Product, nearest_position, position_of, value_at
from opportune.clock import MINUTE, to_datetime
from opportune.configure.bench import Bench, Question
from opportune.configure.book import ConfigurationBook, Design
from opportune.configure.model import titled
from opportune.configure.solver import TooBusy
from opportune.errors import BadRequest, NotFound, Stale
from opportune.hub import Hub
from opportune.offers.coupons import smallest
from opportune.offers.told import SOURCE as STANDING
from opportune.offers.told import who
from opportune.profiles.people import View
from opportune.questions import named
from opportune.rules import Kind
from opportune.wire.configured import Configuration, Configured, DesignInfo, OrderedConfiguration, ProductInfo

KEPT = 16
"""Products of which it is kept what others chose."""

FRESH = MINUTE
"""How long what others chose is taken for what they choose."""

BROWSERS = 20
"""Questions of browsers that may wait for an answer."""

CONFIGURING = 30 * MINUTE
"""How long the same customer is at the same product, as far as events tell."""

SOURCE = "hub/workshop"
"""The source of the events that tell of configurations."""


@dataclass(slots=True)
class _Kept:
    """What a hub keeps of its workshop: the benches, and what others chose with the instant at which it was read."""

    bench: Bench
    browsers: Bench
    others: dict[str, tuple[int, int, list[dict[str, Chosen]]]]


_KEPT: WeakKeyDictionary[Hub, _Kept] = WeakKeyDictionary()


class Workshop:
    """The configurable products of a hub. Each call is a transaction, or a part of the one around it (`Hub.group`)."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._kept = _KEPT.setdefault(hub, _Kept(Bench(), Bench(BROWSERS), {}))
        self._book = ConfigurationBook(hub.store, hub.vault)

    @property
    def bench(self) -> Bench:
        """What answers questions, in any thread."""
        return self._kept.bench

    @property
    def browsers(self) -> Bench:
        """What answers those who ask with a public key: however many they are, no server waits for them."""
        return self._kept.browsers

    def products(self) -> list[ProductInfo]:
        """Return the products that can be configured now."""
        if not self._hub.published:
            return []
        currency, now = self._hub.plan.catalog.currency, self._hub.clock.now()
        return [
            ProductInfo(p.name, p.title or p.name, p.base, currency, len(p.options))
            for p in self._hub.plan.catalog.products
            if _sold(p, now)
        ]

    # --- questions

    def question(
        self, product: str, choices: Mapping[str, Chosen | None], user: str | None = None, anonymous: str | None = None,
        configuration: str = "", keep: Sequence[str] = (), completes: bool = False,
    ) -> Question:  # fmt: skip
        """Return a question about a choice, with what the hub knows for it. Raises `BadRequest`, `NotFound`.

        The choices of a saved `configuration` come before `choices`. What is personal of it, or has become so since it
        was saved, is only for its designer.
        """
        spec, now = self._product(product), self._hub.clock.now()
        named_ = user is not None or anonymous is not None
        view = self._hub.people.resolve(user, anonymous) if named_ else None
        if configuration:
            design = self._design(configuration)
            if design.product != product:
                raise BadRequest(f"this configuration is of {design.product!r}, not of {product!r}", "configuration")
            if view is not None and design.designer in view.nodes:
                saved = {**design.choices, **self._book.personal(configuration, view.nodes)}
            else:
                saved, _ = _parted(spec, design.choices)
            choices = {**_there(spec, saved), **choices}
        currency = self._hub.plan.catalog.currency
        question = Question(
            spec, dict(choices), currency, smallest(currency), self._closed(spec, now), tuple(keep)
        )  # fmt: skip
        if not completes:
            return question
        profile = self._profile(spec, view, now) if view else {}
        own = self._book.own(view.nodes, product) if view else []
        others = self._others(product, now)
        return evolved(question, completes=True, profile=profile, own=own, others=others)

    def tell(self, answer: Configured, user: str | None, anonymous: str | None) -> None:
        """Tell that a customer is at a product: an event `Product Configured`, once within half an hour."""
        hub = self._hub
        if user is None and anonymous is None:
            raise BadRequest("name the customer of whom to tell: userId or anonymousId", "userId")
        who_is = {"userId": user} if user is not None else {"anonymousId": anonymous}
        name = user or anonymous
        message = self._message("Product Configured", *who_is, name, answer.product, hub.clock.now() // CONFIGURING)
        properties = {**self._said(self._product(answer.product), answer), "complete": answer.complete}
        self._tell([{"type": "track", "event": "Product Configured", **who_is, "messageId": message,
                     "properties": properties}])  # fmt: skip

    # --- configurations

    def save(self, question: Question, answer: Configured, user_id: str) -> str:
        """Keep what was asked about as a configuration of a customer; return its id.

        Raises `BadRequest` if it cannot be, `Stale` where the product has changed since the question.
        """
        if why_not := _why_not(answer):
            raise BadRequest(why_not, "choices")
        with self._hub.group():
            spec, view = self._still(question), self._made(user_id)
            open_, personal = _parted(spec, answer.choices)
            now = self._hub.clock.now()
            id = self._book.save(view.subject, spec.name, open_, personal, now)
            self._tell(self._event(view, "Configuration Saved", f"{id}-{now}", {
                **self._said(spec, answer), "configuration_id": id,
            }))  # fmt: skip
        return id

    def about(self, id: str) -> Question:
        """Return the question what a saved configuration can be now, without what is personal."""
        return self.question(self._design(id).product, {}, configuration=id)

    def shown(self, id: str, answer: Configured) -> Configuration:
        """Return a saved configuration as everybody may see it; `answer` is that of `about`."""
        design = self._design(id)
        return Configuration(
            id, answer.product, answer.title, to_datetime(design.saved), design.orders, answer.choices, answer.missing,
            answer.possible, answer.price, answer.conflicts,
        )  # fmt: skip

    def ordering(
        self, id: str, order: str, user_id: str, choices: Mapping[str, Chosen]
    ) -> Question | OrderedConfiguration:
        """Return the question whether a customer can order a configuration; or what came of it where they have.

        `choices` are of options that are personal, that the configuration left open, or whose value is no longer there.
        Raises `BadRequest`, and `Stale` where the order is of another configuration or another customer.
        """
        named(order, "orderId")
        if (done := self._done(id, order, self._hub.people.resolve(named(user_id, "userId"), None))) is not None:
            return done
        design, spec = self._design(id), self._product(self._design(id).product)
        fixed, _ = _parted(spec, _there(spec, design.choices))
        for option in choices:
            if option in fixed:
                what = f"{option!r} is a part of this design; save a configuration of your own to change it"
                raise BadRequest(what, f"choices.{option}"[:100])
        return self.question(spec.name, choices, user_id, configuration=id)

    def order(
        self, id: str, order: str, user_id: str, question: Question, answer: Configured
    ) -> OrderedConfiguration:
        """Take an order of a configuration; its designer is credited if it is another customer. `Stale` where it fails.

        `question` is that of `ordering`, and `answer` the answer to it. Where the product has changed since, so that it
        need not hold, that is `Stale`, too. The same order is taken once.
        """
        hub = self._hub
        if answer.missing:
            raise BadRequest(f"not everything is chosen; give {', '.join(answer.missing)} as `choices`", "choices")
        if why_not := _why_not(answer):
            raise Stale(why_not)
        with hub.group():
            view = self._made(user_id)
            if (done := self._done(id, order, view)) is not None:
                return done
            now, spec, design = hub.clock.now(), self._still(question), self._design(id)
            designer = hub.people.view(design.designer) if design.designer else None
            theirs = designer is None or designer.subject == view.subject
            points = 0 if theirs or hub.plan.catalog.loyalty is None else spec.designer_points
            open_, personal = _parted(spec, answer.choices)
            price = answer.price.now
            self._book.order(order, id, view.subject, open_, personal, price, None if theirs else points, now)
            said = {**self._said(spec, answer), "configuration_id": id, "order_id": order}
            news = self._event(view, "Configuration Ordered", order, {**said, "own_design": theirs})
            if designer is not None and not theirs:
                credit = {"product_id": spec.name, "configuration_id": id, "points": points}
                news += self._event(designer, "Design Ordered", order, credit)
                if points:
                    hub.standings.book.earn(design.designer, points, now, f"design/{order}", now)
            self._tell(news)
            if points:
                hub.ingest(hub.standings.news([design.designer], now), source=STANDING)
        done = self._done(id, order, view)
        assert done is not None
        return replace(done, again=False)

    def remove(self, id: str, user_id: str) -> None:
        """Take a configuration back for its designer: nobody sees or orders it any more. Raises `NotFound`."""
        with self._hub.group():
            design, view = self._design(id), self._hub.people.resolve(named(user_id, "userId"), None)
            if view is None or design.designer not in view.nodes:
                raise NotFound("there is no such configuration of this customer; only its designer can take it back")
            self._book.remove(id, self._hub.clock.now())

    def designs(self, customer: str) -> list[DesignInfo]:
        """Return the configurations that a customer saved, the newest first. Raises `NotFound`."""
        view = self._hub.people.view(customer)
        if view is None:
            raise NotFound(f"there is no customer {customer!r}")
        found = [(design.saved, id, design) for node in view.nodes for id, design in self._book.saved(node)]
        return [
            DesignInfo(id, design.product, to_datetime(saved), design.orders)
            for saved, id, design in sorted(found, key=lambda one: (-one[0], one[1]))
        ]

    # --- parts

    def _product(self, name: str) -> Product:
        hub = self._hub
        products = hub.plan.catalog.products if hub.published else ()
        found = next((product for product in products if product.name == name), None)
        if found is None:
            known = ", ".join(product.name for product in products) or "none"
            raise NotFound(f"there is no product {name[:60]!r} to configure; there are: {known}")
        if not _sold(found, hub.clock.now()):
            raise NotFound(f"product {name!r} is not sold now")
        return found

    def _design(self, id: str) -> Design:
        design = self._book.get(id)
        if design is None:
            raise NotFound("there is no such configuration")
        return design

    def _done(self, id: str, order: str, view: View | None) -> OrderedConfiguration | None:
        """Return what came of an order of a customer. Raises `Stale` where it is another's, or of something else."""
        known = self._book.ordered(order)
        if known is None:
            return None
        if known.id != id:
            raise Stale(f"order {order!r} is of another configuration; give each order an id of its own")
        if known.node and (view is None or known.node not in view.nodes):
            raise Stale(f"order {order!r} is of another customer; give each order an id of its own")
        choices = self._book.choices_of(known)
        return OrderedConfiguration(
            id, order, known.product, choices, known.price, self._hub.plan.catalog.currency, known.credited,
            known.points, True,
        )  # fmt: skip

    def _still(self, question: Question) -> Product:
        """Return the product of a question; `Stale` where an answer to it need not hold any more."""
        product, currency = self._product(question.product.name), self._hub.plan.catalog.currency
        was = {(option, place) for option, place, _ in question.closed}
        closed = self._closed(product, self._hub.clock.now())
        if (product, currency) != (question.product, question.currency):
            raise Stale(f"product {product.name!r} has changed in the meantime; ask again for what it costs now")
        if news := [because for option, place, because in closed if (option, place) not in was]:
            raise Stale(f"product {product.name!r} has changed in the meantime: {'; '.join(news)}; ask again")
        return product

    def _closed(self, product: Product, now: int) -> tuple[tuple[str, int, str], ...]:
        items = self._hub.goods.shelf.items
        found = []
        for option in product.options:
            for place, value in enumerate(option.values):
                item = items.get(value.item) if value.item else None
                if item is not None and item.stock is not None and item.stock <= 0:
                    found.append((option.name, place, f"{titled(option, place)} is out of stock"))
                elif value.starts is not None and now < value.starts:
                    found.append((option.name, place, f"{titled(option, place)} is not there yet"))
                elif value.ends is not None and now >= value.ends:
                    found.append((option.name, place, f"{titled(option, place)} is no longer there"))
        return tuple(found)

    def _profile(self, product: Product, view: View, now: int) -> dict[str, Chosen]:
        values, found = view.values(now), dict[str, Chosen]()
        for option in product.options:
            said = option.fill.evaluate(values) if option.fill is not None else None
            if said is None:
                continue
            if option.kind is Kind.NUMBER and option.type != "choice":
                said = value_at(option, nearest_position(option, float(said)))
            found[option.name] = said
        return found

    def _others(self, product: str, now: int) -> tuple[int, list[dict[str, Chosen]]]:
        known = self._kept.others.get(product)
        if known is None or (known[0] + FRESH <= now and known[1] != self._book.version(product)):
            version, designs = self._book.others(product)
            if len(self._kept.others) > KEPT:
                self._kept.others.clear()
            known = self._kept.others[product] = now, version, designs
        return known[1], known[2]

    def _made(self, user_id: str) -> View:
        view = self._hub.people.resolve(named(user_id, "userId"), None, create=True)
        if view is None:
            raise BadRequest(f"{user_id!r} names nobody; give the id of a customer", "userId")
        return view

    def _said(self, product: Product, answer: Configured) -> dict[str, Any]:
        open_, _ = _parted(product, answer.choices)
        return {
            "product_id": product.name, "name": product.title or product.name, "options": open_,
            "price": answer.price.now, "currency": answer.price.currency,
        }  # fmt: skip

    def _event(self, view: View, event: str, key: str, properties: Mapping[str, Any]) -> list[dict[str, Any]]:
        named_ = who(view)
        if named_ is None:
            return []
        message = self._message(event, view.subject, key)
        return [{"type": "track", "event": event, **named_, "messageId": message, "properties": properties}]

    def _message(self, event: str, *parts: object) -> str:
        """Return the id of a message, the same for the same parts; ids of customers and orders may be of any length."""
        return f"{event}-{self._book.hash(repr(parts))}"

    def _tell(self, news: list[dict[str, Any]]) -> None:
        if news:
            self._hub.ingest(news, source=SOURCE)


def _sold(product: Product, now: int) -> bool:
    return (product.starts is None or product.starts <= now) and (product.ends is None or now < product.ends)


def _there(product: Product, choices: Mapping[str, Chosen]) -> dict[str, Chosen]:
    """Return what the product still has of a choice."""
    options = {option.name: option for option in product.options}
    return {
        name: value
        for name, value in choices.items()
        if name in options and position_of(options[name], value) is not None
    }


def _parted(product: Product, choices: Mapping[str, Chosen]) -> tuple[dict[str, Chosen], dict[str, Chosen]]:
    """Return what everybody may see of a choice, and what is personal."""
    personal = {option.name for option in product.options if option.personal}
    return ({name: value for name, value in choices.items() if name not in personal},
            {name: value for name, value in choices.items() if name in personal})  # fmt: skip


def _why_not(answer: Configured) -> str:
    """Return why a choice is not possible; "" where it is. Raises `TooBusy` where that was not known in time."""
    if answer.possible is None:
        raise TooBusy("it was not known in time whether this choice is possible; try again in a moment")
    reasons = "; ".join(conflict.because for conflict in answer.conflicts)
    return "" if answer.possible else f"this choice is not possible: {reasons}"
