"""What a customer is told, chose and is owed goes with them, and comes along when they ask for everything."""

from __future__ import annotations

from pathlib import Path

from smtp_mailbox import Mailbox
from test_messages_leave import Shop, wait_for

CANARY = "canary-51c9e2"


def test_a_forgotten_customers_canaries_are_in_no_file(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    try:
        client = shop.client
        shop.welcome("other")
        shop.welcome(CANARY, first_name=f"{CANARY}-name", phone=f"{CANARY}-phone")
        client.ingest([
            {"type": "track", "userId": CANARY, "event": "Consent Updated", "properties": {
                "purpose": "marketing", "channel": "sms", "status": "granted", "wording": f"{CANARY}-wording"}},
            {"type": "track", "userId": CANARY, "event": "Frequency Chosen", "properties": {
                "channel": "email", "at_most": 5, "in": "7d"}},
        ])  # fmt: skip
        shop.say(CANARY)
        wait_for(lambda: [mail for mail in shop.mailbox.mails if CANARY in mail["To"]])
        shop.mailbox.says = lambda mail: Mailbox.HANG_UP if CANARY in mail["To"] else None
        shop.say(CANARY)
        wait_for(lambda: client.messages("in_doubt"))
        client.pause("email", why="so that one waits")
        shop.say(CANARY, "email.note")
        told = client.export(CANARY)
        assert {m["state"] for m in told.messages} == {"in_doubt", "waiting"}
        assert {(c["channel"], c["status"]) for c in told.consents} == {("email", "granted"), ("sms", "granted")}
        assert any(CANARY in str(word) for c in told.consents for word in c["history"])
        client.forget(CANARY)
        client.resume("email")
        assert not client.messages("in_doubt")
        assert not client.messages("waiting")
        shop.say("other")
        wait_for(lambda: [mail for mail in shop.mailbox.mails if "other" in mail["To"]])
        assert len([mail for mail in shop.mailbox.mails if CANARY in mail["To"]]) == 2, "the one that waited is gone"
    finally:
        shop.close()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path


def test_consent_is_shown_word_by_word_and_signed(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    try:
        shop.welcome("ana")
        shop.client.ingest({"type": "track", "userId": "ana", "event": "Consent Updated", "properties": {
            "purpose": "marketing", "channel": "email", "status": "withdrawn"}})  # fmt: skip
        [record] = shop.client.consents("ana")
        assert [word["status"] for word in record["history"]] == ["granted", "withdrawn"]
        assert record["status"] == "withdrawn"
        [receipt] = shop.client.consents("ana", receipts=True)
        assert receipt["record"]["recordId"] == record["recordId"]
        assert len(receipt["signature"]) > 40
    finally:
        shop.close()
