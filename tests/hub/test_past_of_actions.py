"""How an action came to be: catalogs that went live past the overlay, versions of it, and the first of all."""

from __future__ import annotations

from typing import Any

from opportune import Hub
from opportune.clock import DAY
from opportune.ledger.ledger import WENT_LIVE
from opportune.services.overlaid import Overlay, lay
from opportune.services.past import IN_BETWEEN, past
from opportune.testing import FakeClock, tiny_action, tiny_catalog
from opportune.wire.steering import ChangeTold


def found(hub: Hub, name: str = "hello") -> list[ChangeTold]:
    return next(told for told in past(hub, hub.plan.action(name)) if told is not None)


def catalog(value: float, *others: str) -> Any:
    return tiny_catalog(actions=[tiny_action("hello", value=value), *(tiny_action(name) for name in others)])


def test_every_change_is_told_with_who_made_it_and_when() -> None:
    clock = FakeClock()
    hub = Hub.of(catalog(4), clock=clock)
    clock.advance(DAY)
    hub.publish(catalog(2, "other"), "bea")
    clock.advance(DAY)
    overlay = Overlay(hub)
    draft = overlay.setting({"actions.hello.lever": 20.0}, "ana", "it sells")
    overlay.apply(draft, lay(draft))
    clock.advance(DAY)
    hub.publish(catalog(3, "other"), "cem")

    told = found(hub)
    assert [(one.version, one.author, one.text) for one in told] == [
        (0, "cem", "actions.hello.lever: 20 -> the default"),
        (0, "cem", "actions.hello.value: 2 -> 3"),
        (1, "ana", "actions.hello.lever: the default -> 20"),
        (0, "bea", "actions.hello.value: 4 -> 2"),
        (0, "", "actions.hello: went live"),
    ]
    assert told[2].reason == "it sells"
    assert [one.at for one in told] == sorted((one.at for one in told), reverse=True)
    assert [(one.author, one.text) for one in found(hub, "other")] == [("bea", "actions.other: added")]


def test_levers_of_its_issue_are_changes_of_an_action_and_those_of_others_are_not() -> None:
    actions = [tiny_action("hello"), tiny_action("stay", issue="retain")]
    hub = Hub.of(tiny_catalog(actions=actions, levers={"grow": 5}), clock=FakeClock())
    hub.publish(tiny_catalog(actions=actions, levers={"grow": 10, "retain": 30}), "bea")
    assert [one.text for one in found(hub)] == ["levers.grow: 5 -> 10", "actions.hello: went live"]


def test_it_is_the_same_after_a_restart(tmp_path: Any) -> None:
    clock, store = FakeClock(), f"sqlite:///{tmp_path}/hub.db"
    with Hub.of(catalog(1), store, clock) as hub:
        hub.publish(catalog(2), "bea")
        before = found(hub)
    with Hub.of(catalog(2), store, clock) as again:
        assert found(again) == before
        assert len(before) == 2


def test_a_hub_of_an_old_version_tells_what_it_knows_and_blames_nobody() -> None:
    """Which catalogs went live was not kept once: only the first and the live one were known."""
    hub = Hub.of(catalog(5), clock=FakeClock())
    hub.publish(catalog(2), "bea")
    hub.publish(catalog(3), "cem")
    live = hub.store.table("live")
    live.delete([key for key, _ in live.scan(WENT_LIVE)])
    told = found(hub)
    assert [(one.author, one.text) for one in told] == [
        ("", "actions.hello.value: 5 -> 3"), ("", "actions.hello: went live"),
    ]  # fmt: skip
    assert told[0].reason == IN_BETWEEN

    hub.publish(catalog(4), "dan")
    assert [(one.author, one.text) for one in found(hub)] == [
        ("dan", "actions.hello.value: 3 -> 4"),
        ("", "actions.hello.value: 5 -> 3"), ("", "actions.hello: went live"),
    ]  # fmt: skip
