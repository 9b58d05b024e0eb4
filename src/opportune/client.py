"""The client of a hub: what `Hub` offers in one process, over HTTP, with the same words and the same answers.

>>> from opportune.client import Client
>>> client = Client("http://127.0.0.1:8080", "ops_...")
>>> client.decide("maya", placement="app.home.hero")  # doctest: +SKIP
Answered(decision_id='01K...', customer_id='maya', ...)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, cast
from urllib.parse import quote, urlencode

import msgspec

from opportune.errors import BadCatalog, BadInput, BadRequest, BrokenStore, Forgotten, NotFound, OpportuneError, Stale
from opportune.errors import Problem as Mistake
from opportune.wire import (
    Answered,
    Backup,
    CareReport,
    CatalogDiff,
    CodeInfo,
    CouponInfo,
    Explanation,
    Export,
    FileImport,
    Healthy,
    ItemsPage,
    ItemsTaken,
    KeyInfo,
    LetterJob,
    NewCodes,
    OutboxState,
    OutcomeAnswer,
    PointsInfo,
    PointsMoved,
    Preview,
    Problem,
    Profile,
    Published,
    Rebuilt,
    Recommendations,
    Recorded,
    Redemption,
    RejectedEvents,
    Replayed,
    RunInfo,
    ShelfRevenue,
    ShelfState,
    StatementLine,
    Status,
    Supposed,
    TriggerInfo,
    UserToken,
    Value,
    WaitingMessage,
    WebhookInfo,
    Why,
)
from opportune.wire.calling import T
from opportune.wire.campaigning import Campaigning
from opportune.wire.configured import (
    Chosen,
    Configuration,
    Configured,
    DesignInfo,
    OrderedConfiguration,
    ProductInfo,
)
from opportune.wire.equipping import Equipping
from opportune.wire.gauging import Gauging
from opportune.wire.informing import Informing
from opportune.wire.inspecting import Inspecting
from opportune.wire.judging import Judging
from opportune.wire.pages import PageAnswer, PageRequest
from opportune.wire.renting import (
    Changed,
    ItemCopies,
    NextItem,
    RentalInfo,
    RentalLine,
    RentalList,
    SentItem,
    ShippedBatch,
    Subscription,
    Swapped,
)
from opportune.wire.requesting import Requesting
from opportune.wire.steering import Steering
from opportune.wire.trying import (
    Decided,
    ExperimentInfo,
    Holdouts,
    HypothesisInfo,
    LabLook,
    LabStatus,
    NextTest,
    OutlookInfo,
    PartInfo,
    StartedInfo,
)
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


class Client(Gauging, Watching, Steering, Judging, Equipping, Campaigning, Inspecting, Informing, Requesting):
    """A hub at a URL. `key` is a server key; the methods after `forget` need an admin key.

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
        return self._call("POST", f"/v1/pages/{_q(name)}", PageAnswer, asked)

    def respond(
        self, decision_id: str, action: str, outcome: str, value: float | None = None, at: str | int | None = None
    ) -> bool:
        """Tell what became of an action; return whether it was news. `at` is ISO 8601 or an epoch number."""
        told = {"decisionId": decision_id, "action": action, "outcome": outcome, "value": value, "at": at}
        return self._call("POST", "/v1/outcomes", OutcomeAnswer, told).news

    def recorded(self, decision_id: str) -> Recorded:
        """Return a decision of the ledger, explained, and whether it replays to the bit."""
        return self._call("GET", f"/v1/decisions/{_q(decision_id)}", Recorded)

    def explain(self, decision_id: str) -> Explanation:
        """Return what won and why, and what each other action fell to."""
        told = self.recorded(decision_id).explanation
        assert told is not msgspec.UNSET
        return told

    def why(self, decision_id: str, action: str) -> Why:
        """Return what one action fell to, and the smallest change that would have made it win."""
        return self._call("GET", f"/v1/decisions/{_q(decision_id)}/why", Why, query={"action": action})

    def profile(self, customer: str) -> Profile:
        """Return what is known of a customer."""
        return self._call("GET", f"/v1/customers/{_q(customer)}", Profile)

    def export(self, customer: str) -> Export:
        """Return everything that is kept about a customer."""
        return self._call("GET", f"/v1/customers/{_q(customer)}/export", Export)

    def consents(self, customer: str, receipts: bool = False) -> list[dict[str, Any]]:
        """Return the records of what a customer consented to, refused and took back; as signed receipts if asked."""
        query = {"receipts": str(receipts).lower()}
        return self._call("GET", f"/v1/customers/{_q(customer)}/consents", list[dict[str, Any]], query=query)

    def actions(self, customer: str, placement: str, anonymous: bool = False, limit: int = 1) -> Iterator[Answered]:
        """Yield the next best action now, and again each time that it changes; ends when the hub does."""
        query = {"placement": placement, "limit": str(limit), "anonymous": str(anonymous).lower()}
        for line in self._transport.stream("GET", f"/v1/customers/{_q(customer)}/actions?{urlencode(query)}", None):
            if line.startswith(b"data:"):
                told = line[5:].strip()
                if b'"urn:opportune:' in told[:40]:
                    raise error_of(msgspec.json.decode(told, type=Problem))
                yield msgspec.json.decode(told, type=Answered)

    def preview(self, action: str, customer: str | None = None, treatment: str = "", language: str = "") -> Preview:
        """Return a message as a customer, or else a sample person, would get it now; nothing is recorded."""
        asked = {"customer": customer or "", "treatment": treatment, "language": language}
        query = {name: value for name, value in asked.items() if value}
        return self._call("GET", f"/v1/actions/{_q(action)}/preview", Preview, query=query)

    def recommend(
        self, customer: str | None = None, anonymous: str | None = None, n: int = 10, purpose: str | None = None,
        likes: Sequence[str] = (), of: str = "", without: Sequence[str] = (), peek: bool = False,
    ) -> Recommendations:  # fmt: skip
        """Return items for a customer, each with its reason; for a `gift` by what the recipient `likes`."""
        asked = {
            "userId": customer, "anonymousId": anonymous, "n": n, "purpose": purpose, "likes": list(likes), "of": of,
            "without": list(without), "peek": peek,
        }  # fmt: skip
        return self._call("POST", "/v1/recommend", Recommendations, asked)

    def products(self) -> list[ProductInfo]:
        """Return the products that can be configured now."""
        return self._call("GET", "/v1/products", list[ProductInfo])

    def configure(
        self, product: str, choices: Mapping[str, Chosen | None] | None = None, customer: str | None = None,
        anonymous: str | None = None, complete: bool = False, configuration: str = "", keep: Sequence[str] = (),
        tell: bool = False,
    ) -> Configured:  # fmt: skip
        """Return what a partial choice of a product still can be; with `complete`, filled in for the customer.

        The choices of a saved `configuration` come before `choices`. A repair of a choice that is not possible leaves
        the options in `keep` as they are. `tell` says in an event that the customer is at it.
        """
        asked = {
            "choices": dict(choices or {}), "configuration": configuration, "keep": list(keep), "userId": customer,
            "anonymousId": anonymous, "tell": tell,
        }  # fmt: skip
        path = f"/v1/products/{_q(product)}/{'complete' if complete else 'check'}"
        return self._call("POST", path, Configured, asked)

    def save_configuration(self, product: str, choices: Mapping[str, Chosen], customer: str) -> Configuration:
        """Keep a choice of a customer under an id that can be shared; `BadRequest` where it is not possible."""
        asked = {"product": product, "choices": dict(choices), "userId": customer}
        return self._call("POST", "/v1/configurations", Configuration, asked)

    def configuration(self, id: str) -> Configuration:
        """Return a saved configuration as everybody may see it, and what it costs now."""
        return self._call("GET", f"/v1/configurations/{_q(id)}", Configuration)

    def remove_configuration(self, id: str, customer: str) -> None:
        """Take a saved configuration back for its designer: nobody sees or orders it any more. Raises `NotFound`."""
        self._call("DELETE", f"/v1/configurations/{_q(id)}", dict, query={"userId": customer})

    def order_configuration(
        self, id: str, order_id: str, customer: str, choices: Mapping[str, Chosen] | None = None
    ) -> OrderedConfiguration:
        """Order a configuration, with what it leaves open as `choices`; the same order once. `Stale` where it fails."""
        asked = {"userId": customer, "orderId": order_id, "choices": dict(choices or {})}
        return self._call("POST", f"/v1/configurations/{_q(id)}/order", OrderedConfiguration, asked)

    def configurations_of(self, customer: str) -> list[DesignInfo]:
        """Return the configurations that a customer saved, the newest first."""
        return self._call("GET", f"/v1/customers/{_q(customer)}/configurations", list[DesignInfo])

    def put_items(self, items: Iterable[Mapping[str, Any]]) -> ItemsTaken:
        """Put items on the shelf, in the place of those of the same ids; all of them or none."""
        return self._call("POST", "/v1/items", ItemsTaken, {"items": list(items)})

    def items(self, after: str = "", limit: int = 100) -> ItemsPage:
        """Return the items by id, a page at a time."""
        return self._call("GET", "/v1/items", ItemsPage, query={"after": after, "limit": str(limit)})

    def remove_item(self, item: str) -> bool:
        """Take an item off the shelf; return whether it was there."""
        return self._call("DELETE", f"/v1/items/{_q(item)}", dict[str, bool])["removed"]

    def shelf(self) -> ShelfState:
        """Return what the shelf holds and has learned."""
        return self._call("GET", "/v1/shelf", ShelfState)

    def shelf_revenue(self) -> ShelfRevenue:
        """Return what recommendations bring: what was bought after them, and what they changed."""
        return self._call("GET", "/v1/shelf/revenue", ShelfRevenue)

    def train_shelf(self) -> ShelfState:
        """Train the model of the shelf now."""
        return self._call("POST", "/v1/shelf/train", ShelfState)

    def user_token(self, user_id: str, lasts: str = "1h") -> UserToken:
        """Return a token with which a browser may ask about one user."""
        return self._call("POST", "/v1/tokens", UserToken, {"userId": user_id, "lasts": lasts})

    def forget(self, customer: str) -> None:
        """Destroy everything that is kept about a customer."""
        self._call("DELETE", f"/v1/customers/{_q(customer)}", dict)

    def status(self) -> Status:
        """Return what the hub serves, and how much."""
        return self._call("GET", "/v1/status", Status)

    def ready(self) -> bool:
        """Return whether a write is durable now; raises `BrokenStore` with the reason where not."""
        return self._call("GET", "/readyz", Healthy).status == "ready"

    def analysis(self, experiment: str, correct: str = "none") -> dict[str, Any]:
        """Return what an experiment did; `correct` is none, holm or bh, over all metrics x arms."""
        path = f"/v1/lab/experiments/{_q(experiment)}/analysis"
        return self._call("GET", path, dict[str, Any], query={"correct": correct})

    def attribution(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return who gets the credit for the conversions of the hub's customers; `spec` as `data: ledger` has it."""
        return self._call("POST", "/v1/attribution", dict[str, Any], dict(spec))

    def scores(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return a score for each of the hub's customers; `spec` as `data: customers` has it."""
        return self._call("POST", "/v1/scores", dict[str, Any], dict(spec))

    def model(self) -> dict[str, Any]:
        """Return what the model has learned."""
        return self._call("GET", "/v1/model", dict[str, Any])

    def rebuild(self, reason: str = "") -> Rebuilt:
        """Learn the model anew from the ledger alone."""
        return self._call("POST", "/v1/rebuild", Rebuilt, query={"reason": reason})

    def publish(self, author: str = "") -> Published:
        """Take the files of the hub's project folder live."""
        return self._call("POST", "/v1/publish", Published, query={"author": author})

    def diff(self) -> CatalogDiff:
        """Return what publishing would change, and for how many customers."""
        return self._call("GET", "/v1/diff", CatalogDiff)

    def rejected(self, limit: int = 1000) -> RejectedEvents:
        """Return the events that were set aside."""
        return self._call("GET", "/v1/rejected", RejectedEvents, query={"limit": str(limit)})

    def retry(self) -> Replayed:
        """Try the events that were set aside again."""
        return self._call("POST", "/v1/rejected/replay", Replayed)

    def import_files(
        self, files: Sequence[Path], map: Sequence[str] = (), source: str = "import"
    ) -> Iterator[FileImport]:
        """Take events in from files of the machine that serves; yields how far that is."""
        asked = {"files": [str(file.absolute()) for file in files], "map": list(map), "source": source}
        for line in self._transport.stream("POST", "/v1/files", msgspec.json.encode(asked)):
            if line.startswith(b'{"type"'):
                raise error_of(msgspec.json.decode(line, type=Problem))
            yield msgspec.json.decode(line, type=FileImport)

    def backup(self, file: Path) -> Backup:
        """Write a consistent copy of the store to a file of the machine that serves."""
        return self._call("POST", "/v1/backup", Backup, {"file": str(file.absolute())})

    def unjoin(self, node: str) -> None:
        """Undo a join; `node` is one that the profile lists."""
        self._call("DELETE", f"/v1/joins/{_q(node)}", dict)

    def keys(self) -> list[KeyInfo]:
        """Return every key, without its secret."""
        return self._call("GET", "/v1/keys", list[KeyInfo])

    def new_key(
        self, kind: str, name: str = "", scopes: Sequence[str] = (), origins: Sequence[str] = (),
        rate: float | None = None,
    ) -> KeyInfo:  # fmt: skip
        """Make a key: write, server or admin; its `key` is in this answer and nowhere else."""
        asked = {"kind": kind, "name": name, "scopes": list(scopes), "origins": list(origins), "rate": rate}
        return self._call("POST", "/v1/keys", KeyInfo, asked)

    def rotate_key(self, id: str) -> KeyInfo:
        """Make a key like this one, and revoke this one."""
        return self._call("POST", f"/v1/keys/{_q(id)}/rotate", KeyInfo)

    def revoke_key(self, id: str) -> KeyInfo:
        """Revoke a key; it stops working at once."""
        return self._call("DELETE", f"/v1/keys/{_q(id)}", KeyInfo)

    def webhooks(self) -> list[WebhookInfo]:
        """Return the webhook subscriptions."""
        return self._call("GET", "/v1/webhooks", list[WebhookInfo])

    def new_webhook(self, url: str, placements: Sequence[str]) -> WebhookInfo:
        """Subscribe a URL to changed answers; the secret that signs them is in this answer only."""
        return self._call("POST", "/v1/webhooks", WebhookInfo, {"url": url, "placements": list(placements)})

    def remove_webhook(self, id: str) -> None:
        """End a subscription."""
        self._call("DELETE", f"/v1/webhooks/{_q(id)}", dict)

    def care(self, since: str = "", until: str = "", by: str = "") -> CareReport:
        """Return the care score, by default of the last 90 days; `by` is channel, action or issue."""
        query = {key: text for key, text in (("since", since), ("until", until), ("by", by)) if text}
        return self._call("GET", "/v1/care", CareReport, query=query)

    def correct(self, customer: str, name: str, value: Value = None, remove: bool = False, says: str = "") -> Profile:
        """Take a customer's word that a trait is another one, or (`remove`) wrong; return what is known then."""
        body = {"name": name, "value": value, "remove": remove, "says": says}
        return self._call("POST", f"/v1/customers/{_q(customer)}/corrections", Profile, body)

    def outbox(self) -> OutboxState:
        """Return what waits to leave, what became of the rest, and what keeps channels from sending."""
        return self._call("GET", "/v1/outbox", OutboxState)

    def messages(self, state: str = "dead", after: str = "", limit: int = 100) -> list[WaitingMessage]:
        """Return messages in a state: waiting, sending, in_doubt, dead or suppressed."""
        query = {"state": state, "after": after, "limit": str(limit)}
        return self._call("GET", "/v1/outbox/messages", list[WaitingMessage], query=query)

    def send_due(self, seconds: float = 60.0) -> OutboxState:
        """Send what is due; returns when nothing due is left, or after so many seconds."""
        return self._call("POST", "/v1/outbox/send", OutboxState, query={"seconds": str(seconds)})

    def print_letters(self) -> list[LetterJob]:
        """Make print jobs of the letters that wait: one file and one job sheet per channel."""
        return self._call("POST", "/v1/outbox/letters", list[LetterJob])

    def send_again(self, key: str) -> None:
        """Try a message once more that is dead or in doubt."""
        self._call("POST", f"/v1/outbox/messages/{_q(key)}/again", dict)

    def sent_after_all(self, key: str) -> None:
        """Say that a message in doubt did arrive."""
        self._call("POST", f"/v1/outbox/messages/{_q(key)}/sent", dict)

    def pause(self, channel: str, flow: str = "*", why: str = "") -> OutboxState:
        """Let a flow, or a whole channel, send nothing until it is resumed."""
        return self._call("POST", "/v1/outbox/pause", OutboxState, {"channel": channel, "flow": flow, "why": why})

    def resume(self, channel: str, flow: str = "*") -> OutboxState:
        """Let a flow, or a whole channel, go on."""
        return self._call("POST", "/v1/outbox/resume", OutboxState, {"channel": channel, "flow": flow})

    def triggers(self) -> list[TriggerInfo]:
        """Return the triggers, and what became of each."""
        return self._call("GET", "/v1/triggers", list[TriggerInfo])

    def outbound_runs(self) -> list[RunInfo]:
        """Return the outbound runs, and how far each is."""
        return self._call("GET", "/v1/outbound", list[RunInfo])

    def outbound(self, name: str, wait: float = 0.0) -> RunInfo:
        """Return how far an outbound run is, once there is nothing to do now or after `wait` seconds (20 at most)."""
        return self._call("GET", f"/v1/outbound/{_q(name)}", RunInfo, query={"wait": f"{wait:g}"})

    def run_outbound(self, name: str, dry_run: bool = False, engine: str = "hub") -> RunInfo:
        """Begin an outbound run, or a dry one, which leaves no trace: its result is the `dry` of `outbound`."""
        asked = {"dryRun": dry_run, "engine": engine}
        return self._call("POST", f"/v1/outbound/{_q(name)}/run", RunInfo, asked)

    def pause_outbound(self, name: str) -> RunInfo:
        """Let an outbound run decide and send nothing until it is resumed."""
        return self._call("POST", f"/v1/outbound/{_q(name)}/pause", RunInfo)

    def resume_outbound(self, name: str) -> RunInfo:
        """Let an outbound run go on where it was."""
        return self._call("POST", f"/v1/outbound/{_q(name)}/resume", RunInfo)

    def stop_outbound(self, name: str) -> RunInfo:
        """End an outbound run for good; messages of it that did not leave yet are taken back."""
        return self._call("POST", f"/v1/outbound/{_q(name)}/stop", RunInfo)

    def redeem(
        self, code: str, order_id: str, customer: str | None = None, amount: float | None = None,
        items: Sequence[Mapping[str, Any]] = (), ip: str | None = None, peek: bool = False,
    ) -> Redemption:  # fmt: skip
        """Redeem a code for an order, once; an item has `price`, `quantity` and `properties`.

        `NotFound` for a code that there is not, `Stale` with the reason for one that cannot be redeemed.
        """
        asked = {"code": code, "orderId": order_id, "userId": customer, "amount": amount, "items": list(items),
                 "ip": ip, "peek": peek}  # fmt: skip
        return self._call("POST", "/v1/coupons/redeem", Redemption, asked)

    def release_coupon(
        self, code: str, order_id: str, amount: float | None = None, items: Sequence[Mapping[str, Any]] = ()
    ) -> Redemption:
        """Say that an order was returned; with `amount` or `items` that much of it was kept."""
        asked = {"code": code, "orderId": order_id, "amount": amount, "items": list(items)}
        return self._call("POST", "/v1/coupons/release", Redemption, asked)

    def issue_coupon(self, coupon: str, customer: str, reference: str) -> CodeInfo:
        """Make a code for a customer; the same reference has the same code."""
        asked = {"userId": customer, "reference": reference}
        return self._call("POST", f"/v1/coupons/{_q(coupon)}/issue", CodeInfo, asked)

    def new_codes(self, coupon: str, count: int) -> list[str]:
        """Make many codes; they are in this answer and nowhere else."""
        return self._call("POST", f"/v1/coupons/{_q(coupon)}/codes", NewCodes, {"count": count}).codes

    def code(self, code: str) -> CodeInfo:
        """Return what became of a code."""
        return self._call("POST", "/v1/coupons/show", CodeInfo, {"code": code})

    def withdraw_code(self, code: str) -> bool:
        """End a code; return whether it was open."""
        return self._call("POST", "/v1/coupons/withdraw", dict[str, bool], {"code": code})["withdrawn"]

    def coupons(self) -> list[CouponInfo]:
        """Return the coupons, and what became of each."""
        return self._call("GET", "/v1/coupons", list[CouponInfo])

    def codes_of(self, customer: str) -> list[CodeInfo]:
        """Return the codes that were made for a customer."""
        return self._call("GET", f"/v1/customers/{_q(customer)}/coupons", list[CodeInfo])

    def points(self, customer: str) -> PointsInfo:
        """Return where a customer stands: points, tier, and what ends soon."""
        return self._call("GET", f"/v1/customers/{_q(customer)}/points", PointsInfo)

    def statement(self, customer: str, after: int = 0, limit: int = 100) -> list[StatementLine]:
        """Return a page of a customer's account, the oldest line first."""
        query = {"after": str(after), "limit": str(limit)}
        return self._call("GET", f"/v1/customers/{_q(customer)}/points/statement", list[StatementLine], query=query)

    def spend_points(self, customer: str, points: int, id: str) -> PointsMoved:
        """Spend points, all or none, once for each id; `Stale` where there are too few."""
        return self._call("POST", "/v1/points/spend", PointsMoved, {"userId": customer, "points": points, "id": id})

    def reverse_points(self, customer: str, what: str, of: str, id: str, points: int | None = None) -> PointsMoved:
        """Give points back that were `spent` under the id `of`, or take back those `earned` by the order `of`."""
        asked = {"userId": customer, "what": what, "of": of, "id": id, "points": points}
        return self._call("POST", "/v1/points/reverse", PointsMoved, asked)

    def subscribe_rental(self, customer: str, plan: str, tier: str) -> bool:
        """Give a customer a tier of a rental plan, or another one from now on; return whether that is news."""
        asked = {"userId": customer, "plan": plan, "tier": tier}
        return self._call("POST", "/v1/rentals/subscribe", Changed, asked).changed

    def pause_rental(self, customer: str, plan: str, until: datetime | None = None) -> bool:
        """Send a customer nothing of a plan before an instant, or until it is resumed; `NotFound`: no subscription."""
        asked = {"userId": customer, "plan": plan, "until": until}
        return self._call("POST", "/v1/rentals/pause", Changed, asked).changed

    def resume_rental(self, customer: str, plan: str) -> bool:
        """Let a subscription that is paused go on; return whether it was."""
        return self._call("POST", "/v1/rentals/resume", Changed, {"userId": customer, "plan": plan}).changed

    def cancel_rental(self, customer: str, plan: str) -> bool:
        """End a subscription; `Stale` while anything of it is out."""
        return self._call("POST", "/v1/rentals/cancel", Changed, {"userId": customer, "plan": plan}).changed

    def rental_list(self, customer: str, plan: str, after: int = 0, limit: int = 100) -> RentalList:
        """Return a page of the list of a customer."""
        asked = {"userId": customer, "plan": plan, "after": after, "limit": limit}
        return self._call("POST", "/v1/rentals/list", RentalList, asked)

    def change_rental_list(
        self, customer: str, plan: str, add: Sequence[str] = (), remove: Sequence[str] = (),
        put: Sequence[str] | None = None, place: int | None = None,
    ) -> RentalList:  # fmt: skip
        """Replace a list by `put`, then `remove`, then `add` (or move) to a place; return its first page then."""
        asked = {"userId": customer, "plan": plan, "add": list(add), "remove": list(remove),
                 "put": None if put is None else list(put), "place": place}  # fmt: skip
        return self._call("POST", "/v1/rentals/list", RentalList, asked)

    def next_rental(self, customer: str, plan: str) -> NextItem:
        """Return what would be sent to a customer now, or why nothing."""
        return self._call("POST", "/v1/rentals/next", NextItem, {"userId": customer, "plan": plan})

    def suggest_rentals(self, customer: str, plan: str, n: int = 10) -> Recommendations:
        """Return items of the plan for a list, that are not on it."""
        asked = {"userId": customer, "plan": plan, "n": n}
        return self._call("POST", "/v1/rentals/suggest", Recommendations, asked)

    def send_rental(self, customer: str, plan: str, id: str) -> SentItem:
        """Send the next item to a customer; the same id sends once."""
        return self._call("POST", "/v1/rentals/send", SentItem, {"userId": customer, "plan": plan, "id": id})

    def ship_rentals(self, batch: str, limit: int = 100) -> ShippedBatch:
        """Send to everybody whose turn it is; the same batch is sent once, and asked again it is what it was."""
        return self._call("POST", "/v1/rentals/ship", ShippedBatch, {"batch": batch, "limit": limit})

    def return_rental(self, rental: int | None = None, copy: str = "", id: str = "") -> RentalInfo:
        """Say that a rental came back, or a copy, whoever had it, once for each id; `Stale` where it was kept."""
        return self._call("POST", "/v1/rentals/returns", RentalInfo, {"rental": rental, "copy": copy, "id": id})

    def lose_rental(self, rental: int) -> RentalInfo:
        """Say that an item will not come back."""
        return self._call("POST", "/v1/rentals/lost", RentalInfo, {"rental": rental})

    def keep_rental(self, rental: int, price: float | None = None) -> RentalInfo:
        """Say that a customer buys what they have, at the item's price or another one."""
        return self._call("POST", "/v1/rentals/keep", RentalInfo, {"rental": rental, "price": price})

    def swap_rental(self, rental: int) -> Swapped:
        """Take an item back and send the next one in its place; once for each rental."""
        return self._call("POST", "/v1/rentals/swap", Swapped, {"rental": rental})

    def add_copies(self, item: str, copies: Sequence[str] = (), count: int = 0) -> ItemCopies:
        """Let there be copies of an item for renting: those named, and ITEM#1 to ITEM#count."""
        asked = {"item": item, "copies": list(copies), "count": count}
        return self._call("POST", "/v1/rentals/copies", ItemCopies, asked)

    def copies(self, item: str) -> ItemCopies:
        """Return how many copies of an item there are, and where."""
        return self._call("GET", f"/v1/rentals/items/{_q(item)}", ItemCopies)

    def retire_copy(self, copy: str) -> bool:
        """Take a copy that is in away for good; `Stale` while it is out."""
        return self._call("POST", "/v1/rentals/copies/retire", Changed, {"copy": copy}).changed

    def rest_copy(self, copy: str, until: datetime) -> bool:
        """Do not send a copy that is in before an instant."""
        return self._call("POST", "/v1/rentals/copies/rest", Changed, {"copy": copy, "until": until}).changed

    def rentals(self, customer: str) -> list[Subscription]:
        """Return what a customer has of each rental plan."""
        return self._call("GET", f"/v1/customers/{_q(customer)}/rentals", list[Subscription])

    def rental_statement(self, customer: str, after: int = 0, limit: int = 100) -> list[RentalLine]:
        """Return a page of a customer's subscriptions and rentals, the oldest line first."""
        query = {"after": str(after), "limit": str(limit)}
        return self._call("GET", f"/v1/customers/{_q(customer)}/rentals/statement", list[RentalLine], query=query)

    def lab_status(self) -> LabStatus:
        """Return how experiments stand, and what learns freely and what waits for a person."""
        return self._call("GET", "/v1/lab", LabStatus)

    def experiment(self, name: str) -> ExperimentInfo:
        """Return how an experiment stands."""
        return self._call("GET", f"/v1/lab/experiments/{_q(name)}", ExperimentInfo)

    def experiment_looks(self, name: str) -> list[LabLook]:
        """Return every look at the latest run of an experiment, in order of time."""
        return self._call("GET", f"/v1/lab/experiments/{_q(name)}/looks", list[LabLook])

    def experiment_outlook(self, name: str) -> OutlookInfo:
        """Return what a test takes, by what its metric was before."""
        return self._call("GET", f"/v1/lab/experiments/{_q(name)}/outlook", OutlookInfo)

    def look_at_experiment(self, name: str, by: str) -> ExperimentInfo:
        """Look at an experiment now, and keep what is seen; what does harm is stopped."""
        return self._lab(name, "look", {"by": by})

    def start_experiment(self, name: str, by: str, reason: str = "", share: float | None = None) -> StartedInfo:
        """Start an experiment, or let a paused one go on."""
        asked = {"by": by, "reason": reason, "share": share}
        return self._call("POST", f"/v1/lab/experiments/{_q(name)}/start", StartedInfo, asked)

    def pause_experiment(self, name: str, by: str, reason: str = "") -> ExperimentInfo:
        """Let nobody be in an experiment until it is started again."""
        return self._lab(name, "pause", {"by": by, "reason": reason})

    def stop_experiment(self, name: str, by: str, reason: str = "", arm: str = "") -> ExperimentInfo:
        """End an experiment, an arm of it, or what was rolled out."""
        return self._lab(name, "stop", {"by": by, "reason": reason, "arm": arm})

    def share_experiment(self, name: str, share: float, by: str, reason: str = "") -> ExperimentInfo:
        """Let more customers into an experiment, or no more than before."""
        return self._lab(name, "share", {"by": by, "reason": reason, "share": share})

    def decide_experiment(self, name: str, by: str, arm: str = "", reason: str = "") -> Decided:
        """Roll an arm out if the gate lets it pass, or keep control (no arm)."""
        asked = {"by": by, "arm": arm, "reason": reason}
        return self._call("POST", f"/v1/lab/experiments/{_q(name)}/decide", Decided, asked)

    def hypotheses(self) -> list[HypothesisInfo]:
        """Return every hypothesis with its evidence, parents before children."""
        return self._call("GET", "/v1/lab/hypotheses", list[HypothesisInfo])

    def next_test(self, hypothesis: str) -> NextTest:
        """Return what to test next in place of a hypothesis, as YAML to begin from."""
        return self._call("GET", f"/v1/lab/hypotheses/{_q(hypothesis)}/next", NextTest)

    def holdouts(self) -> Holdouts:
        """Return every holdout: its members, what leaked, what it shows, and whether wins add up to the whole."""
        return self._call("GET", "/v1/lab/holdouts", Holdouts)

    def standing_arms(self, days: int = 28) -> list[PartInfo]:
        """Return what each part of the brain added over the last days, by the arms that go without it."""
        return self._call("GET", "/v1/lab/arms", list[PartInfo], query={"days": str(days)})

    def _lab(self, name: str, what: str, asked: dict[str, Any]) -> ExperimentInfo:
        return self._call("POST", f"/v1/lab/experiments/{_q(name)}/{what}", ExperimentInfo, asked)

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
        return cast(T, data) if gives is bytes else msgspec.json.decode(data, type=gives)


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


def _q(text: str) -> str:
    return quote(text, safe="")
