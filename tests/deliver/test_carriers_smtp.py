"""E-mails reach a real SMTP server whole, once, and what it says of them is told for what it is."""

from __future__ import annotations

import asyncio
import datetime
import email
import ssl
import time
from collections.abc import Iterator
from email.header import decode_header, make_header
from email.utils import formataddr, parseaddr
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from hypothesis import given
from hypothesis import strategies as st
from smtp_relay import Got, Relay, hang_up, relaying

from opportune.catalog.types import Channel
from opportune.deliver.carriers import Carrier, InDoubt, Refused, TryLater, open_carrier
from opportune.deliver.carriers import smtp as smtp_module
from opportune.deliver.carriers.contract import CarrierContract, World
from opportune.deliver.carriers.mime import Letterhead, key_of, mail
from opportune.deliver.carriers.smtp import is_hard
from opportune.deliver.types import Message, Receipt
from opportune.errors import BadInput
from opportune.testing import START, FakeClock

UNSUBSCRIBE = {
    "List-Unsubscribe": "<https://acme.example/u/abc>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    "Feedback-ID": "keep_bundle:email:acme",
}
CONTENT = {"subject": "Hello", "html": "<p>Hi</p>", "text": "Hi"}


def message(n: int = 1, to: str | None = None, **content: Any) -> Message:
    return Message(f"01J{n}:keep:email", "email", f"maya{n}@example.com" if to is None else to, {**CONTENT, **content})


def opened(relay_port: int, **options: Any) -> Carrier:
    said = {"host": "127.0.0.1", "port": relay_port, "tls": "none", "from": "Acme <hello@acme.example>",
            "hostname": "hub.example", **options}  # fmt: skip
    return open_carrier(Channel("email", True, "email", "smtp", "email", None, said), {}, ".", FakeClock())


def send(carrier: Carrier, *messages: Message) -> list[Receipt]:
    """Send one after another, and close."""

    async def whole() -> list[Receipt]:
        try:
            return [await carrier.send(one) for one in messages]
        finally:
            await carrier.close()

    return asyncio.run(asyncio.wait_for(whole(), 20))


def said(part: Any) -> str:
    """Return the text of a part with the line breaks of Python, without those at its end."""
    return str(part.get_content()).replace("\r\n", "\n").rstrip("\n")


@pytest.fixture
def relay() -> Iterator[Relay]:
    with relaying() as relay:
        yield relay


class TestSmtp(CarrierContract):
    """The contract of every carrier."""

    @pytest.fixture
    def world(self, relay: Relay) -> World:
        def arrived() -> list[str]:
            return [key_of(str(got.mail["Message-ID"])) for got in relay.got]

        bad = [(message(to=to), True) for to in ("", "maya", "maya@", "@example.com", "maya@exa mple.com")]
        bad.append((message(html="", text=""), False))
        return World(opened(relay.port, connections=5), message, arrived, relay.stop, bad)


# What arrives


def test_a_message_arrives_as_it_was_meant(relay: Relay) -> None:
    text, html = "Grüße, Maya\n.\n..zwei Punkte\nFrom hier\n" + "lang " * 300, "<p>Grüße &amp; <b>日本語</b> مرحبا</p>"
    sent = Message(
        "01JABC:keep.bundle:email", "email", "maya@example.com",
        {"subject": "Grüße für Sie: 10 % ✓", "html": html, "text": text}, headers=UNSUBSCRIBE,
    )  # fmt: skip
    (receipt,) = send(opened(relay.port, reply_to="Hilfe <help@acme.example>", bounces_to="bounce@acme.example"), sent)
    (got,) = relay.got
    assert receipt == Receipt("4XyZ")
    assert (got.sender, got.to, relay.hellos) == ("bounce@acme.example", "maya@example.com", ["hub.example"])
    made = got.mail
    assert not made.defects
    assert made["From"] == "Acme <hello@acme.example>"
    assert (made["To"], made["Subject"]) == ("maya@example.com", "Grüße für Sie: 10 % ✓")
    assert made["Reply-To"] == "Hilfe <help@acme.example>"
    assert made["Date"].datetime == datetime.datetime.fromtimestamp(START / 1e6, datetime.UTC)
    assert {name: made[name] for name in UNSUBSCRIBE} == UNSUBSCRIBE
    assert made["MIME-Version"] == "1.0"
    assert made.get_content_type() == "multipart/alternative"
    plain, rich = made.iter_parts()
    assert (plain.get_content_type(), rich.get_content_type()) == ("text/plain", "text/html")
    assert (said(plain), said(rich)) == (text, html)
    assert got.raw.isascii()
    assert max(map(len, got.raw.split(b"\r\n"))) <= 998
    assert b"\n" not in got.raw.replace(b"\r\n", b"")


