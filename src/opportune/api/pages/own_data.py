"""Everything that is kept about a customer, given out or deleted, from their page: for whom the message was sent to.

A link can be passed on with its message, so it is not enough: each of the two has a step of its own, in which the
address that the message went to is to be named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from opportune.api import customers
from opportune.api.clicks import send_of
from opportune.api.door import Door
from opportune.api.endpoint import Call, Reply
from opportune.api.heard import customer
from opportune.api.pages import sections
from opportune.api.pages.address import NAMED, mark, same, too_often
from opportune.api.pages.frame import headers, page, words_for
from opportune.api.pages.language import Words
from opportune.api.pages.markup import tag

STEPS = ("download", "download-now", "forget", "forget-now")
"""What a form may ask for here: the step that asks, and what is done then."""

_STATUS = {"prove_wrong": 403, "prove_often": 429, "prove_never": 403, "forget_unsure": 400}


async def own_data(door: Door, call: Call, data: dict[str, Any], told: Mapping[str, str]) -> Reply:
    """Show the step before; or do it, if the form names the right address."""
    what, hub, subject = told.get("do", ""), door.hub, str(data.get("s", ""))

    def work() -> tuple[Words, str]:
        words = words_for(hub, call, customer(hub, subject).state.traits.get("language", (None,))[0])
        return words, _wrong(door, subject, data, told, what)

    words, wrong = await door.writer.do(work)
    title = words("download" if what.startswith("download") else "forget_title")
    if wrong or not what.endswith("-now"):
        never = wrong == "prove_never"
        step = sections.downloading if what.startswith("download") else sections.forgetting
        alert = tag("p", words(wrong), class_="wrong", role="alert") if wrong else None
        status = _STATUS[wrong] if wrong else 200
        return page(hub, words, title, alert, None if never else step(words), status=status, switch=False)
    about = replace(call, parameters={"id": subject})
    if what == "download-now":
        found = await customers.export(door, about)
        return Reply(found.body, media=found.media, headers={**headers(), **found.headers})
    await customers.forget(door, about)
    return page(hub, words, words("forgotten_title"), tag("p", words("forgotten"), role="status"), switch=False)


def _wrong(door: Door, subject: str, data: dict[str, Any], told: Mapping[str, str], what: str) -> str:
    """Return the words for why it is not done; "" where nothing speaks against it."""
    view, channel = customer(door.hub, subject), door.hub.plan.channels.get(send_of(data).channel)
    if channel is None or channel.form not in NAMED or not data.get("k"):
        return "prove_never"
    if not what.endswith("-now"):
        return ""
    if what == "forget-now" and told.get("sure") != "yes":
        return "forget_unsure"
    if too_often(door, subject):
        return "prove_often"
    named = mark(door, view, channel, told.get("address", "")[:320].strip())
    return "" if same(str(data["k"]), named) else "prove_wrong"
