"""What providers post, in the form of their own documentation, and who opens and clicks."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.clock import SECOND, parse_instant
from opportune.deliver.carriers.mime import message_id
from opportune.deliver.feedback.actors import Signs, actor_of
from opportune.deliver.feedback.heard import Heard, SendKey, event_of, send_key
from opportune.deliver.feedback.keywords import keyword
from opportune.deliver.feedback.providers import PROVIDERS, Notice, confirmation, read_notice
from opportune.errors import BadInput

KEY = "01JZ:more_data:email"
ID = message_id(KEY, "acme.example")
NOON = "2026-01-02T12:00:00Z"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"
LANGUAGE = {"accept-language": "de", "sec-fetch-mode": "navigate"}


def heard(provider: str, body: Any, **query: str) -> list[Heard]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_notice(provider, Notice(raw, query)).heard


def sns(message: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "n-1", "TopicArn": "arn:aws:sns:x", "Message": json.dumps(message)}


def ses(kind: str, **about: Any) -> dict[str, Any]:
    headers = [{"name": "From", "value": "a@b"}, {"name": "X-Opportune-Key", "value": KEY}]
    return sns({"eventType": kind, "mail": {"messageId": "s-1", "headers": headers}, kind.lower(): about})


SENDGRID = {"sg_event_id": "e-1", "timestamp": parse_instant(NOON) // SECOND, "smtp-id": ID}
POSTMARK = {"MessageID": "p-1", "Metadata": {"opportune_key": KEY}}
MAILGUN = {"id": "m-1", "timestamp": parse_instant(NOON) / SECOND,
           "message": {"headers": {"message-id": ID.strip("<>")}}}  # fmt: skip
RESEND = {"email_id": "r-1", "headers": [{"name": "X-Opportune-Key", "value": KEY}]}

TOLD: list[tuple[str, Any, dict[str, Any]]] = [
    ("generic", {"event": "bounced", "messageId": ID, "reason": "gone"}, {"what": "bounced", "kind": "hard"}),
    ("generic", [{"event": "bounced", "key": KEY, "kind": "soft", "at": NOON}],
     {"kind": "soft", "at": parse_instant(NOON)}),
    ("sendgrid", [{**SENDGRID, "event": "bounce", "type": "bounce", "reason": "no"}], {"reason": "no", "kind": "hard"}),
    ("sendgrid", [{**SENDGRID, "event": "bounce", "type": "blocked"}], {"what": "bounced", "kind": "soft"}),
    ("sendgrid", [{**SENDGRID, "event": "dropped", "reason": "Bounced Address"}], {"what": "bounced", "kind": "hard"}),
    ("sendgrid", [{**SENDGRID, "event": "open", "sg_machine_open": True}], {"what": "opened", "machine": True}),
    ("sendgrid", [{**SENDGRID, "event": "click", "url": "https://a.example/"}], {"what": "clicked", "machine": None}),
    ("sendgrid", [{**SENDGRID, "event": "spamreport"}], {"what": "complained", "at": parse_instant(NOON)}),
    ("sendgrid", [{**SENDGRID, "event": "group_unsubscribe"}], {"what": "unsubscribed"}),
    ("postmark", {**POSTMARK, "RecordType": "Bounce", "Type": "HardBounce", "BouncedAt": NOON}, {"kind": "hard"}),
    ("postmark", {**POSTMARK, "RecordType": "Bounce", "Type": "Transient"}, {"what": "bounced", "kind": "soft"}),
    ("postmark", {**POSTMARK, "RecordType": "SpamComplaint"}, {"what": "complained", "kind": ""}),
    ("postmark", {**POSTMARK, "RecordType": "SubscriptionChange", "SuppressSending": True, "Origin": "Recipient"},
     {"what": "unsubscribed"}),
    ("mailgun", {"event-data": {**MAILGUN, "event": "failed", "severity": "permanent"}}, {"kind": "hard"}),
    ("mailgun", {"event-data": {**MAILGUN, "event": "failed", "severity": "temporary"}}, {"kind": "soft"}),
    ("mailgun", {"event-data": {**MAILGUN, "event": "opened", "client-info": {"bot": "apple"}}}, {"machine": True}),
    ("mailgun", {"event-data": {**MAILGUN, "event": "opened", "client-info": {"bot": ""}}}, {"machine": False}),
    ("resend", {"type": "email.bounced", "created_at": NOON, "data": {**RESEND, "bounce": {"type": "Permanent"}}},
     {"what": "bounced", "kind": "hard"}),
    ("resend", {"type": "email.clicked", "data": {**RESEND, "click": {"link": "https://a.example/"}}},
     {"what": "clicked", "url": "https://a.example/"}),
    ("ses", ses("Bounce", bounceType="Permanent", timestamp=NOON, bouncedRecipients=[{"diagnosticCode": "550"}]),
     {"what": "bounced", "kind": "hard", "reason": "550", "at": parse_instant(NOON)}),
    ("ses", ses("Bounce", bounceType="Transient"), {"kind": "soft"}),
    ("ses", ses("Complaint", complaintFeedbackType="abuse"), {"what": "complained"}),
    ("ses", ses("Click", link="https://a.example/", userAgent=CHROME), {"what": "clicked", "agent": CHROME}),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "body", "expected"), TOLD)
def test_each_provider_is_understood(provider: str, body: Any, expected: dict[str, Any]) -> None:
    (one,) = heard(provider, body)
    assert send_key(one.key) == ("01JZ", "more_data", "email")
    assert {name: getattr(one, name) for name in expected} == expected
    assert heard(provider, body) == [one], "what is told twice is the same"


@pytest.mark.parametrize(("provider", "body"), [
    ("sendgrid", [{**SENDGRID, "event": "processed"}, {**SENDGRID, "event": "dropped", "reason": "Unsubscribed"}]),
    ("postmark", {**POSTMARK, "RecordType": "SubscriptionChange", "SuppressSending": False}),
    ("postmark", {**POSTMARK, "RecordType": "Bounce", "Type": "AutoResponder"}),
    ("mailgun", {"event-data": {**MAILGUN, "event": "accepted"}}),
    ("resend", {"type": "email.sent", "data": RESEND}),
    ("ses", ses("Send")),
    ("ses", ses("Complaint", complaintFeedbackType="not-spam")),
    ("twilio", urlencode({"MessageSid": "S", "MessageStatus": "sent"}).encode()),
])  # fmt: skip
def test_what_says_nothing_is_left_out(provider: str, body: Any) -> None:
    assert heard(provider, body) == []


def test_twilio() -> None:
    def status(**form: str) -> Heard:
        (one,) = heard("twilio", urlencode({"MessageSid": "S", **form}).encode(), message="01JZ:more_data:sms")
        return one

    assert status(MessageStatus="delivered").what == "delivered"
    assert status(MessageStatus="undelivered", ErrorCode="30003").kind == "soft"
    assert status(MessageStatus="failed", ErrorCode="30006").kind == "hard"
    assert status(MessageStatus="failed", ErrorCode="21610").what == "unsubscribed"
    reply = status(Body="Stop", From="+4915112345678")
    assert (reply.what, reply.address, reply.text) == ("replied", "+4915112345678", "Stop")
    assert status(MessageStatus="delivered").id != status(MessageStatus="failed").id


BOUNCE = f"""From: MAILER-DAEMON@mx.example
To: bounces@acme.example
Message-ID: <b1@mx.example>
Date: Fri, 02 Jan 2026 12:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="x"

