"""Where a request of ours may go: an address that somebody gave us must not lead into our own network (SSRF).

A name is resolved once, every address behind it is checked, and the connection goes to the address that was checked: a
name server that answers otherwise the next time (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from opportune.errors import BadInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the IP addresses of a host and port, at least one; raises `OSError` where there is none."""

LONGEST = 2048
PORTS = {"http": 80, "https": 443}
RESOLVE_SECONDS = 10.0

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*{_LABEL}")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_BRACKETS = re.compile(r"\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\](?::[0-9]*)?")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
# Special blocks that `ipaddress` of some Python versions takes for public.
_SPECIAL = tuple(
    ipaddress.ip_network(block)
    for block in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20")
)


@dataclass(frozen=True, slots=True)
class Target:
    """A checked address: connect to `ip` and `port`, and name `host` in the header `Host` and in TLS."""

    ip: str
    port: int
    host: str
    url: str

    @property
    def pinned(self) -> str:
        """The URL with the checked IP in the place of the host."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=f"{_bracketed(self.ip)}:{self.port}").geturl()

    @property
    def authority(self) -> str:
        """Host, and the port where it is not the usual one: the header `Host`."""
        return urlsplit(self.url).netloc


async def lookup(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host as the machine's resolver orders them."""
    async with asyncio.timeout(RESOLVE_SECONDS):
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(row[4][0]) for row in found]


async def resolve(url: str, allow_private: bool, resolver: Resolver = lookup) -> Target:
    """Return where a request to this URL may go; the name is asked for once.

    It has to be https on port 443 or 80, and every address of the host public, unless `allow_private`: then http, any
    port and any address will do. `BadInput` says what is wrong, also where the host has no address.
    """
    url, host, port = check(url, allow_private)
    literal = _literal(host)
    addresses = [literal] if literal is not None else await _addresses(host, port, resolver)
    for address in addresses:
        _check_public(host, address, allow_private)
    return Target(str(addresses[0]), port, host, url)


def check(url: str, allow_private: bool) -> tuple[str, str, int]:
    """Return (url, host, port) of a URL in plain form, without asking where a name leads; `BadInput` as `resolve` does.

    >>> check("HTTPS://Example.COM.:443/hook#top", allow_private=False)
    ('https://example.com/hook', 'example.com', 443)
    """
    parts, port = _split(url)
    if parts.scheme not in PORTS or (parts.scheme == "http" and not allow_private):
        cure = "write https://, or allow private addresses (--private-webhooks; `allow_private: true` of a channel)"
        raise _bad(url, "does not begin with https://", cure)
    if parts.username is not None or parts.password is not None:
        raise BadInput("a URL holds a user name or password; leave out what stands before the @")
    if port not in PORTS.values() and not allow_private:
        raise _bad(url, f"is on port {port}", "use port 443")
    host = _host(url, parts.hostname or "")
    if (literal := _literal(host)) is not None:
        _check_public(host, literal, allow_private)
    place = _bracketed(host) if port == PORTS[parts.scheme] else f"{_bracketed(host)}:{port}"
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~?")
    return f"{parts.scheme}://{place}{path}" + (f"?{query}" if query else ""), host, port


def public(address: Address) -> bool:
    """Return True where an address, and each address that it wraps, is reachable on the internet by everybody.

    >>> public(ipaddress.ip_address("93.184.216.34")), public(ipaddress.ip_address("64:ff9b::10.0.0.1"))
    (True, False)
    """
    wrapped = list(_wrapped(address))
    if wrapped:
        return all(public(inner) for inner in wrapped)
    if address.version == 6 and address not in _GLOBAL_6:
        return False
    special = any(address in block for block in _SPECIAL if block.version == address.version)
    return address.is_global and not address.is_multicast and not special


def _wrapped(address: Address) -> Iterator[Address]:
    """Yield the IPv4 addresses that an IPv6 address is another way to write, or to reach through a gateway."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            yield address.ipv4_mapped
        if address.sixtofour:
            yield address.sixtofour
        if address.teredo:
            yield from address.teredo
        if address in _NAT64:
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _check_public(host: str, address: Address, allow_private: bool) -> None:
    if not allow_private and not public(address):
        raise BadInput(f"{host} leads to {address}, which is not a public address; give a host on the internet")


async def _addresses(host: str, port: int, resolver: Resolver) -> list[Address]:
    try:
        found = [ipaddress.ip_address(text) for text in await resolver(host, port)]
    except (OSError, ValueError) as why:  # a time-out is an OSError too
        raise BadInput(f"{host} has no address ({why or 'no answer in time'}); check the name") from None
    if not found:
        raise BadInput(f"{host} has no address; check the name")
    return found


def _split(url: str) -> tuple[SplitResult, int]:
    if not isinstance(url, str) or len(url) > LONGEST:
        raise BadInput(f"a URL is a text of {LONGEST} characters at most")
    # Parsers disagree about spaces, control characters and backslashes, and some drop them.
    if "\\" in url or not url.isprintable() or any(letter.isspace() for letter in url):
        raise _bad(url, "holds a space, a backslash or a control character", "write it percent-encoded")
    try:
        parts = urlsplit(url)
        port = parts.port if parts.port is not None else PORTS.get(parts.scheme, 0)
    except ValueError as why:
        raise _bad(url, f"is not a URL ({why})", "write https://host/path") from None
    if not _BRACKETS.fullmatch(parts.netloc.rpartition("@")[2]) and ("[" in parts.netloc or "]" in parts.netloc):
        raise _bad(url, "has brackets around what is not an IPv6 address without a zone", "write https://[2001:...]/")
    if parts.port == 0:
        raise _bad(url, "is on port 0", "use port 443")
    return parts, port


def _host(url: str, name: str) -> str:
    """Return a host as plain lower-case ASCII, or as an IP address written in the usual way."""
    if ":" in name:
        try:
            return str(ipaddress.IPv6Address(name))
        except ValueError:
            raise _bad(url, "has no IPv6 address in its brackets", "write https://[2001:...]/") from None
    host = (name if name.isascii() else _ascii(url, name)).lower().removesuffix(".")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        # `127.1`, `0x7f000001` and `0177.0.0.1` are addresses to some resolvers: only the usual form is let through.
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise _bad(url, "has an unusual IPv4 address", "write four decimal numbers") from None
    if not _HOST.fullmatch(host):
        raise _bad(url, "has no host, or one that cannot be a name", "write https://host/path")
    return host


def _ascii(url: str, name: str) -> str:
    import idna

    try:
        return idna.encode(name, uts46=True).decode()
    except (idna.IDNAError, UnicodeError) as why:
        raise _bad(url, f"has a host that cannot be a name ({why})", "write it in ASCII") from None


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _bad(url: str, what: str, cure: str) -> BadInput:
    return BadInput(f"the URL {url[:200]!r} {what}; {cure}")
