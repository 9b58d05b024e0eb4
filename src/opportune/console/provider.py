"""An identity provider over HTTP: OpenID Connect's authorization code flow with PKCE, and nothing of a token on trust.

What is checked of a token: its signature by a key that the provider publishes (never `none`, never a shared secret),
issuer, audience, authorized party, nonce, times. Sources: OpenID Connect Core 1.0 (3.1), Discovery 1.0, RP-Initiated
Logout 1.0, RFC 7636 (PKCE), RFC 9207 (which provider answered), RFC 9700 (security).
"""

from __future__ import annotations

import threading
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest, digest
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from opportune.console.oidc import FILE, SECRET, NotLetIn, Oidc, claim, secure
from opportune.errors import BadInput

if TYPE_CHECKING:
    import httpx
    from joserfc.jwk import Key, KeySet

SKEW = 60
"""Seconds that the clocks of two machines may differ."""

FRESH = 3600
"""Seconds for which what a provider says of itself is kept."""

PAUSE = 10
"""Seconds between two looks for keys that nobody knows yet: whoever invents names of keys asks no more often."""

PATIENCE = 10.0
"""Seconds that a provider has to answer."""

LONGEST = 200
"""Characters that are told of what somebody else says."""

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Signatures with a key of two halves, of which the provider alone has the secret one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said of somebody: the claims, and the token, which it wants to see again when they leave."""

    claims: Mapping[str, Any]
    token: str


class Provider:
    """One provider. A `ticket` is a secret of one browser for one try; state, nonce and verifier are made of it."""

    def __init__(self, oidc: Oidc, secret: str) -> None:
        try:
            import joserfc  # noqa: F401
        except ImportError:
            raise BadInput("signing in by a provider needs joserfc: pip install 'opportune[oidc]'") from None
        self._oidc, self._secret = oidc, secret
        self._lock = threading.Lock()
        self._told: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._told_at = self._keys_at = 0

    def begin(self, ticket: str, back: str, now: int) -> str:
        """Return where a browser goes to sign in; it comes back to `back`."""
        import httpx

        challenge = urlsafe_b64encode(sha256(_made(ticket, "verifier").encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code", "client_id": self._oidc.client_id, "redirect_uri": back,
            "scope": self._oidc.scopes, "state": state(ticket), "nonce": _made(ticket, "nonce"),
            "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        return str(httpx.URL(self._endpoint("authorization_endpoint", now)).copy_merge_params(asked))

    def finish(self, query: Mapping[str, str], ticket: str, back: str, now: int) -> Answer:
        """Return what the provider says of who came back; raise `NotLetIn` if it is not for this try, or not sound."""
        called = self._oidc.called
        if not compare_digest(query.get("state", "").encode(), state(ticket).encode()):
            raise NotLetIn("this answer belongs to another try; sign in again")
        told = self._discovered(now)
        from_whom = query.get("iss")
        if (from_whom or told.get("authorization_response_iss_parameter_supported")) and from_whom != self._oidc.issuer:
            raise NotLetIn(f"the answer comes from another provider than {called}; sign in again")
        if problem := query.get("error"):
            told_why = (query.get("error_description") or problem)[:LONGEST]
            raise NotLetIn(f"{called} says {told_why!r}; try again, or ask who runs it")
        if not query.get("code"):
            raise NotLetIn(f"{called} sent no code; sign in again")
        token, access = self._redeem(query["code"], _made(ticket, "verifier"), back, now)
        claims = self._verified(token, _made(ticket, "nonce"), now)
        wanted = (self._oidc.name, *((self._oidc.groups,) if self._oidc.roles else ()))
        if access and "userinfo_endpoint" in told and any(claim(claims, name) is None for name in wanted):
            claims = {**self._more(access, claims["sub"], now), **claims}
        return Answer(claims, token)

    def leave(self, token: str, back: str, now: int) -> str:
        """Return where a browser signs out at the provider as well; "" where it offers nothing of the kind."""
        import httpx

        if not self._discovered(now).get("end_session_endpoint"):
            return ""
        said = {"client_id": self._oidc.client_id, "post_logout_redirect_uri": back}
        if token:
            said["id_token_hint"] = token
        return str(httpx.URL(self._endpoint("end_session_endpoint", now)).copy_merge_params(said))

    def _redeem(self, code: str, verifier: str, back: str, now: int) -> tuple[str, str]:
        """Return the identity token and the access token that a code is good for."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        ways = self._discovered(now).get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        auth = None
        if self._secret and "client_secret_basic" in ways:
            auth = (quote(self._oidc.client_id, safe=""), quote(self._secret, safe=""))  # RFC 6749, 2.3.1
        else:
            form |= {"client_id": self._oidc.client_id} | ({"client_secret": self._secret} if self._secret else {})
        found = self._http("POST", self._endpoint("token_endpoint", now), data=form, auth=auth)
        if not isinstance(found.get("id_token"), str):
            problem = found.get("error_description") or found.get("error") or "no identity token"
            cure = f"check `client_id` and {SECRET}" if found.get("error") == "invalid_client" else "sign in again"
            raise NotLetIn(f"{self._oidc.called} says {str(problem)[:LONGEST]!r} to the code that it gave; {cure}")
        return found["id_token"], str(found.get("access_token") or "")

    def _verified(self, token: str, nonce: str, now: int) -> dict[str, Any]:
        """Return the claims of an identity token of which everything holds."""
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError, JoseError

        try:
            try:
                read = jwt.decode(token, lambda of: _key(self._published(now), of.headers()), algorithms=ALGORITHMS)
            except InvalidKeyIdError:
                read = jwt.decode(token, lambda of: _key(self._published(now, anew=True), of.headers()),
                                  algorithms=ALGORITHMS)  # fmt: skip
            jwt.JWTClaimsRegistry(
                now, SKEW, iss={"essential": True, "value": self._oidc.issuer}, sub={"essential": True},
                aud={"essential": True, "value": self._oidc.client_id}, nonce={"essential": True, "value": nonce},
                exp={"essential": True}, iat={"essential": True},
            ).validate(read.claims)  # fmt: skip
        except (JoseError, ValueError, TypeError) as why:
            cure = "sign in again; if that does not help, compare issuer, client and clock with the provider's"
            raise NotLetIn(f"the token of {self._oidc.called} does not hold ({why}); {cure}") from None
        party = read.claims.get("azp")
        several = isinstance(read.claims["aud"], list) and len(read.claims["aud"]) > 1
        if (several or party is not None) and party != self._oidc.client_id:
            raise NotLetIn(f"the token of {self._oidc.called} is for another client; check `client_id`")
        return read.claims

    def _more(self, access: str, subject: str, now: int) -> dict[str, Any]:
        """Return what the provider says of somebody where the token does not hold it."""
        address = self._endpoint("userinfo_endpoint", now)
        found = self._http("GET", address, headers={"Authorization": f"Bearer {access}"})
        return found if found.get("sub") == subject else {}

    def _discovered(self, now: int) -> dict[str, Any]:
        """Return the discovery document, which must be the issuer's own."""
        with self._lock:
            if not self._told or not 0 <= now - self._told_at < FRESH:
                address = f"{self._oidc.issuer.rstrip('/')}/.well-known/openid-configuration"
                found = self._http("GET", address)
                if found.get("issuer") != self._oidc.issuer:
                    theirs = str(found.get("issuer"))[:LONGEST]
                    cure = f"write `issuer` in {FILE} as it stands there"
                    raise NotLetIn(f"{address} is of the issuer {theirs!r}, not {self._oidc.issuer!r}; {cure}")
                self._told, self._told_at = found, now
            return self._told

    def _endpoint(self, name: str, now: int) -> str:
        found = self._discovered(now).get(name)
        if not isinstance(found, str) or not secure(found):
            raise NotLetIn(f"{self._oidc.called} names no https address as its `{name}`; ask who runs it")
        return found

    def _published(self, now: int, anew: bool = False) -> KeySet:
        """Return the keys of the provider; looks again for one that is new, though not too often."""
        from joserfc.jwk import KeySet

        address = self._endpoint("jwks_uri", now)
        with self._lock:
            age = now - self._keys_at
            if self._keys is None or not 0 <= age < FRESH or (anew and age >= PAUSE):
                listed = self._http("GET", address).get("keys")
                self._keys = KeySet([key for one in listed or () if (key := _imported(one)) is not None])
                self._keys_at = now
            return self._keys

    def _http(self, method: str, address: str, **more: Any) -> dict[str, Any]:
        import httpx

        try:
            found = httpx.request(method, address, timeout=PATIENCE, headers={"Accept": "application/json",
                                  **more.pop("headers", {})}, **more)  # fmt: skip
            said = found.json()
        except (httpx.HTTPError, ValueError) as why:
            cure = "try again soon; if that does not help, ask who runs it"
            raise NotLetIn(f"{address} cannot be asked ({_why(why)}); {cure}") from None
        if not isinstance(said, dict) or found.status_code >= 500 or (method == "GET" and found.status_code >= 400):
            raise NotLetIn(f"{address} answers with HTTP {found.status_code}; check `issuer`, or ask who runs it")
        return said


def state(ticket: str) -> str:
    """Return the word by which the answer to a ticket is known again."""
    return _made(ticket, "state")


def _made(ticket: str, what: str) -> str:
    return urlsafe_b64encode(digest(ticket.encode(), what.encode(), "sha256")).rstrip(b"=").decode()


def _key(keys: KeySet, header: Mapping[str, Any]) -> Key:
    return keys.get_by_kid(header.get("kid"))


def _imported(one: Any) -> Key | None:
    """Return a published key; None for one of another kind, which signs nothing for us."""
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    if not isinstance(one, dict) or one.get("kty") not in ("RSA", "EC", "OKP") or one.get("use", "sig") != "sig":
        return None
    try:
        return JWKRegistry.import_key(one)
    except (JoseError, ValueError, TypeError):
        return None


def _why(error: httpx.HTTPError | ValueError) -> str:
    return str(error).splitlines()[0][:LONGEST] or type(error).__name__
