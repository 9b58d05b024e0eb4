"""An identity provider that speaks OpenID Connect over HTTP, with keys of its own, and lies on demand.

It is strict where a real one is: a code is good once, for the client, address and verifier that it was made for.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

CLIENT, SECRET = "opportune", "s3cret:/+ of the client"


@dataclass
class Idp:
    """The provider; `people` are the claims of those who may sign in, by the name on their button."""

    people: dict[str, dict[str, Any]]
    lies: dict[str, Any] = field(default_factory=dict)
    """Claims of tokens that are other than they should be."""
    sign: str = "RS256"
    """How tokens are signed: RS256, none, or HS256 with the public key as if it were a secret."""
    answers: dict[str, str] = field(default_factory=dict)
    """What stands in the address of the way back beside what should, or instead of it; "" leaves it out."""
    told: dict[str, Any] = field(default_factory=dict)
    """What the discovery document says otherwise."""
    later: tuple[str, ...] = ()
    """Claims that only the userinfo endpoint has."""
    left: list[dict[str, str]] = field(default_factory=list)
    """Who signed out, as they said it."""
    asked: list[str] = field(default_factory=list)
    """The paths that were asked for."""

    def __post_init__(self) -> None:
        self.codes: dict[str, dict[str, str]] = {}
        self.access: dict[str, str] = {}
        self.rotate()

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.issuer = f"http://127.0.0.1:{self._server.server_port}/realms/acme"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *why: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def rotate(self) -> None:
        """Sign with another key from now on."""
        self.key = RSAKey.generate_key(2048, parameters={"kid": secrets.token_hex(4), "use": "sig"}, private=True)

    def discovery(self) -> dict[str, Any]:
        base = f"{self.issuer}/protocol"
        return {
            "issuer": self.issuer, "authorization_endpoint": f"{base}/auth?realm=acme",
            "token_endpoint": f"{base}/token", "jwks_uri": f"{base}/certs", "userinfo_endpoint": f"{base}/userinfo",
            "end_session_endpoint": f"{base}/logout", "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"], **self.told,
        }  # fmt: skip

    def token(self, person: str, nonce: str) -> str:
        claims = {name: one for name, one in self.people[person].items() if name not in self.later}
        now = int(time.time())
        claims |= {"iss": self.issuer, "aud": CLIENT, "nonce": nonce, "iat": now, "exp": now + 60, **self.lies}
        claims = {name: one for name, one in claims.items() if one is not None}
        if self.sign == "none":
            return ".".join(_plain(json.dumps(part).encode()) for part in ({"alg": "none"}, claims)) + "."
        if self.sign == "HS256":
            shared = OctKey.import_key(self.key.as_pem(private=False))
            head = {"alg": "HS256", "kid": self.key.kid}
            return jwt.encode(head, claims, shared, algorithms=["HS256"])
        return jwt.encode({"alg": self.sign, "kid": self.key.kid}, claims, self.key, algorithms=[self.sign])

    def redeem(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        name, _, secret = b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if (unquote(name), unquote(secret)) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or form.get("redirect_uri") != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant", "error_description": "Code not valid"}
        if _plain(sha256(form.get("code_verifier", "").encode()).digest()) != asked["code_challenge"]:
            return 400, {"error": "invalid_grant", "error_description": "PKCE verification failed"}
        access = secrets.token_urlsafe()
        self.access[access] = asked["person"]
        token = self.token(asked["person"], asked["nonce"])
        return 200, {"access_token": access, "token_type": "Bearer", "id_token": token}


def _plain(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _handler(idp: Idp) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            idp.asked.append(parts.path)
            match parts.path.removeprefix("/realms/acme"):
                case "/.well-known/openid-configuration":
                    self._json(200, idp.discovery())
                case "/protocol/certs":
                    keys = KeySet([idp.key]).as_dict(private=False)["keys"]
                    self._json(200, {"keys": [{"kty": "of tomorrow"}, *keys]})
                case "/protocol/userinfo":
                    person = idp.access.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
                    self._json(200, idp.people[person]) if person else self._json(401, {})
                case "/protocol/auth":
                    assert query["client_id"] == CLIENT
                    assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
                    self._people(query)
                case "/protocol/logout":
                    idp.left.append(query)
                    self._go(query["post_logout_redirect_uri"])
                case _:
                    self._json(404, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            idp.asked.append(urlsplit(self.path).path)
            self._json(*idp.redeem(form, self.headers.get("Authorization", "Basic ")))

        def _people(self, query: dict[str, str]) -> None:
            links = []
            for person in idp.people:
                code = secrets.token_urlsafe(8)
                idp.codes[code] = {**query, "person": person}
                said = {"code": code, "state": query["state"], "iss": idp.issuer, **idp.answers}
                back = urlencode({name: one for name, one in said.items() if one})
                links.append(f'<a href="{query["redirect_uri"]}?{back}">{person}</a>')
            self._send(200, "text/html", "<h1>Who are you?</h1>" + " ".join(links))

        def _go(self, where: str) -> None:
            self.send_response(303)
            self.send_header("Location", where)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _json(self, status: int, data: Any) -> None:
            self._send(status, "application/json", json.dumps(data))

        def _send(self, status: int, media: str, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    return Handler
