"""Command: console, and its users."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer
from typer.core import TyperGroup

from opportune.cli.options import Dir, Json, StoreUrl, chosen, hub_file, note, say
from opportune.errors import BadInput

if TYPE_CHECKING:
    from opportune.console.book import Book

PORT = 8081
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _Console(TyperGroup):
    """A command with commands below it, that takes a folder like `serve` does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read `console DIR` as `console --dir DIR`."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["--dir", *args]
        return super().parse_args(ctx, args)


console = typer.Typer(cls=_Console, invoke_without_command=True, rich_markup_mode=None)
users = typer.Typer(no_args_is_help=True, help="The people who may sign in.")
console.add_typer(users, name="users")


@console.callback(invoke_without_command=True)
def serve(
    ctx: typer.Context,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for any that is free.")] = PORT,
    hub: Annotated[str, typer.Option(help="The hub to show (default: the one that serves the folder).")] = "",
    key: Annotated[str, typer.Option(envvar="OPPORTUNE_KEY", help="An admin key of that hub.")] = "",
    console_url: Annotated[str, typer.Option(help="The https address that people open, behind a proxy with TLS.")] = "",
    oidc: Annotated[
        Path | None, typer.Option(help="A file about a provider that signs people in (default: DIR/oidc.toml).")
    ] = None,
    guest: Annotated[
        bool, typer.Option(help="For a demo: the link lets in by itself, and the console ends with its stdin.")
    ] = False,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """A web page for the people who run a hub: see it think, and steer it. Ctrl-C ends it.

    Example: opportune console shop
    """
    if ctx.invoked_subcommand:
        return
    found = chosen(dir, store)
    if hub and not key:
        raise BadInput("name a key of that hub: --key KEY; there, `opportune key new admin` makes one")
    for name, url in (("--hub", hub), ("--console-url", console_url)):
        parts = urlsplit(url)
        if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
            raise BadInput(f"{name} is {url!r}; write an address such as https://{name[2:5]}.acme.example")
    if urlsplit(console_url).path.strip("/"):
        raise BadInput(f"--console-url is {console_url!r}; the console has an address of its own, without a path")
    file = hub_file(found)

    def find() -> tuple[str, str] | None:
        if hub:
            return hub, key
        told = file and file.read()
        return (told["address"], told["token"]) if told else None

    if find() is None:
        where = f"start one with `opportune serve {found.dir}`, or name one: --hub URL --key KEY"
        raise BadInput(f"no hub serves {found.dir}; {where}")
    from opportune.console import oidc as providers
    from opportune.console.serving import Settings, run

    file_of_provider = oidc or Path(found.dir) / providers.FILE
    provider = None
    if oidc or file_of_provider.is_file():
        provider = providers.read(file_of_provider), os.environ.get(providers.SECRET, "")

    if host not in LOOPBACK and not console_url.startswith("https://"):
        cure = "let a proxy with TLS stand before it, and name what people open: --console-url https://..."
        if provider:
            raise BadInput(f"a provider sends people back over TLS alone; {cure}")
        note(f"Passwords cross the network as they are: {cure}")

    def begun(address: str, link: str | None) -> None:
        text = f"The console is at {address}; Ctrl-C ends it."
        if link:
            text += f"\nBegin here (once, within the hour): {link}"
        say(json, {"address": address, "link": link}, text)

    if guest:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    run(Settings(host, port, find, _folder(found), console_url.rstrip("/"), guest, provider), begun)


def _end_with_stdin() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


@users.command("list")
def list_(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """List who may sign in, and as what.

    Example: opportune console users list
    """
    from opportune.console.users import Users

    with _book(dir, store) as book:
        found = Users(book).all()
    lines = [
        f"{u.name:24}  {u.role:22}  {'' if u.chose else 'has no password yet: `users link`'}".rstrip() for u in found
    ]
    say(json, {"users": [{"name": u.name, "role": u.role, "chose": u.chose} for u in found]}, "\n".join(lines))


@users.command("add")
def add(
    name: Annotated[str, typer.Argument(help="The name to sign in with.")],
    role: Annotated[str, typer.Option(help="What they are here for, such as analyst.")] = "read-only",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Add somebody, and print the link with which they choose a password.

    Example: opportune console users add ana --role "marketing manager"
    """
    from opportune.console.users import Users

    with _book(dir, store) as book:
        now = int(time.time())
        Users(book).add(name, role, now)
        _note(book, now, f"added {name} as {role}")
        _linked(Users(book).link(name, now), json)


@users.command("role")
def role(
    name: Annotated[str, typer.Argument(help="Whose role.")],
    to: Annotated[str, typer.Argument(help="The new role.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Give somebody another role, from their next click on.

    Example: opportune console users role ana analyst
    """
    from opportune.console.users import Users

    with _book(dir, store) as book:
        Users(book).change_role(name, to)
        _note(book, int(time.time()), f"made {name} {to}")
    say(json, {"name": name, "role": to}, f"{name} is {to} now.")


@users.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="Who.")], dir: Dir = None, store: StoreUrl = None, json: Json = False
) -> None:
    """Remove somebody, and sign them out.

    Example: opportune console users remove ana
    """
    from opportune.console.users import Users

    with _book(dir, store) as book:
        Users(book).remove(name)
        _note(book, int(time.time()), f"removed {name}")
    say(json, {"name": name, "removed": True}, f"{name} is removed.")


@users.command("link")
def link(
    name: Annotated[str, typer.Argument(help="Who.")], dir: Dir = None, store: StoreUrl = None, json: Json = False
) -> None:
    """Print a link with which somebody chooses a new password, once and within the hour.

    Example: opportune console users link ana
    """
    from opportune.console.users import Users

    with _book(dir, store) as book:
        now = int(time.time())
        token = Users(book).link(name, now)
        _note(book, now, f"made a link for {name}")
        _linked(token, json)


@console.command("audit")
def audit(
    limit: Annotated[int, typer.Option(min=1, help="How many lines.")] = 50,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Verify the audit trail, and print its last lines: who signed in, and who changed what.

    Example: opportune console audit
    """
    from opportune.console.audit import Audit

    with _book(dir, store) as book:
        broken, lines = Audit(book).broken(), Audit(book).lines(limit=limit)
    data = {"broken": broken, "lines": [{n: getattr(line, n) for n in line.__slots__} for line in lines]}
    told = "The trail is as it was written." if broken is None else f"LINE {broken} IS NOT AS IT WAS WRITTEN."
    rows = [
        f"{n.number:6}  {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(n.at))}  {n.who}: {n.what} {n.about}"
        for n in lines
    ]
    say(json, data, "\n".join([told, *rows]))
    if broken is not None:
        raise typer.Exit(1)


@contextmanager
def _book(dir: str | None, store: str | None) -> Iterator[Book]:
    from opportune.console.book import Book
    from opportune.console.serving import FILE

    folder = _folder(chosen(dir, store))
    if not folder.parent.is_dir():
        raise BadInput(f"there is no folder {folder.parent}; name that of the project with --dir")
    book = Book(folder / FILE)
    try:
        yield book
    finally:
        book.close()


def _folder(found: Any) -> Path:
    """Return the folder of the console's file: beside the store."""
    file = found.store.removeprefix("sqlite:///")
    return Path(found.dir) / ".opportune" if file == found.store else Path(file).parent


def _note(book: Book, now: int, what: str) -> None:
    from opportune.console.audit import Audit

    Audit(book).note(now, "the command line", what)


def _linked(token: str, json: bool) -> None:
    note("Once and within the hour, at the address of your console:")
    say(json, {"path": f"/welcome/{token}"}, f"/welcome/{token}")
