"""What can happen to a customer of the simulated company: each function yields the messages of one happening, in
Segment's JSON, changes the customer's state with it, and may plan what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import log
from typing import TYPE_CHECKING, Any

from opportune.clock import DAY, MINUTE, SECOND
from opportune.simulate.population import PRICES, State
from opportune.simulate.truth import PLANS, Person

if TYPE_CHECKING:
    from opportune.simulate.company import Company

Message = dict[str, Any]
Happening = Callable[["Company", int, Person, State, Any], Iterator[Message]]

def _join(company: Company, at: int, person: Person, state: State, detail: Any) -> Iterator[Message]:
    state.here = True
    traits = {
        "tenure_months": person.tenure,
        "plan": person.plan,
        "lines": person.lines,
        "has_tv": person.has_tv,
        "autopay": person.autopay,
        "balance_due": 0,
        "complaints_open": 0,
        "outage_in_area": False,
        "region": person.region,
    }
    yield company.message(at, person.id, "identify", traits=traits)
    for channel, share in (("email", 0.6), ("sms", 0.3), ("push", 0.4)):
        status = "granted" if company.truth.uniform("consent", person.id, channel) < share else "refused"
        yield _consent(company, at, person, channel, status)


def _consent(company: Company, at: int, person: Person, channel: str, status: str) -> Message:
    said = {"channel": channel, "purpose": "marketing", "status": status}
    return company.track(at, person.id, "Consent Updated", said)


def _visit(company: Company, at: int, person: Person, state: State, detail: list[float]) -> Iterator[Message]:
    in_app, curious, anonymous = detail
    if in_app < 0.45:
        yield company.message(at, person.id, "screen", name="home", context={"device": {"type": "phone"}})
        return
    if anonymous < 0.1:
        visitor = f"anon-{person.id}-{at}"
        page = company.message(at, person.id, "page", anonymousId=visitor, name="home", properties={"path": "/"})
        yield {key: value for key, value in page.items() if key != "userId"}
        company.plan(at + 20 * SECOND, person.id, "login", visitor)
    else:
        yield from _page(company, at, person, state, "home")
    if curious < 0.3:
        company.plan(at + 40 * SECOND, person.id, "page", "phones" if curious < 0.12 else "account")


def _login(company: Company, at: int, person: Person, state: State, detail: str) -> Iterator[Message]:
    yield company.message(at, person.id, "identify", anonymousId=detail, traits={"plan": person.plan})


def _page(company: Company, at: int, person: Person, state: State, detail: str) -> Iterator[Message]:
    yield company.message(at, person.id, "page", name=detail, properties={"path": f"/{detail}"})


def _order(company: Company, at: int, person: Person, state: State, detail: list[float]) -> Iterator[Message]:
    product = f"plan_{person.plan}" if detail[0] < 0.6 else "phone" if detail[0] < 0.7 else "extra_data"
    revenue = {"phone": 240.0, "extra_data": 5.0}.get(product, PRICES[person.plan] or 5.0)
    properties = {"orderId": f"o-{person.id}-{at}", "revenue": round(revenue * (0.8 + 0.4 * detail[1]), 2)}
    yield company.track(at, person.id, "Order Completed", {**properties, "product": product})


def _cancel(company: Company, at: int, person: Person, state: State, detail: list[float]) -> Iterator[Message]:
    """Two or three looks at the way out, minutes apart; two days later the customer has decided."""
    if not state.leaving:
        state.leaving, state.kept = True, False
        yield from _page(company, at, person, state, "cancel")
        for look in range(1 + (detail[0] < 0.5)):
            company.plan(at + int((look + 1 + detail[1]) * 4 * MINUTE), person.id, "page", "cancel")
        company.plan(at + 2 * DAY, person.id, "decide", detail[2])


def _decide(company: Company, at: int, person: Person, state: State, detail: float) -> Iterator[Message]:
    state.leaving = False
    if state.kept or detail < 0.5:
        yield company.track(at, person.id, "Plan Kept", {"plan": person.plan})
    else:
        state.gone = True
        yield company.track(at, person.id, "Plan Cancelled", {"plan": person.plan})


def _data(company: Company, at: int, person: Person, state: State, detail: list[float]) -> Iterator[Message]:
    appetite = 0.6 + 0.5 * PLANS.index(person.plan)
    yield company.track(at, person.id, "Data Used", {"gigabytes": round(appetite * _exponential(detail[0]), 2)})


def _complain(company: Company, at: int, person: Person, state: State, detail: list[float]) -> Iterator[Message]:
    state.complaints += 1
    yield company.track(at, person.id, "Complaint Opened", {"about": "network" if detail[0] < 0.5 else "bill"})
    yield company.message(at, person.id, "identify", traits={"complaints_open": state.complaints})
    company.plan(at + int((0.2 + 3 * _exponential(detail[1])) * DAY), person.id, "settle")


def _settle(company: Company, at: int, person: Person, state: State, detail: Any) -> Iterator[Message]:
    state.complaints -= 1
    yield company.track(at, person.id, "Complaint Closed", {})
    yield company.message(at, person.id, "identify", traits={"complaints_open": state.complaints})


def _fail_to_pay(company: Company, at: int, person: Person, state: State, detail: list[float]) -> Iterator[Message]:
    if state.balance == 0:
        state.balance = PRICES[person.plan] or 5.0
        yield company.track(at, person.id, "Payment Failed", {"amount": state.balance})
        yield company.message(at, person.id, "identify", traits={"balance_due": state.balance})
        company.plan(at + int((1 + 9 * detail[0]) * DAY), person.id, "pay")


def _pay(company: Company, at: int, person: Person, state: State, detail: Any) -> Iterator[Message]:
    yield company.track(at, person.id, "Payment Completed", {"amount": state.balance})
    state.balance = 0.0
    yield company.message(at, person.id, "identify", traits={"balance_due": 0})


def _outage(company: Company, at: int, person: Person, state: State, detail: bool) -> Iterator[Message]:
    state.outage = detail
    yield company.message(at, person.id, "identify", traits={"outage_in_area": detail})


def _birthday(company: Company, at: int, person: Person, state: State, detail: Any) -> Iterator[Message]:
    yield company.message(at, person.id, "identify", traits={"tenure_months": company.tenure(person, at)})


def _said(company: Company, at: int, person: Person, state: State, detail: tuple[str, Any]) -> Iterator[Message]:
    yield company.track(at, person.id, *detail)


HAPPENINGS: dict[str, Happening] = {
    "join": _join,
    "visit": _visit,
    "login": _login,
    "page": _page,
    "order": _order,
    "cancel": _cancel,
    "decide": _decide,
    "data": _data,
    "complain": _complain,
    "settle": _settle,
    "fail_to_pay": _fail_to_pay,
    "pay": _pay,
    "outage": _outage,
    "birthday": _birthday,
    "track": _said,
}



def _exponential(u: float) -> float:
    """Return an exponential draw of mean 1 from a uniform one."""
    return -log(1 - u)