def test_a_resend_has_the_same_message_id_and_the_key_can_be_read_back(relay: Relay) -> None:
    keys = ["01J:keep:email", "01J:a.b..c.:email", "01J:Mens E-Mail/ü:email", "01J:" + "x" * 100 + ":" + "y" * 100]
    carrier = opened(relay.port)
    send(carrier, *[Message(key, "email", "maya@example.com", CONTENT) for key in keys for _ in range(2)])
    ids = [str(got.mail["Message-ID"]) for got in relay.got]
    assert ids[::2] == ids[1::2]
    assert [key_of(f" {one} ") for one in ids[::2]] == keys
    assert all(one.endswith("@acme.example>") for one in ids)


def test_the_message_may_say_who_writes(relay: Relay) -> None:
    from_shop = Message(
        "k", "email", "maya@example.com", {**CONTENT, "from_name": 'Anna "Änn" B.'},
        headers={"From": "Shop <shop@acme.example>", "reply-to": "ask@acme.example", "Subject": "Mine", "To": "a@b.c"},
    )  # fmt: skip
    send(opened(relay.port), from_shop)
    made = relay.got[0].mail
    assert made["From"].addresses[0].display_name == 'Anna "Änn" B.'
    assert made["From"].addresses[0].addr_spec == "shop@acme.example"
    assert (made["Reply-To"], made["Subject"], made["To"]) == ("ask@acme.example", "Hello", "maya@example.com")
    assert [len(made.get_all(name, [])) for name in ("From", "To", "Subject", "Reply-To")] == [1, 1, 1, 1]


@pytest.mark.parametrize("name", ["Acme", "Müller & Söhne", 'A "B" \\ C', "=?", "x" * 90, "Ünicode " * 20])
@pytest.mark.parametrize("write", [formataddr, lambda pair: f"{pair[0]} <{pair[1]}>"])
def test_a_sender_may_be_written_plainly_or_as_headers_have_it(name: str, write: Any) -> None:
    if write is not formataddr and '"' in name:
        return  # plain text has no way to say it
    made = mail(message(), Letterhead(write((name, "hello@acme.example"))), START)
    shown, sender = parseaddr(email.message_from_bytes(made.data)["From"])
    assert (str(make_header(decode_header(shown))), sender) == (name.strip(), "hello@acme.example")


def test_only_one_part_is_one_part(relay: Relay) -> None:
    send(opened(relay.port), message(html=""), message(text=""))
    assert [got.mail.get_content_type() for got in relay.got] == ["text/plain", "text/html"]


def test_addresses_beyond_ascii(relay: Relay) -> None:
    given = ("maya@bücher.example", "jörg@bücher.example", " maya@example.com\n")
    send(opened(relay.port), *[message(to=to) for to in given])
    assert [got.to for got in relay.got] == [
        "maya@xn--bcher-kva.example", "jörg@xn--bcher-kva.example", "maya@example.com",
    ]  # fmt: skip
    assert ["SMTPUTF8" in got.options for got in relay.got] == [False, True, False]
    assert "To: jörg@xn--bcher-kva.example\r\n".encode() in relay.got[1].raw


def test_a_relay_without_smtputf8_gets_no_such_address() -> None:
    with relaying(enable_SMTPUTF8=False) as relay:
        with pytest.raises(Refused, match="SMTPUTF8") as refused:
            send(opened(relay.port), message(to="jörg@example.com"))
        assert not refused.value.hard
        send(opened(relay.port), message(to="maya@bücher.example"))
    assert [got.to for got in relay.got] == ["maya@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    "to",
    ["maya", "a@b@c.example", "maya@example.com>\r\nRCPT TO:<eve@example.com", "maya@example.com\nBcc: eve@example.com",
     "Maya <maya@example.com>", "a b@example.com", "maya@-bad-.example", "maya@exa\0mple.com",
     "maya..b@example.com", "maya@[127.0.0.1]", '"a b"@example.com', "maya@example.com,eve@example.com"],
)  # fmt: skip
def test_a_bad_address_never_reaches_the_relay(relay: Relay, to: str) -> None:
    with pytest.raises(Refused) as refused:
        send(opened(relay.port), message(to=to))
    assert refused.value.hard
    assert relay.connections == 0


LETTERHEAD = Letterhead("Acme <hello@acme.example>")
NASTY = st.text(
    st.sampled_from("aä=?\r\n\t \0\x0b\x0c\x1c\x85\u2028:<>\"\\😀.") | st.characters(codec="utf-8"), max_size=120
)


