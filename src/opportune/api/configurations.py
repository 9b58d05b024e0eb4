"""Configurable products at the door: a form asks what is possible, fills in what is likely, saves, shares and orders.

What the solver works on, it works on beside the event loop, so that decisions never wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.problems import Refused
from opportune.api.who import BrowserCustomer, browser_customer, text_id
from opportune.api.writer import Busy
from opportune.configure.bench import Bench, Question
from opportune.configure.solver import TooBusy
from opportune.errors import BadRequest
from opportune.services.workshop import Workshop
from opportune.wire.configured import (
    Configuration,
    Configured,
    ConfigureRequest,
    DesignInfo,
    OrderedConfiguration,
    OrderRequest,
    ProductInfo,
    SaveRequest,
)

T = TypeVar("T")


async def products(door: Door, call: Call) -> list[ProductInfo]:
    """Return the products that can be configured now."""
    return await door.writer.do(lambda: Workshop(door.hub).products())


async def product(door: Door, call: Call) -> Configured:
    """Return a product with all of its options and nothing chosen."""
    name = call.parameters["name"]
    return await _thought(door, call, lambda: Workshop(door.hub).question(name, {}))


async def check(door: Door, call: Call) -> Configured:
    """Say of a partial choice what it still can be, what is ruled out by what, and what it costs."""
    return await _asked(door, call, completes=False)


async def complete(door: Door, call: Call) -> Configured:
    """Complete a partial choice by what the customer chose before, their profile, and what others chose."""
    return await _asked(door, call, completes=True)


async def save(door: Door, call: Call) -> Configuration:
    """Keep a choice of a customer; its id can be given to others, and cannot be guessed."""
    asked: SaveRequest = call.body
    user = _user(asked.user_id)
    with _place(door, call) as bench:
        question = await door.writer.do(lambda: Workshop(door.hub).question(asked.product, dict(asked.choices)))
        answer = await _answer(bench, question)
    id = await _in_time(door.writer.do(lambda: Workshop(door.hub).save(question, answer, user)))
    return await _shown(door, call, id)


async def shared(door: Door, call: Call) -> Configuration:
    """Return a saved configuration as everybody may see it, and what it costs now."""
    return await _shown(door, call, call.parameters["id"])


async def order(door: Door, call: Call) -> OrderedConfiguration:
    """Order a configuration for a customer; its designer is credited where that is somebody else."""
    asked: OrderRequest = call.body
    id, user = call.parameters["id"], _user(asked.user_id)
    with _place(door, call) as bench:
        question = await door.writer.do(lambda: Workshop(door.hub).ordering(id, asked.order_id, user, asked.choices))
        if isinstance(question, OrderedConfiguration):
            return question
        answer = await _answer(bench, question)
    return await _in_time(door.writer.do(lambda: Workshop(door.hub).order(id, asked.order_id, user, question, answer)))


async def remove(door: Door, call: Call) -> dict[str, bool]:
    """Take a configuration back for its designer: nobody sees or orders it any more. What was ordered stays so."""
    id, designer = call.parameters["id"], _designer(door, call)
    await door.writer.do(lambda: Workshop(door.hub).remove(id, designer))
    return {"removed": True}


async def of_customer(door: Door, call: Call) -> list[DesignInfo]:
    """Return the configurations that a customer saved, the newest first."""
    customer = call.parameters["id"]
    return await door.writer.do(lambda: Workshop(door.hub).designs(customer))


async def _asked(door: Door, call: Call, completes: bool) -> Configured:
    asked: ConfigureRequest = call.body
    name, who = call.parameters["name"], _who(door, call, asked)
    user, anonymous = who.user, who.anonymous

    def work() -> Question:
        if call.key is not None and call.key.kind == "write":
            who.check(door.hub)
        return Workshop(door.hub).question(
            name, asked.choices, user, anonymous, asked.configuration, asked.keep, completes
        )

    answer = await _thought(door, call, work)
    if asked.tell:
        await door.writer.do(lambda: Workshop(door.hub).tell(answer, user, anonymous))
    return answer


def _who(door: Door, call: Call, asked: ConfigureRequest) -> BrowserCustomer:
    """Return for whom it is asked: nobody, where no customer is named."""
    user, anonymous = text_id(asked.user_id, "userId"), text_id(asked.anonymous_id, "anonymousId")
    named = user is not None or anonymous is not None or bool(asked.user_token)
    if named and call.key is not None and call.key.kind == "write":
        return browser_customer(door, user, anonymous, asked.user_token)
    return BrowserCustomer(user, None if user is not None else anonymous)


def _designer(door: Door, call: Call) -> str:
    """Return for whom a configuration is taken back; a browser speaks for the user of its token alone."""
    token = call.query.get("userToken")
    if call.key is not None and call.key.kind == "write":
        if not token:
            raise Refused(403, "user-token-needed", "a write key takes back what is of its `userToken`", "userToken")
        user = browser_customer(door, text_id(call.query.get("userId"), "userId"), None, token).user
        assert user is not None
        return user
    return _user(call.query.get("userId", ""))


async def _shown(door: Door, call: Call, id: str) -> Configuration:
    answer = await _thought(door, call, lambda: Workshop(door.hub).about(id))
    return await door.writer.do(lambda: Workshop(door.hub).shown(id, answer))


async def _thought(door: Door, call: Call, work: Callable[[], Question]) -> Configured:
    """Return the answer to the question that some work for the hub asks."""
    with _place(door, call) as bench:
        return await _answer(bench, await door.writer.do(work, size=len(call.raw)))


@contextmanager
def _place(door: Door, call: Call) -> Iterator[Bench]:
    """Hold a place at the bench for the key of a call; raise `Busy` before any work where there is none.

    A write key is public, and whoever has it can ask without end: servers, who save and order, have their own bench.
    """
    workshop = Workshop(door.hub)
    bench = workshop.browsers if call.key is not None and call.key.kind == "write" else workshop.bench
    if bench.waiting >= bench.most:
        raise Busy(1)
    bench.waiting += 1
    try:
        yield bench
    finally:
        bench.waiting -= 1


async def _answer(bench: Bench, question: Question) -> Configured:
    return await _in_time(asyncio.get_running_loop().run_in_executor(bench.threads, bench.answer, question))


async def _in_time(answer: asyncio.Future[T]) -> T:
    """Return an answer; one that the solver had no time for may be asked for again."""
    try:
        return await answer
    except TooBusy as error:
        raise Busy(1, str(error)) from None


def _user(user_id: str | int) -> str:
    user = text_id(user_id, "userId")
    if user is None:
        raise BadRequest(f"{user_id!r} names nobody; give the id of the customer", "userId")
    return user


_PROBLEMS = (400, 401, 403, 404, 409, 413, 429)
_READ = (400, 401, 403, 404, 429)

ENDPOINTS = (
    Endpoint("GET", "/v1/products", "browser", products, "The products that can be configured", None,
             list[ProductInfo], problems=(400, 401, 403, 429)),
    Endpoint("GET", "/v1/products/{name}", "browser", product, "A product with its options", None, Configured,
             problems=_READ),
    Endpoint("POST", "/v1/products/{name}/check", "browser", check, "What a choice still can be", ConfigureRequest,
             Configured, problems=_PROBLEMS),
    Endpoint("POST", "/v1/products/{name}/complete", "browser", complete, "A choice completed", ConfigureRequest,
             Configured, problems=_PROBLEMS),
    Endpoint("POST", "/v1/configurations", "server", save, "Save a configuration", SaveRequest, Configuration,
             problems=_PROBLEMS),
    Endpoint("GET", "/v1/configurations/{id}", "browser", shared, "A configuration that was shared", None,
             Configuration, problems=_READ),
    Endpoint("DELETE", "/v1/configurations/{id}", "browser", remove, "Take a configuration back", None, dict[str, bool],
             query=(Parameter("userId", str, "The designer, with a server key"),
                    Parameter("userToken", str, "With a write key: the token of the designer")),
             problems=_READ),
    Endpoint("POST", "/v1/configurations/{id}/order", "server", order, "Order a configuration", OrderRequest,
             OrderedConfiguration, problems=(*_PROBLEMS, 410)),
    Endpoint("GET", "/v1/customers/{id}/configurations", "server", of_customer, "What a customer saved", None,
             list[DesignInfo], problems=(*_READ, 410)),
)  # fmt: skip
