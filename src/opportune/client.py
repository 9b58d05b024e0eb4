"""The client of a hub: what `Hub` offers in one process, over HTTP, with the same words and the same answers.

>>> from opportune.client import Client
>>> client = Client("http://127.0.0.1:8080", "ops_...")
>>> client.decide("maya", placement="app.home.hero")  # doctest: +SKIP
Answered(decision_id='01K...', customer_id='maya', ...)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, cast
from urllib.parse import urlencode

import msgspec

from opportune.errors import BadCatalog, BadInput, BadRequest, BrokenStore, Forgotten, NotFound, OpportuneError, Stale
from opportune.errors import Problem as Mistake
from opportune.wire import (
    Answered,
    Explanation,
    Export,
    OutcomeAnswer,
    Problem,
    Profile,
    Recorded,
    Supposed,
    Value,
    Why,
)
from opportune.wire.calling import T, quoted
from opportune.wire.campaigning import Campaigning
from opportune.wire.caring import Caring
from opportune.wire.configured import Configuring
from opportune.wire.consenting import Consenting
from opportune.wire.equipping import Equipping
from opportune.wire.foreseeing import Foreseeing
from opportune.wire.gauging import Gauging
from opportune.wire.informing import Informing
from opportune.wire.inspecting import Inspecting
from opportune.wire.judging import Judging
from opportune.wire.mending import Mending
from opportune.wire.offering import Offering
from opportune.wire.pages import PageAnswer, PageRequest
from opportune.wire.recalling import Recalling
from opportune.wire.recommending import Recommending
from opportune.wire.renting import Renting
from opportune.wire.requesting import Requesting
from opportune.wire.sending import Sending
from opportune.wire.steering import Steering
from opportune.wire.trying import Trying
from opportune.wire.upkeep import FileImport, Keeping
from opportune.wire.watching import Watching

if TYPE_CHECKING:
    import httpx

LARGEST_BATCH = 450_000
"""Bytes of events that are sent together."""

MOST_EVENTS = 500
"""Events that are sent together."""


class Unreachable(OpportuneError):
    """Nobody answers at the address of the hub."""


class Refused(OpportuneError):
    """The hub does not let this key in, or not as often."""


class Transport(Protocol):
    """How a request gets to a hub."""

    def send(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        """Return the status and the body of the answer."""

    def stream(self, method: str, path: str, body: bytes | None) -> Iterator[bytes]:
        """Yield the lines of an answer as they come; raise what `problem_of` makes of one that is no 200."""

    def close(self) -> None:
        """Let go of what is held."""


class Client(
    Campaigning, Caring, Configuring, Consenting, Equipping, Foreseeing, Gauging, Informing, Inspecting, Judging,
    Keeping, Mending, Offering, Recalling, Recommending, Renting, Requesting, Sending, Steering, Trying, Watching,
):  # fmt: skip
    """A hub at a URL. `key` is a server key; what changes the hub itself needs an admin key.

    Raises what `Hub` raises, `Refused` where the key does not open something, and `Unreachable`.
    """

    def __init__(self, url: str, key: str, transport: Transport | None = None, timeout: float = 30.0) -> None:
        """`transport` is for those who reach a hub otherwise; `timeout` is in seconds."""
        self._transport = transport or _Http(url, key, timeout)

    def ingest(self, events: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> None:
        """Hand events in, as Segment's tracking API has them; when this returns they are on disk.

        Events with a fault of their own are set aside (`rejected`). Sends some hundred at a time; give each a
        `messageId`, so that sending again after an error counts nothing twice.
        """
        size, batch = 0, list[msgspec.Raw]()
        for event in [events] if isinstance(events, Mapping) else events:
            text = msgspec.json.encode(event)
            if batch and (size + len(text) > LARGEST_BATCH or len(batch) == MOST_EVENTS):
                self._call("POST", "/v1/batch", dict, {"batch": batch})
                size, batch = 0, []
            size += len(text) + 1
            batch.append(msgspec.Raw(text))
        if batch:
            self._call("POST", "/v1/batch", dict, {"batch": batch})

    def decide(
        self,
        customer: str | None = None,
        placement: str | None = None,
        placements: Sequence[str] = (),
        context: Mapping[str, Value] | None = None,
        limit: int = 1,
        anonymous: str | None = None,
        peek: bool = False,
        request_id: str | None = None,
        channel: str | None = None,
        explain: bool = False,
        token: str | None = None,
        suppose: Supposed | None = None,
    ) -> Answered:
        """Return the next best actions for a customer, or silence; see `Hub.decide`.

        The `token` of a streamed answer makes that answer a decision; `Stale` is raised if it no longer holds. A peek
        may `suppose` that traits and features are otherwise, or that events were heard.
        """
        asked = {
            "userId": customer, "anonymousId": anonymous, "placement": placement, "placements": list(placements),
            "context": dict(context or {}), "limit": limit, "peek": peek, "requestId": request_id, "channel": channel,
            "explain": explain, "token": token, "suppose": suppose,
        }  # fmt: skip
        return self._call("POST", "/v1/decide", Answered, asked)

    def page(
        self,
        name: str,
        customer: str | None = None,
        anonymous: str | None = None,
        url: str = "",
        referrer: str = "",
        language: str = "",
        device: str = "",
        context: Mapping[str, Value] | None = None,
        peek: bool = False,
        request_id: str | None = None,
    ) -> PageAnswer:
        """Return what every slot of a page shows, in one decision; `NotFound` where the catalog has no such page.

        `url` and `referrer` are the addresses of the page and of where the visit came from; see docs/pages.md for what
        of them decides.
        """
        asked = PageRequest(
            customer, anonymous, None, url, referrer, language, device, dict(context or {}), peek, request_id
        )
        return self._call("POST", f"/v1/pages/{quoted(name)}", PageAnswer, asked)

    def respond(
        self, decision_id: str, action: str, outcome: str, value: float | None = None, at: str | int | None = None
    ) -> bool:
        """Tell what became of an action; return whether it was news. `at` is ISO 8601 or an epoch number."""
        told = {"decisionId": decision_id, "action": action, "outcome": outcome, "value": value, "at": at}
        return self._call("POST", "/v1/outcomes", OutcomeAnswer, told).news

    def recorded(self, decision_id: str) -> Recorded:
        """Return a decision of the ledger, explained, and whether it replays to the bit."""
        return self._call("GET", f"/v1/decisions/{quoted(decision_id)}", Recorded)

    def explain(self, decision_id: str) -> Explanation:
        """Return what won and why, and what each other action fell to."""
        told = self.recorded(decision_id).explanation
        assert told is not msgspec.UNSET
        return told

    def why(self, decision_id: str, action: str) -> Why:
        """Return what one action fell to, and the smallest change that would have made it win."""
        return self._call("GET", f"/v1/decisions/{quoted(decision_id)}/why", Why, query={"action": action})

    def profile(self, customer: str) -> Profile:
        """Return what is known of a customer."""
        return self._call("GET", f"/v1/customers/{quoted(customer)}", Profile)

    def export(self, customer: str) -> Export:
        """Return everything that is kept about a customer."""
        return self._call("GET", f"/v1/customers/{quoted(customer)}/export", Export)

    def actions(self, customer: str, placement: str, anonymous: bool = False, limit: int = 1) -> Iterator[Answered]:
        """Yield the next best action now, and again each time that it changes; ends when the hub does."""
        query = {"placement": placement, "limit": str(limit), "anonymous": str(anonymous).lower()}
        for line in self._transport.stream("GET", f"/v1/customers/{quoted(customer)}/actions?{urlencode(query)}", None):
            if line.startswith(b"data:"):
                told = line[5:].strip()
                if b'"urn:opportune:' in told[:40]:
                    raise error_of(msgspec.json.decode(told, type=Problem))
                yield msgspec.json.decode(told, type=Answered)

    def forget(self, customer: str) -> None:
        """Destroy everything that is kept about a customer."""
        self._call("DELETE", f"/v1/customers/{quoted(customer)}", dict)

    def attribution(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return who gets the credit for the conversions of the hub's customers; `spec` as `data: ledger` has it."""
        return self._call("POST", "/v1/attribution", dict[str, Any], dict(spec))

    def scores(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return a score for each of the hub's customers; `spec` as `data: customers` has it."""
        return self._call("POST", "/v1/scores", dict[str, Any], dict(spec))

    def import_files(
        self, files: Sequence[Path], map: Sequence[str] = (), source: str = "import"
    ) -> Iterator[FileImport]:
        """Take events in from files of the machine that serves; yields how far that is."""
        asked = {"files": [str(file.absolute()) for file in files], "map": list(map), "source": source}
        for line in self._transport.stream("POST", "/v1/files", msgspec.json.encode(asked)):
            if line.startswith(b'{"type"'):
                raise error_of(msgspec.json.decode(line, type=Problem))
            yield msgspec.json.decode(line, type=FileImport)

    def close(self) -> None:
        """Let go of the connection."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(
        self, method: str, path: str, gives: type[T], body: Any = None, query: Mapping[str, str] | None = None
    ) -> T:
        whole = f"{path}?{urlencode(query)}" if query else path
        status, data = self._transport.send(method, whole, None if body is None else msgspec.json.encode(body))
        if status != 200:
            raise problem_of(status, data)
        try:
            return cast(T, data) if gives is bytes else msgspec.json.decode(data, type=gives)
        except msgspec.MsgspecError as why:
            what = f"the hub answers {method} {path} in a form that is not known here: {why}"
            raise OpportuneError(f"{what}; use the same version of Opportune on both sides") from None


def problem_of(status: int, data: bytes) -> OpportuneError:
    """Return the error that an answer other than 200 stands for."""
    try:
        told = msgspec.json.decode(data)
        if "detail" not in told:  # the form that clients of the tracking API know
            told = {"type": "", "title": "", "status": status, "detail": told["message"], "code": told["code"]}
        return error_of(msgspec.convert(told, Problem))
    except (msgspec.MsgspecError, KeyError, TypeError):
        return OpportuneError(f"the hub answered {status}: {data[:300].decode('utf-8', 'replace')}")


def error_of(problem: Problem) -> OpportuneError:
    """Return the exception that a problem stands for, the same that a hub in this process raises."""
    if problem.code == "bad-catalog":
        return BadCatalog([Mistake(**one) for one in problem.errors])
    match problem.status:
        case 400:
            return BadRequest(problem.detail, problem.field)
        case 404:
            return NotFound(problem.detail)
        case 409:
            return Stale(problem.detail)
        case 410:
            return Forgotten(problem.detail)
        case 413:
            return BadInput(problem.detail)
        case 503:
            return BrokenStore(problem.detail)
        case 401 | 403 | 429:
            return Refused(problem.detail)
    return OpportuneError(problem.detail)


class _Http:
    """Requests over the network, one connection kept open."""

    def __init__(self, url: str, key: str, timeout: float) -> None:
        import httpx

        self._url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._client = httpx.Client(headers=headers, timeout=timeout, trust_env=False)

    def send(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        import httpx

        try:
            answer = self._client.request(method, self._url + path, content=body)
        except httpx.InvalidURL as error:
            raise BadRequest(f"this cannot be asked: {error}; name what is looked for in fewer words") from None
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        return answer.status_code, answer.content

    def stream(self, method: str, path: str, body: bytes | None) -> Iterator[bytes]:
        import httpx

        patient = httpx.Timeout(30.0, read=60.0)
        try:
            with self._client.stream(method, self._url + path, content=body, timeout=patient) as answer:
                if answer.status_code != 200:
                    raise problem_of(answer.status_code, answer.read())
                for line in answer.iter_lines():
                    if line:
                        yield line.encode()
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def close(self) -> None:
        self._client.close()

    def _unreachable(self, error: httpx.HTTPError) -> Unreachable:
        return Unreachable(
            f"no hub answers at {self._url}: {error or type(error).__name__}; start it with `opportune serve`"
        )