--x
Content-Type: text/plain

It did not work.
--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; maya@example.com
Action: ACTION
Status: STATUS
Diagnostic-Code: smtp; 550 User
 unknown

--x
Content-Type: ORIGINAL

From: hello@acme.example
Message-ID: {ID}
Subject: More data

--x--
"""


@pytest.mark.parametrize("original", ["message/rfc822", "text/rfc822-headers"])
@pytest.mark.parametrize(("action", "status", "what"), [
    ("failed", "5.1.1", ("bounced", "hard")), ("failed", "5.2.2 (full)", ("bounced", "soft")),
    ("failed", "5.2.1", ("bounced", "hard")), ("failed", "5.7.1", ("bounced", "soft")),
    ("failed", "5.0.0", ("bounced", "hard")), ("failed", "4.4.1", ("bounced", "soft")),
    ("delivered", "2.0.0", ("delivered", "")), ("delayed", "4.4.1", None),
])  # fmt: skip
def test_a_bounce_by_mail(original: str, action: str, status: str, what: tuple[str, str] | None) -> None:
    text = BOUNCE.replace("ORIGINAL", original).replace("ACTION", action).replace("STATUS", status)
    found = heard("mail", text.replace("\n", "\r\n").encode())
    assert [(one.what, one.kind) for one in found] == ([what] if what else [])
    for one in found:
        assert one.key == KEY
        assert one.at == parse_instant(NOON)
        assert one.what == "delivered" or one.reason == "smtp; 550 User unknown"


def test_a_complaint_by_mail() -> None:
    text = f"""From: fbl@mail.example
