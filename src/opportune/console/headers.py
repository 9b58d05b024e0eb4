"""The headers that every answer carries, and where requests may come from."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

FIXED = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


def policy(nonce: str, own: bool = False) -> str:
    """Return the content security policy of a page; its scripts need the nonce. `own` pages have no NiceGUI in them.

    NiceGUI compiles its templates in the browser, which needs `unsafe-eval`, and styles elements one by one.
    """
    scripts = f"'nonce-{nonce}'" if own else f"'self' 'nonce-{nonce}' 'unsafe-eval'"
    return "; ".join(
        (
            "default-src 'none'", f"script-src {scripts}", "style-src 'self' 'unsafe-inline'", "font-src 'self'",
            "img-src 'self' data: blob:", "connect-src 'self'", "base-uri 'none'", "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Origins:
    """Under which names this console is reached: `public` is an address such as https://console.acme.example, or "".

    On the loopback device only its names count, so that no other page can make a browser take it for its own.
    """

    host: str
    port: int
    public: str = ""

    def knows(self, host: str) -> bool:
        """Return whether the `Host` of a request is a name of this console."""
        if self.public and host == urlsplit(self.public).netloc:
            return True
        if self.host not in ("127.0.0.1", "localhost", "::1"):
            return bool(host)
        return host in {f"{name}:{self.port}" for name in LOOPBACK} | ({*LOOPBACK} if self.port == 80 else set())

    def same(self, origin: str | None, host: str) -> bool:
        """Return whether a request that changes something comes from a page of this console."""
        return origin in (f"http://{host}", f"https://{host}") if origin else False

    @property
    def secure(self) -> bool:
        """Whether browsers come over TLS."""
        return self.public.startswith("https://")