@given(NASTY, NASTY, NASTY, NASTY)
def test_nothing_can_be_smuggled_into_a_header(subject: str, name: str, value: str, body: str) -> None:
    content = {"subject": subject, "html": body or "x", "text": body, "from_name": name}
    made = mail(Message("k", "email", "maya@example.com", content, headers={"X-Own": value}), LETTERHEAD, START)
    assert made.data.endswith(b"\r\n")
    assert b"\r\n.\r\n" not in made.data
    assert b"\n" not in made.data.replace(b"\r\n", b"")
    assert b"\r" not in made.data.replace(b"\r\n", b"")
    got = Got("", "", [], made.data.replace(b"\r\n..", b"\r\n."))
    names = ["From", "To", "Subject", "Date", "Message-ID", "X-Own", "MIME-Version", "Content-Type"]
    parts = list(got.mail.iter_parts()) or [got.mail]
    assert got.mail.keys()[: len(names)] == names
    assert set(got.mail.keys()) - set(names) <= {"Content-Transfer-Encoding"}
    assert max(len(line) for line in made.data.split(b"\r\n")) <= 998
    for part in parts:
        assert said(part) == (body or "x").replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


@given(NASTY)
def test_a_subject_reads_as_it_was_written(subject: str) -> None:
    made = mail(message(subject=subject), LETTERHEAD, START)
    got = Got("", "", [], made.data).mail["Subject"]
    control = str.maketrans(dict.fromkeys([*range(32), 127], " "))
    assert str(got or "") == " ".join(subject.translate(control).split())


def test_a_name_of_a_header_is_checked() -> None:
    for name in ("X Own", "X\r\nBcc", "", "Ü", "X:Y"):
        with pytest.raises(Refused, match="name of a header"):
            mail(Message("k", "email", "m@example.com", CONTENT, headers={name: "x"}), LETTERHEAD, START)


# What the relay says


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("451 4.7.1 Greylisted, try again in 300 s", TryLater),
        ("450 4.2.1 Mailbox busy", TryLater),
        ("421 4.3.2 Shutting down", TryLater),
        ("550 5.1.1 User unknown", "hard"),
        ("550 No such user here", "hard"),
        ("553 5.1.3 Bad address syntax", "hard"),
        ("550 5.2.1 Mailbox disabled", "hard"),
        ("554 5.7.1 Relay access denied", Refused),
        ("550 5.7.1 Message rejected as spam", Refused),
        ("550 5.1.8 Sender's domain does not exist", Refused),
        ("550 Relaying not permitted", Refused),
        ("552 5.2.2 Mailbox full", Refused),
    ],
)
def test_what_is_said_of_a_recipient(relay: Relay, reply: str, expected: Any) -> None:
    relay.on_rcpt = lambda server, to: reply if to.startswith("bad") else None
    carrier = opened(relay.port, connections=1)

    async def whole() -> None:
        await carrier.send(message(1))
        with pytest.raises(Refused if expected == "hard" else expected, match=reply[:3]) as told:
            await carrier.send(message(to="bad@example.com"))
        if not isinstance(told.value, TryLater):
            assert told.value.hard is (expected == "hard")  # type: ignore[attr-defined]
        await carrier.send(message(2))
        await carrier.close()

    asyncio.run(whole())
    assert [got.to for got in relay.got] == ["maya1@example.com", "maya2@example.com"]
    assert relay.connections == 1 or reply.startswith("421")


def test_what_is_kept_names_no_customer(relay: Relay) -> None:
    relay.on_rcpt = lambda server, to: f"550 5.1.1 <{to}>: no mailbox Maya.Bee here"
    with pytest.raises(Refused) as told:
        send(opened(relay.port), message(to="maya.bee@example.com"))
    assert told.value.hard
    assert told.value.what == str(told.value)
    assert told.value.what == "the relay said 550 5.1.1 <(address)>: no mailbox (address) here"


@pytest.mark.parametrize("step", ["on_mail", "on_data"])
@pytest.mark.parametrize(("reply", "expected"), [("452 4.3.1 Full", TryLater), ("550 User unknown", Refused)])
def test_what_is_said_of_the_sender_and_the_message_is_not_the_address(
    relay: Relay, step: str, reply: str, expected: type[Exception]
) -> None:
    setattr(relay, step, lambda server, what: reply)
    with pytest.raises(expected) as told:
        send(opened(relay.port), message())
    assert not getattr(told.value, "hard", False)
    assert relay.got == []


