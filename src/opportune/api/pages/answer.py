"""The page on which a customer answers a question of a message. To look at it answers nothing: scanners open links."""

from __future__ import annotations

from opportune.api.clicks import MESSAGE, opened, send_of
from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Reply
from opportune.api.heard import customer, naming
from opportune.api.pages.form import LARGEST, fields
from opportune.api.pages.frame import button, form, page, words_for
from opportune.api.pages.language import Words
from opportune.api.pages.markup import Html, tag
from opportune.api.pages.values import value_of
from opportune.catalog.asked_sections import question_of
from opportune.catalog.questions import shown, text_in, title_of
from opportune.catalog.types import Action, Ask
from opportune.deliver.feedback.heard import SendKey, digest
from opportune.errors import BadInput
from opportune.hub import Hub
from opportune.profiles.facts import GIVEN, LONGEST
from opportune.rules import Kind, Value

SOURCE = "answer-page"

_INPUTS = {
    Kind.NUMBER: {"type": "text", "inputmode": "decimal"},
    Kind.TIME: {"type": "date"},
    Kind.TEXT: {"type": "text", "maxlength": str(LONGEST)},
}


async def ask(door: Door, call: Call) -> Reply:
    """Show the question, and the answers as buttons; the one that the link names comes first to the eye."""
    send, subject = _named(door, call)
    return await door.writer.do(lambda: _question(door.hub, call, send, subject, call.query.get("answer", "")))


async def answer(door: Door, call: Call) -> Reply:
    """Take the answer."""
    send, subject = _named(door, call)
    given = fields(call.raw, call.headers.get("content-type", "")).get("answer", "").strip()

    def work() -> Reply:
        hub = door.hub
        action = _action(hub, send)
        if action is None or not _taken(hub, call, action, send, subject, given):
            return _question(hub, call, send, subject, given, wrong=True)
        words = _words(hub, call, subject)
        more = tag("a", words("unsubscribe_preferences"), href=f"../preferences/{call.parameters['token']}")
        done = tag("p", words("answer_done"), role="status")
        return page(hub, words, words("answer_title"), done, tag("p", more), switch=False)

    return await door.writer.do(work)


def _taken(hub: Hub, call: Call, action: Action, send: SendKey, subject: str, given: str) -> bool:
    """Record an answer; return False for one that is none."""
    if action.survey:
        if given not in ("yes", "no"):
            return False
        hub.respond(send.decision_id, action.name, given)
        return True
    ask = question_of(hub.plan.catalog, action.name)
    value = None if ask is None else _value(hub, ask, given, _words(hub, call, subject).language)
    if ask is None or value is None:
        return False
    said = {"fact": ask.fact, "value": value, "decisionId": send.decision_id}
    told = {
        "type": "track", "event": GIVEN, **naming(customer(hub, subject)), "properties": said,
        "messageId": f"given-{digest(call.parameters['token'], given, str(hub.clock.now()))}",
    }  # fmt: skip
    return hub.ingest(told, source=SOURCE).taken == 1


def _question(hub: Hub, call: Call, send: SendKey, subject: str, given: str, wrong: bool = False) -> Reply:
    words, action = _words(hub, call, subject), _action(hub, send)
    ask = question_of(hub.plan.catalog, send.action)
    pulse = hub.plan.catalog.pulse
    if action is None or (ask is None and not (action.survey and pulse)):
        return page(hub, words, words("answer_title"), tag("p", words("answer_closed")), status=410, switch=False)
    status, notice = (400, words("answer_wrong")) if wrong else (200, "")
    language = words.language
    if ask is not None:
        buys = tag("p", words("answer_buys", buys=text_in(ask.buys, language)))
        parts, question = [buys, form(_choices(hub, ask, words, given))], text_in(ask.question, language)
    else:
        assert pulse is not None
        answers = [("yes", text_in(pulse.yes, language)), ("no", text_in(pulse.no, language))]
        parts, question = [form(_buttons(answers, given))], text_in(pulse.question, language)
    return page(hub, words, question, parts, status=status, notice=notice, switch=False)


def _choices(hub: Hub, ask: Ask, words: Words, given: str) -> list[Html]:
    """Return the buttons of the options, or a field where anything may be said."""
    kind = _kind(hub, ask)
    if ask.options:
        return _buttons([(shown(o.value), title_of(o, words.language)) for o in ask.options], given)
    if kind is Kind.BOOL:
        return _buttons([("yes", words("yes")), ("no", words("no"))], given)
    label = tag("label", words("answer_label"), for_="answer")
    field = tag("input", name="answer", id="answer", required=True, value=given or None, **_INPUTS[kind])
    return [tag("p", label, " ", field), button(words("answer_send"))]


def _buttons(answers: list[tuple[str, str]], given: str) -> list[Html]:
    known = given in [value for value, _ in answers]
    return [
        button(title, "quiet" if known and value != given else "", name="answer", value=value)
        for value, title in answers
    ]


def _value(hub: Hub, ask: Ask, given: str, language: str) -> Value:
    """Return the value that an answer stands for; None for one that is none."""
    if ask.options:
        return next((o.value for o in ask.options if shown(o.value) == given), None)
    try:
        return value_of(_kind(hub, ask), given, language)
    except (ValueError, BadInput):
        return None


def _kind(hub: Hub, ask: Ask) -> Kind:
    return next(t.kind for t in hub.plan.catalog.traits if t.name == ask.fact)


def _action(hub: Hub, send: SendKey) -> Action | None:
    position = hub.plan.position.get(send.action)
    return None if position is None else hub.plan.actions[position]


def _named(door: Door, call: Call) -> tuple[SendKey, str]:
    data = opened(door, MESSAGE, call.parameters["token"])
    return send_of(data), str(data.get("s", ""))


def _words(hub: Hub, call: Call, subject: str) -> Words:
    view = customer(hub, subject)
    return words_for(hub, call, view.state.traits.get("language", (None,))[0])


ENDPOINTS = (
    Endpoint("GET", "/a/{token}", "anyone", ask, "A question of a message", page=True),
    Endpoint("POST", "/a/{token}", "anyone", answer, "Answer a question", bytes, largest=LARGEST, page=True),
)