Message-ID: <c1@mail.example>
Content-Type: multipart/report; report-type=feedback-report; boundary="x"

--x
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: FBL/1.0
Version: 1

--x
Content-Type: message/rfc822

From: hello@acme.example
Message-ID: {ID}

Hello
--x--
"""
    (one,) = heard("mail", text.encode())
    assert (one.what, one.key) == ("complained", KEY)
    assert heard("mail", text.replace("abuse", "not-spam").encode()) == []
    assert heard("mail", text.replace("abuse", "opt-out").encode())[0].what == "unsubscribed"


def test_a_bounce_without_the_message_is_known_by_what_it_answers() -> None:
    text = BOUNCE.replace("ACTION", "failed").replace("STATUS", "5.1.1").partition("--x\nContent-Type: ORIGINAL")[0]
    (one,) = heard("mail", f"References: <a@b.example> {ID}\n{text}--x--\n".encode())
    assert one.key == KEY
    assert heard("mail", b"Subject: Hello\n\nNo report at all") == []


@pytest.mark.parametrize(("field", "told"), [
    ("Final-Recipient: rfc822; maya@example.com", "maya@example.com"),
    ("Final-Recipient: rfc822; maya@home.example\nOriginal-Recipient: rfc822;maya@example.com", "maya@example.com"),
])  # fmt: skip
def test_a_bounce_says_to_whom_it_was_sent(field: str, told: str) -> None:
    text = BOUNCE.replace("ORIGINAL", "message/rfc822").replace("ACTION", "failed").replace("STATUS", "5.1.1")
    (one,) = heard("mail", text.replace("Final-Recipient: rfc822; maya@example.com", field).encode())
    assert one.address == told
    assert event_of(one, {}, SendKey("d", "a", "email"), address_key="email:x")["properties"]["addressKey"] == "email:x"


def test_a_mail_tells_one_thing_of_one_message() -> None:
    block = "Final-Recipient: rfc822; maya@example.com\nAction: failed\nStatus: {}\n\n"
    many = "".join(block.format(status) for status in ["5.2.2", "5.1.1", *["5.2.2"] * 60])
    text = BOUNCE.replace("ORIGINAL", "message/rfc822").replace("Action: ACTION\nStatus: STATUS\n", "X-Y: z\n\n" + many)
    (one,) = heard("mail", text.encode())
    assert (one.what, one.kind) == ("bounced", "hard")


def test_a_mail_that_was_made_to_be_slow() -> None:
    began = time.process_time()
    head = b'Content-Type: multipart/report; boundary="b"\n\n--b\nContent-Type: message/delivery-status\n\n'
    assert len(heard("mail", head + b"Action: failed\n\n" * 250_000)) == 1
    assert time.process_time() - began < 3, "some tenths of a second; what grows faster takes minutes"


@pytest.mark.parametrize(("provider", "to"), [
    ("sendgrid", lambda to: [{**SENDGRID, "event": "bounce", "email": to}]),
    ("postmark", lambda to: {**POSTMARK, "RecordType": "Bounce", "Type": "HardBounce", "Email": to}),
    ("mailgun", lambda to: {**MAILGUN, "event": "failed", "recipient": to}),
    ("resend", lambda to: {"type": "email.bounced", "data": {**RESEND, "to": [to]}}),
    ("ses", lambda to: ses("Bounce", bouncedRecipients=[{"emailAddress": to}])),
])  # fmt: skip
def test_providers_name_the_address_that_bounced(provider: str, to: Any) -> None:
    assert heard(provider, to("maya@example.com"))[0].address == "maya@example.com"


@pytest.mark.parametrize("at", [
    1e300, 1e19, -1e18, 253402300800, -6.3e10, True, "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00",
    "garbage", "9" * 5000, {}, 1, "Thu, 01 Jan 1970 00:00:00 +0000",
])  # fmt: skip
def test_a_time_that_cannot_be_is_none(at: Any) -> None:
    for provider, body in (("generic", {"event": "opened", "key": KEY, "at": at}),
                           ("sendgrid", {**SENDGRID, "event": "open", "timestamp": at})):  # fmt: skip
        (one,) = heard(provider, body)
        assert one.at is None
    report = BOUNCE.replace("ACTION", "failed").replace("STATUS", "5.1.1").replace("ORIGINAL", "message/rfc822")
    dated = report.replace("Fri, 02 Jan 2026 12:00:00 +0000", str(at)[:60])
    assert [one.at for one in heard("mail", dated.encode())] == [None]


def test_milliseconds_are_understood() -> None:
    (one,) = heard("generic", {"event": "opened", "key": KEY, "at": parse_instant(NOON) // 1000})
    assert one.at == parse_instant(NOON)


@pytest.mark.parametrize("bad", [{"event": 7}, {}, [], None, "x", {"event": "opened", "key": "\ud800:a:b"}])
def test_one_bad_item_does_not_hold_up_the_others(bad: Any) -> None:
    good = {"event": "complained", "key": KEY}
    told = read_notice("generic", Notice(json.dumps([good, bad, good]).encode()))
    assert [one.what for one in told.heard] == ["complained"] * 2
    assert len(told.unread) == 1
    with pytest.raises(BadInput):
        read_notice("generic", Notice(json.dumps([bad]).encode()))


def test_nothing_is_heard_before_it_was_sent_and_a_complaint_has_no_time() -> None:
    send, sent = SendKey("d", "a", "email"), parse_instant(NOON)
    early = Heard("opened", at=sent - SECOND)
    assert event_of(early, {}, send, sent=sent)["timestamp"] == NOON
    assert event_of(Heard("opened", at=sent + SECOND), {}, send, sent=sent)["timestamp"] == "2026-01-02T12:00:01Z"
    assert "timestamp" not in event_of(Heard("complained", at=sent + SECOND), {}, send, sent=sent)


@given(st.sampled_from(sorted(PROVIDERS)), st.one_of(
    st.binary(max_size=200),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=20),
                 lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
                     ["event", "event-data", "data", "Message", "mail", "eventType", "timestamp", "RecordType"]),
                     inner | st.sampled_from(["bounce", "open", "Bounce", "email.bounced", "failed"]), max_size=5),
                 max_leaves=8).map(lambda told: json.dumps(told).encode()),
))  # fmt: skip
def test_noise_is_bad_input_and_nothing_else(provider: str, body: bytes) -> None:
    with suppress(BadInput):
        assert all(isinstance(one, Heard) for one in read_notice(provider, Notice(body)).heard)


@pytest.mark.parametrize(("url", "good"), [
    ("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=x", True),
    ("http://sns.eu-west-1.amazonaws.com/", False),
    ("https://sns.eu-west-1.amazonaws.com.evil.example/", False),
    ("https://evil.example/?sns.eu-west-1.amazonaws.com", False),
    ("https://user@sns.eu-west-1.amazonaws.com/", False),
    ("https://s3.amazonaws.com/", False),
    ("https://sns.eu-west-1.amazonaws.com:8443/", False),
])  # fmt: skip
def test_only_amazon_is_asked_to_confirm(url: str, good: bool) -> None:
    body = json.dumps({"Type": "SubscriptionConfirmation", "SubscribeURL": url}).encode()
    assert confirmation(Notice(body)) == (url if good else None)
    assert heard("ses", body) == []


@pytest.mark.parametrize(("signs", "actor"), [
    (Signs("clicked", CHROME, headers=LANGUAGE, secure=True), "human"),
    (Signs("clicked", SAFARI, headers={"accept-language": "en"}, secure=True), "human"),
    (Signs("clicked", CHROME, "HEAD", headers=LANGUAGE), "machine"),
    (Signs("clicked", "", headers=LANGUAGE), "machine"),
    (Signs("clicked", CHROME, headers={**LANGUAGE, "sec-purpose": "prefetch;prerender"}), "machine"),
    (Signs("clicked", CHROME, headers={**LANGUAGE, "x-purpose": "preview"}), "machine"),
    (Signs("clicked", "python-requests/2.32", headers=LANGUAGE), "machine"),
    (Signs("clicked", "Mozilla/5.0 (compatible; Proofpoint URL Defense)", headers=LANGUAGE), "machine"),
    (Signs("clicked", CHROME, after=3 * SECOND, headers=LANGUAGE), "machine"),
    (Signs("clicked", CHROME, after=30 * SECOND, headers=LANGUAGE), "human"),
    (Signs("clicked", CHROME, at_once=3, headers=LANGUAGE), "machine"),
    (Signs("clicked", CHROME, at_once=2, headers=LANGUAGE), "human"),
    (Signs("clicked", CHROME, headers={"accept-language": "de"}, secure=True), "unknown"),
    (Signs("clicked", CHROME, headers={"host": "x"}), "unknown"),
    (Signs("clicked", CHROME, headers={**LANGUAGE, "x-client-network": "hosting"}), "unknown"),
    (Signs("opened", "Mozilla/5.0"), "machine"),
    (Signs("opened", "Mozilla/5.0 (via ggpht.com GoogleImageProxy)"), "unknown"),
    (Signs("opened", "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"), "unknown"),
    (Signs("opened", CHROME, machine=True), "machine"),
    (Signs("opened", CHROME, machine=False), "human"),
])  # fmt: skip
def test_who_it_was(signs: Signs, actor: str) -> None:
    assert actor_of(signs) == actor


@pytest.mark.parametrize(("text", "word"), [
    ("STOP", "stop"), ("stop.", "stop"), ("Stop All", None), ("STOPALL", "stop"), ("Arrêt", "stop"),
    ("START", "start"), ("yes", None), ("HELP", "help"), ("Hilfe?", "help"), ("do not stop this", None), ("", None),
])  # fmt: skip
def test_keywords(text: str, word: str | None) -> None:
    assert keyword(text) == word


@given(st.text(st.characters(codec="utf-8"), max_size=30), st.text(max_size=30))
def test_a_send_key_survives_the_message_id(action: str, channel: str) -> None:
    from opportune.deliver.carriers.mime import key_of

    key = f"01JZ:{action}:{channel.replace(':', '')}"
    assert key_of(message_id(key, "acme.example")) == key


def test_the_event_of_what_was_heard() -> None:
    (one,) = heard("ses", ses("Bounce", bounceType="Permanent", timestamp=NOON))
    send = send_key(KEY)
    assert send
    call = event_of(one, {"userId": "maya"}, send)
    assert call["event"] == "Message Bounced"
    assert call["timestamp"] == NOON
    assert call["properties"] == {"decision": "01JZ", "action": "more_data", "channel": "email", "kind": "hard"}
    assert call == event_of(one, {"userId": "maya"}, send)
    assert call["messageId"] != event_of(one, {"userId": "maya"}, send._replace(decision_id="01K0"))["messageId"]