def test_a_code_about_the_address_counts_also_after_the_message(relay: Relay) -> None:
    relay.on_data = lambda server, got: "550 5.1.1 no such mailbox"
    with pytest.raises(Refused) as told:
        send(opened(relay.port), message())
    assert told.value.hard
    relay.on_data, relay.on_mail = lambda server, got: None, lambda server, sender: "550 5.1.1 no such mailbox"
    with pytest.raises(Refused) as told:
        send(opened(relay.port), message())
    assert not told.value.hard


@pytest.mark.parametrize(
    ("text", "hard"),
    [("550 Requested action not taken: mailbox unavailable", True), ("550 unknown user", True),
     ("550 maya@example.com: Recipient address rejected: user not found", True), ("551 User no longer exist", True),
     ("550 Access denied, your IP address is invalid", False), ("550 sender address does not exist", False),
     ("550 Blocked by policy", False), ("554 No such user here", False), ("550 5.7.25 user unknown", False),
     ("550 5.1.10 RESOLVER.ADR.RecipientNotFound", True), ("550 5.1.7 bad sender", False), ("550 ", False)],
)  # fmt: skip
def test_only_a_word_about_the_mailbox_makes_an_address_bad(text: str, hard: bool) -> None:
    assert is_hard(int(text[:3]), text[4:]) is hard


# Faults


def test_a_server_that_dies_before_the_message_is_whole_is_tried_later(relay: Relay) -> None:
    for step in ("on_mail", "on_rcpt"):
        setattr(relay, step, hang_up)
        with pytest.raises(TryLater):
            send(opened(relay.port), message())
        setattr(relay, step, lambda server, what: None)
    assert relay.got == []


def test_a_server_that_dies_after_data_leaves_the_message_in_doubt(relay: Relay) -> None:
    taken: list[Got] = []

    def take_and_die(server: SMTP, got: Got) -> str:
        taken.append(got)
        return hang_up(server)

    relay.on_data = take_and_die
    carrier = opened(relay.port)

    async def whole() -> None:
        with pytest.raises(InDoubt, match="had the whole message"):
            await carrier.send(message(1))
        relay.on_data = lambda server, got: None
        await carrier.send(message(2))
        await carrier.close()

    asyncio.run(whole())
    assert [got.to for got in taken] == ["maya1@example.com"], "the server has it: a second try would be a second mail"
    assert [got.to for got in relay.got] == ["maya2@example.com"]


def test_a_server_that_says_nothing_after_data_leaves_the_message_in_doubt(relay: Relay) -> None:
    def sleep(server: SMTP, got: Got) -> None:
        time.sleep(0.5)

    relay.on_data = sleep
    with pytest.raises(InDoubt):
        send(opened(relay.port, accept_seconds=0.1), message())


