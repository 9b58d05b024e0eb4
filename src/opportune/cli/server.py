"""Commands that serve: serve, key."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from opportune.cli.options import Dir, Folder, Json, StoreUrl, chosen, connect, hub_file, note, open_hub, say
from opportune.clock import parse_span
from opportune.errors import StoreInUse


def serve(
    folder: Folder = None,
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for every network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for any that is free.")] = 8080,
    private_webhooks: Annotated[
        bool, typer.Option("--private-webhooks", help="Let webhooks go to private addresses and plain http.")
    ] = False,
    public_url: Annotated[
        str | None, typer.Option(help="Where customers reach the hub; links in messages lead there.")
    ] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Answer every channel over HTTP: events in, decisions out. SIGHUP takes changed files live, Ctrl-C ends.

    Example: opportune serve shop --port 8080
    """
    found = chosen(folder or dir, store, public_url=public_url)
    file, lab_every = hub_file(found), parse_span(found.lab_every)
    try:
        hub = open_hub(found, file)
    except StoreInUse as error:
        told = file and file.read()
        where = told and told["address"]
        raise StoreInUse(f"{error}{f'; a hub serves it at {where}' if where else ''}") from None
    from opportune.api.keys import Keys
    from opportune.api.serving import run

    with hub:
        if not any(not k.revoked for k in Keys(hub.store).all()):
            note(f"There are no keys yet; in another terminal: opportune key new server --dir {found.dir}")
        run(
            hub, found.dir, host, port, file, private_webhooks,
            lambda address: say(json, {"address": address}, f"Listening on {address}; Ctrl-C ends."), found.public_url,
            lab_every,
        )  # fmt: skip
    sys.stdout.flush()
    os._exit(0)  # all is closed; what libraries say of their own memory at the end of a process helps nobody


key = typer.Typer(no_args_is_help=True, help="Make, list, rotate and revoke the keys that open the HTTP door.")


@key.command("new")
def new(
    kind: Annotated[str, typer.Argument(help="write (public, events in), server (decide, read) or admin.")],
    name: Annotated[str, typer.Option(help="Whose key this is; also the name of the source of its events.")] = "",
    scope: Annotated[list[str] | None, typer.Option(help="decide:anonymous lets a write key ask for visitors.")] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="A web origin that may use it, such as https://shop.example.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Requests per second; 0 for no limit.")] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Make a key and print it. It is shown only now.

    Example: opportune key new write --name web --origin https://shop.example
    """
    with connect(dir, store, quiet=True) as hub:
        made = hub.new_key(kind, name, scope or (), origin or (), rate)
    say(json, made, str(made.key))


@key.command("list")
def list_(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """List the keys, without their secrets.

    Example: opportune key list
    """
    with connect(dir, store, quiet=True) as hub:
        found = hub.keys()
    lines = [
        f"{k.id}  {k.kind:6}  {k.name or '-':16}  {k.created:%Y-%m-%d}  "
        f"{f'used {k.used:%Y-%m-%d %H:%M}' if k.used else 'never used':21}  "
        + (f"revoked {k.revoked:%Y-%m-%d}" if k.revoked else ", ".join([*k.scopes, *k.origins]))
        for k in found
    ]
    say(json, {"keys": found}, "\n".join(lines) or "There are no keys; make one with `opportune key new server`.")


@key.command("revoke")
def revoke(
    id: Annotated[str, typer.Argument(help="The id that `key list` shows.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Revoke a key; it stops working at once.

    Example: opportune key revoke k3x9a0b1
    """
    with connect(dir, store, quiet=True) as hub:
        gone = hub.revoke_key(id)
    say(json, gone, f"{gone.id} is revoked.")


@key.command("rotate")
def rotate(
    id: Annotated[str, typer.Argument(help="The id that `key list` shows.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Make a key like this one, print it, and revoke this one.

    Example: opportune key rotate k3x9a0b1
    """
    with connect(dir, store, quiet=True) as hub:
        made = hub.rotate_key(id)
    say(json, made, str(made.key))
GROUPS = {"key": key}
