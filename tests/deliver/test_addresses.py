"""No URL that somebody gives us leads into our own network, however it is written and whatever a name server says."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.deliver.addresses import Target, check, lookup, public, resolve
from opportune.errors import BadInput

SPECIAL_4 = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4",
)  # fmt: skip
SPECIAL_6 = (
    "::/96", "64:ff9b:1::/48", "100::/64", "2001:2::/48", "2001:db8::/32", "3fff::/20", "4000::/2", "5f00::/16",
    "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)  # fmt: skip
WRAPPED = ("::ffff:{}", "64:ff9b::{}", "2002:{hex}::1", "2001:0:808:808::{inverse}", "2001:0:{hex}::f7f7:f7f7")
PUBLIC = ("8.8.8.8", "93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:82a::200e")


class Names:
    """A name server that gives each of its answers in turn, the last one again and again."""

    def __init__(self, *answers: Sequence[str] | Exception) -> None:
        self.answers, self.asked = list(answers), 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def of(url: str, *answers: Sequence[str] | Exception, private: bool = False) -> Target:
    return asyncio.run(resolve(url, private, Names(*answers) if answers else Names(OSError("asked for a name"))))


def wrapped(address: ipaddress.IPv4Address) -> list[str]:
    def groups(n: int) -> str:
        return f"{n >> 16:x}:{n & 0xFFFF:x}"

    number = int(address)
    return [form.format(address, hex=groups(number), inverse=groups(number ^ 0xFFFFFFFF)) for form in WRAPPED]


@pytest.mark.parametrize("block", SPECIAL_4 + SPECIAL_6)
@given(data=st.data())
@settings(max_examples=10)
def test_special_addresses_are_not_public_in_any_wrapping(block: str, data: st.DataObject) -> None:
    network = ipaddress.ip_network(block)
    address = network[data.draw(st.integers(0, network.num_addresses - 1))]
    forms = [str(address), *(wrapped(address) if isinstance(address, ipaddress.IPv4Address) else ())]
    for text in forms:
        assert not public(ipaddress.ip_address(text)), text
        literal = f"[{text}]" if ":" in text else text
        with pytest.raises(BadInput, match="not a public address"):
            check(f"https://{literal}/", allow_private=False)
        with pytest.raises(BadInput, match="not a public address"):
            of("https://hooks.example.com/", [text])
        with pytest.raises(BadInput, match="not a public address"):
            of("https://hooks.example.com/", ["8.8.8.8", text, "1.1.1.1"])


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_pass_also_wrapped(text: str) -> None:
    address = ipaddress.ip_address(text)
    forms = [text, *(wrapped(address) if isinstance(address, ipaddress.IPv4Address) else ())]
    for form in forms:
        assert public(ipaddress.ip_address(form)), form
        target = of("https://hooks.example.com/in?a=b", [form, "8.8.4.4"])
        assert (target.ip, target.port, target.host) == (str(ipaddress.ip_address(form)), 443, "hooks.example.com")
        assert target.url == "https://hooks.example.com/in?a=b"
        assert target.authority == "hooks.example.com"
        place = f"[{target.ip}]" if ":" in form else form
        assert target.pinned == f"https://{place}:443/in?a=b"


def test_a_name_is_asked_for_once_and_its_next_answer_is_checked_anew() -> None:
    names = Names(["93.184.216.34"], ["127.0.0.1"])
    assert asyncio.run(resolve("https://rebind.example/", False, names)).ip == "93.184.216.34"
    assert names.asked == 1
    with pytest.raises(BadInput, match=r"rebind.example leads to 127\.0\.0\.1"):
        asyncio.run(resolve("https://rebind.example/", False, names))


def test_the_machines_own_resolver() -> None:
    with pytest.raises(BadInput, match=r"localhost leads to .* not a public address"):
        asyncio.run(resolve("https://localhost/", False))
    assert asyncio.run(resolve("http://localhost:8080/", True)).ip in ("127.0.0.1", "::1")
    assert "127.0.0.1" in asyncio.run(lookup("127.0.0.1", 80))


@pytest.mark.parametrize(
    "answer",
    [[], ["elsewhere"], [""], OSError("down"), TimeoutError(), socket.gaierror(-2, "unknown"), UnicodeError("x")],
)
def test_a_name_without_an_address_is_refused(answer: Sequence[str] | Exception) -> None:
    with pytest.raises(BadInput, match=r"hooks\.example has no address.*check the name"):
        of("https://hooks.example/", answer)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://93.184.216.34/", "https://"),
        ("ftp://93.184.216.34/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("gopher://93.184.216.34/", "https://"),
        ("javascript:alert(1)", "https://"),
        ("//93.184.216.34/", "https://"),
        ("", "https://"),
        ("https://93.184.216.34:8443/", "port 8443"),
        ("https://93.184.216.34:22/", "port 22"),
        ("https://93.184.216.34:0/", "port 0"),
        ("https://93.184.216.34:99999/", "not a URL"),
        ("https://93.184.216.34:x/", "not a URL"),
        ("https://ana:secret@93.184.216.34/", "user name or password"),
        ("https://ana@93.184.216.34/", "user name or password"),
        ("https://@93.184.216.34/", "user name or password"),
        ("https://8.8.8.8\\@127.0.0.1/", "backslash"),
        ("https://8.8.8.8\t/", "control character"),
        ("https://8.8.8.8/\r\nX: y", "control character"),
        (" https://8.8.8.8/", "space"),
        ("https://8.8.8.8/\ud800", "control character"),
        ("https://2130706433/", "unusual IPv4"),
        ("https://017700000001/", "unusual IPv4"),
        ("https://0x7f000001/", "unusual IPv4"),
        ("https://0x7f.0x0.0x0.0x1/", "unusual IPv4"),
        ("https://0177.0.0.1/", "unusual IPv4"),
        ("https://127.1/", "unusual IPv4"),
        ("https://8.8.8.08/", "unusual IPv4"),
        ("https://8.8.8.256/", "unusual IPv4"),
        ("https://8.8.8.8.8/", "unusual IPv4"),
        ("https://example.0x7f/", "unusual IPv4"),
        ("https://[::1/", "not a URL"),
        ("https://[2606:4700::1111%25eth0]/", "brackets"),
        ("https://[2606:4700::1111%eth0]/", "brackets"),
        ("https://[2606:4700::1111]evil.com/", "brackets|not a URL"),
        ("https://[example.com]/", "brackets|not a URL"),
        ("https://[8.8.8.8]/", "brackets|not a URL"),
        ("https://[2606:4700:::1]/", "IPv6"),
        ("https:///path", "no host"),
        ("https://./", "no host"),
        ("https://a..b/", "no host"),
        ("https://example.com../", "no host"),
        ("https://-a.example/", "no host"),
        ("https://exa%6dple.com/", "no host"),
        ("https://a.b%00/", "no host"),
        ("https://" + "a" * 64 + ".com/", "no host"),
        ("https://" + "a." * 127 + "com/", "no host"),
        ("https://\u2615\u0338/", "cannot be a name"),
        ("https://a.b/" + "x" * 3000, "2048"),
    ],
)
def test_urls_that_are_refused_before_anybody_is_asked(url: str, said: str) -> None:
    names = Names(["93.184.216.34"])
    with pytest.raises(BadInput, match=said):
        asyncio.run(resolve(url, False, names))
    assert names.asked == 0


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(BadInput) as refusal:
        of("https://ana:secret@8.8.8.8/")
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "plain", "host"),
    [
        ("HTTPS://Hooks.Example.COM", "https://hooks.example.com/", "hooks.example.com"),
        ("https://hooks.example.com.:443/../b?x=%20#top", "https://hooks.example.com/../b?x=%20", "hooks.example.com"),
        ("https://hooks.example.com:/", "https://hooks.example.com/", "hooks.example.com"),
        ("https://bücher.example/ä?ü=ß", "https://xn--bcher-kva.example/%C3%A4?%C3%BC=%C3%9F", "xn--bcher-kva.example"),
        ("https://hooks。example。com/", "https://hooks.example.com/", "hooks.example.com"),
        ("https://hooks.example.com:80/", "https://hooks.example.com:80/", "hooks.example.com"),
        ("https://[2606:4700:0::1111]/", "https://[2606:4700::1111]/", "2606:4700::1111"),
    ],
)
def test_urls_in_plain_form(url: str, plain: str, host: str) -> None:
    target = of(url, ["93.184.216.34"])
    assert (target.url, target.host) == (plain, host)


@pytest.mark.parametrize("url", ["https://１２７.０.０.１/", "https://127。0。0。1/", "https://127.0.0.1./", "https://⑫7.0.0.1/"])
def test_loopback_in_disguise(url: str) -> None:
    with pytest.raises(BadInput, match=r"not a public address|IPv4"):
        of(url)


def test_private_addresses_pass_where_they_are_allowed() -> None:
    assert of("http://127.0.0.1:9000/x", private=True) == Target("127.0.0.1", 9000, "127.0.0.1", "http://127.0.0.1:9000/x")
    assert of("http://[::1]/", private=True).pinned == "http://[::1]:80/"
    target = of("http://hub.internal:8080/", ["10.0.0.7"], private=True)
    assert (target.ip, target.authority) == ("10.0.0.7", "hub.internal:8080")
    for still in ("ftp://127.0.0.1/", "http://ana@127.0.0.1/", "http://127.1/", "http://127.0.0.1:0/", "http://[::1%251]/"):
        with pytest.raises(BadInput):
            of(still, private=True)


@given(
    url=st.one_of(
        st.text(st.characters(), max_size=50),
        st.builds("https://{}{}/{}".format, st.text(max_size=20), st.sampled_from(["", ":80", "."]), st.text()),
        st.from_regex(r"https://[\[\]0-9a-fx:.%@#?/\\_-]{1,20}", fullmatch=True),
    )
)
def test_every_text_is_refused_or_has_one_plain_form(url: str) -> None:
    try:
        plain, host, port = check(url, allow_private=True)
    except BadInput:
        return
    assert plain.isascii()
    assert check(plain, allow_private=True) == (plain, host, port)