def test_a_long_message_that_a_dying_server_has_only_in_part_is_tried_later() -> None:
    """The final dot is held back until the rest left, so the server cannot have accepted it."""

    async def read_some_and_die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        for reply in (b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await reader.readline()
            writer.write(reply)
        await reader.readexactly(100_000)
        writer.transport.abort()

    async def whole() -> None:
        server = await asyncio.start_server(read_some_and_die, "127.0.0.1", 0, limit=1 << 16)
        carrier = opened(server.sockets[0].getsockname()[1])
        with pytest.raises(TryLater, match="whole message"):
            await carrier.send(message(html="x" * 20_000_000))
        await carrier.close()
        server.close()

    asyncio.run(asyncio.wait_for(whole(), 20))


def test_a_long_message_arrives_whole(relay: Relay) -> None:
    html = "<p>Grüße</p>\n" * 60_000
    send(opened(relay.port), message(html=html))
    assert said(list(relay.got[0].mail.iter_parts())[1]) == html.rstrip("\n")


def test_a_slow_server_is_left_in_time(relay: Relay) -> None:
    def sleep(server: SMTP, to: str) -> None:
        time.sleep(0.5)

    relay.on_rcpt = sleep
    with pytest.raises(TryLater, match="did not answer RCPT"):
        send(opened(relay.port, reply_seconds=0.1), message())
    assert relay.got == []


def test_a_connection_that_the_server_closed_meanwhile_is_replaced_at_once(relay: Relay) -> None:
    carrier = opened(relay.port, connections=1)

    async def whole() -> None:
        for n in range(1, 8):
            relay.on_mail = [lambda *_: None, hang_up, lambda *_: "421 4.4.2 too many messages"][n % 3]  # type: ignore[assignment]
            if n % 3 and n > 1:
                before = relay.on_mail

                def once(server: SMTP, sender: str, before: Any = before) -> Any:
                    relay.on_mail = lambda *_: None
                    return before(server, sender)

                relay.on_mail = once
            else:
                relay.on_mail = lambda *_: None
            await carrier.send(message(n))
        await carrier.close()

    asyncio.run(whole())
    assert [got.to for got in relay.got] == [f"maya{n}@example.com" for n in range(1, 8)]
    assert relay.connections == 5


def test_connections_are_kept_and_bounded(relay: Relay) -> None:
    carrier = opened(relay.port, connections=3)

    async def whole() -> None:
        await asyncio.gather(*(carrier.send(message(n)) for n in range(40)))
        await carrier.close()
        with pytest.raises(TryLater, match="closing"):
            await carrier.send(message())

    asyncio.run(whole())
    assert len(relay.got) == 40
    assert relay.connections == 3


# TLS and login


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """The TLS of a server that proves to be `localhost`, and the file of the certificate to trust."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - day).not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, file


@pytest.fixture
def trusted(certificate: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
    smtp_module._trust.cache_clear()
    yield certificate[0]
    smtp_module._trust.cache_clear()


def test_starttls_with_login(trusted: ssl.SSLContext) -> None:
    def check(server: SMTP, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"hub", b"s3cret"), handled=False)

    with relaying(tls_context=trusted, require_starttls=True, authenticator=check, auth_required=True) as relay:
        login = {"host": "localhost", "tls": "starttls", "user": "hub"}
        send(opened(relay.port, password="s3cret", **login), message())
        assert len(relay.got) == 1
        with pytest.raises(TryLater, match="does not take the user and password") as told:
            send(opened(relay.port, password="wrong", **login), message())
        assert "wrong" not in told.value.what
        with pytest.raises(TryLater, match="5"):
            send(opened(relay.port, host="localhost"), message())
    assert len(relay.got) == 1


def test_tls_from_the_start(trusted: ssl.SSLContext) -> None:
    with relaying(tls=trusted) as relay:
        send(opened(relay.port, host="localhost", tls="tls"), message(html="<p>Grüße</p>\n" * 20_000))
        with pytest.raises(TryLater, match="no connection"):
            send(opened(relay.port, host="localhost", tls="none", connect_seconds=0.3), message())
    assert len(relay.got) == 1


def test_bad_tls_is_no_connection(certificate: tuple[ssl.SSLContext, Path], trusted: ssl.SSLContext) -> None:
    with relaying(tls_context=trusted) as relay, pytest.raises(TryLater, match=r"(?i)certificate|mismatch"):
        send(opened(relay.port, tls="starttls"), message())  # it proves to be localhost, not 127.0.0.1
    smtp_module._trust.cache_clear()
    with pytest.MonkeyPatch.context() as patch, relaying(tls_context=certificate[0]) as relay:
        patch.delenv("SSL_CERT_FILE")
        with pytest.raises(TryLater, match=r"(?i)certificate"):
            send(opened(relay.port, host="localhost", tls="starttls"), message())
    with relaying() as relay, pytest.raises(TryLater, match="STARTTLS"):
        send(opened(relay.port, tls="starttls"), message())
    assert relay.got == []


# Options


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"tls": "ssl"}, "`tls` of channel `email` must be one of none, starttls, tls"),
        ({"port": "smtp"}, "`port` of channel `email` must be a number from 1 to 65535"),
        ({"port": 2.5}, "`port` of channel `email` must be a whole number"),
        ({"connections": 0}, "`connections` of channel `email` must be a number from 1 to 1000"),
        ({"user": "hub"}, "`password` of channel `email` must be there"),
        ({"user": "hub", "password": "s3cret", "host": "relay.example"}, "`tls` of channel `email` must be starttls"),
        ({"from": "Acme"}, "the address that channel `email` is given in `options` 'Acme' cannot be used"),
        ({"hostname": "hub\r\nMAIL"}, "`hostname` of channel `email` must be the name of this machine"),
        ({"host": ""}, "channel `email` needs the option `host`"),
        ({"host": ["a"]}, "`host` of channel `email` must be one text"),
    ],
)
def test_wrong_options_are_told_when_the_carrier_is_opened(options: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput) as wrong:
        opened(25, **options)
    assert told in str(wrong.value)
    assert "s3cret" not in str(wrong.value)


def test_without_a_sender_the_message_waits(relay: Relay) -> None:
    with pytest.raises(TryLater, match="sender of the channel"):
        send(opened(relay.port, **{"from": ""}), message())
