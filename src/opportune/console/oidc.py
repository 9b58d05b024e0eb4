"""Signing in by an identity provider: what `oidc.toml` says of it, and who a token of it stands for.

    issuer = "https://id.acme.example/realms/acme"
    client_id = "opportune"
    [roles]
    hub-admins = "administrator"

The secret of the client is never in the file: it comes from the environment.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from opportune.console.headers import LOOPBACK
from opportune.console.roles import known
from opportune.console.users import NAME
from opportune.errors import BadInput, OpportuneError

FILE, SECRET = "oidc.toml", "OPPORTUNE_OIDC_SECRET"
"""The file in the project folder, and where the secret of the client is."""


class NotLetIn(OpportuneError):
    """A provider knows somebody, or says so, whom this console does not let in."""


class Oidc(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is agreed with a provider. `name` and `groups` are claims; `a.b` is the claim `b` inside of `a`.

    `roles` maps groups to roles, the first that fits counts; where it is given, the provider alone says who is what.
    `unknown` is the role of people who have none by that; "" refuses them. `domains`: only people with addresses there.
    """

    issuer: str
    client_id: str
    title: str = ""
    name: str = "preferred_username"
    groups: str = "groups"
    scopes: str = "openid profile email"
    roles: dict[str, str] = {}
    unknown: str = ""
    domains: tuple[str, ...] = ()
    passwords: bool = True

    @property
    def called(self) -> str:
        """What people call the provider."""
        return self.title or (urlsplit(self.issuer).hostname or "")


@dataclass(frozen=True, slots=True)
class Person:
    """Who a provider says that somebody is: its own name for them, which never changes, theirs, the role by groups."""

    subject: str
    name: str
    role: str | None


def read(path: Path) -> Oidc:
    """Return what a file says of a provider; raise `BadInput` with the place and the cure if it cannot be meant so."""
    try:
        found = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Oidc)
        for role in (*found.roles.values(), *filter(None, [found.unknown])):
            known(role)
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file; write it with `issuer` and `client_id`") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError, BadInput) as why:
        raise BadInput(f"{path}: {why}; docs/console.md has a whole example") from None
    if not secure(found.issuer):
        raise BadInput(f"{path}: issuer is {found.issuer!r}; write its https address, as its discovery document does")
    if "openid" not in found.scopes.split():
        raise BadInput(f"{path}: scopes are {found.scopes!r}; they have `openid` among them, or nobody is signed in")
    return found


def secure(address: str) -> bool:
    """Return whether nobody between can change what an address says: TLS, or this machine.

    >>> secure("https://id.acme.example"), secure("http://127.0.0.1:9000"), secure("http://id.acme.example")
    (True, True, False)
    """
    parts = urlsplit(address)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and (parts.hostname in LOOPBACK or parts.hostname == "::1"))
    )


def who(oidc: Oidc, claims: Mapping[str, Any]) -> Person:
    """Return who the claims of a verified token stand for; raise `NotLetIn` where they do not say it, or not so."""
    name = str(claim(claims, oidc.name) or "").strip().lower()
    if not NAME.fullmatch(name):
        what = f"{name[:64]!r}, which cannot name a user" if name else "nothing"
        raise NotLetIn(f"{oidc.called} says {what} as `{oidc.name}`; name another claim with `name` in {FILE}")
    if oidc.name == "email" and not _verified(claims):
        raise NotLetIn(f"{oidc.called} did not verify the address {name}; verify it there, or name another claim")
    if oidc.domains and not _of_domain(oidc, claims):
        only = ", ".join(oidc.domains)
        raise NotLetIn(f"only people of {only} may come in, with an e-mail address that {oidc.called} verified")
    return Person(str(claims["sub"]), name, _role(oidc, claims))


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """Return a claim by its name, or by the way to it; None if there is none.

    >>> claim({"realm_access": {"roles": ["a"]}}, "realm_access.roles")
    ['a']
    """
    if path in claims:  # providers name claims by addresses, which have dots as well
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _role(oidc: Oidc, claims: Mapping[str, Any]) -> str | None:
    groups = claim(claims, oidc.groups)
    if oidc.roles and groups is None and oidc.groups in (claims.get("_claim_names") or ()):
        raise NotLetIn(f"{oidc.called} leaves `{oidc.groups}` out because there are too many; send application roles "
                       f"and name that claim with `groups` in {FILE}")  # fmt: skip
    held = {groups} if isinstance(groups, str) else {one for one in groups or () if isinstance(one, str)}
    return next((role for group, role in oidc.roles.items() if group in held), None)


def _of_domain(oidc: Oidc, claims: Mapping[str, Any]) -> bool:
    allowed = {domain.lower() for domain in oidc.domains}
    domain = str(claims.get("email") or "").rpartition("@")[2].lower()
    return _verified(claims) and domain in allowed


def _verified(claims: Mapping[str, Any]) -> bool:
    return claims.get("email_verified") in (True, "true")
