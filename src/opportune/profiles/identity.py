"""Who is whom: the nodes of identities and the links that make persons of them.

A user id is a node. An anonymous id is a *device*: a row of nodes, one for each person that it was identified as, of
which one is current and takes its events. A person is a root node and the nodes linked to it:

- identifying a device whose current node is nobody's links that node to the user: its earlier events become theirs;
- identifying a device as another user opens another node, linked to that user: earlier events stay where they are;
- `unlink` makes a node nobody's again. It is never linked to that user again by an event.

Two user ids are never linked. The tables hold pseudonyms only; the vault alone knows which id a pseudonym stands for.
"""

from __future__ import annotations

from collections.abc import Set

import msgspec

from opportune.errors import BadRequest
from opportune.events.segment import meaningless
from opportune.profiles.recent import Recent
from opportune.store.base import Store
from opportune.store.vault import Vault

MOST_NODES = 500
"""Nodes that one person may have; a device identified beyond that stays apart."""

MOST_REUSED = 100
"""Nodes of a device that are remembered for a user who comes back to it; the oldest are no longer used again."""


class Link(msgspec.Struct, array_like=True, omit_defaults=True):
    """The place of a node: its root if it is linked, its members if it is a root, the device of an anonymous one.

    `apart` are the roots that it was taken from and is not linked to again.
    """

    root: str | None = None
    members: list[str] = []
    device: str | None = None
    apart: list[str] = []


class Device(msgspec.Struct, array_like=True):
    """An anonymous id: its current node, the nodes it may use again, and how many it ever had."""

    current: str
    nodes: list[str]
    epochs: int = 1


class Identities:
    """The links and devices of a store, read through bounded caches. Changes are written at once."""

    def __init__(self, store: Store, vault: Vault, cache_size: int, blocked: Set[str]) -> None:
        self._blocked = blocked
        self._vault = vault
        self._links, self._devices = store.table("links"), store.table("devices")
        self._link = Recent[str, Link](cache_size)
        self._subject = Recent[str, str](2 * cache_size)
        self._current = Recent[str, str](cache_size)

    def node(self, user_id: str | None, anonymous_id: str | None, create: bool) -> str | None:
        """Return the node of a user id, or where that is meaningless of an anonymous id; None as `user` has it."""
        node = self.user(user_id, create)
        return self.anonymous(anonymous_id, create) if node is None and meaningless(user_id, self._blocked) else node

    def user(self, user_id: str | None, create: bool) -> str | None:
        """Return the node of a user id; None if it is meaningless, or unknown and none is to be made."""
        return None if user_id is None else self._pseudonym("u:", user_id, create)

    def anonymous(self, anonymous_id: str | None, create: bool) -> str | None:
        """Return the current node of an anonymous id; None if it is meaningless, or unknown and none is to be made."""
        if anonymous_id is None:
            return None
        found = self._current.get(anonymous_id)
        if found is None:
            device_id = self._pseudonym("d:", anonymous_id, create)
            device = self._device(device_id)
            if device_id is None or (device is None and not create):
                return None
            found = device.current if device else self._open(anonymous_id, device_id, None)
            self._current.put(anonymous_id, found)
        return found

    def root(self, node: str) -> str:
        """Return the root of the person that a node belongs to: itself if it is not linked."""
        return self.link(node).root or node

    def nodes(self, root: str) -> tuple[str, ...]:
        """Return the nodes of a person, the root first."""
        return (root, *self.link(root).members)

    def link(self, node: str) -> Link:
        """Return the place of a node, not to be changed; a blank one if it has none."""
        found = self._link.get(node)
        if found is None:
            row = self._links.get(node)
            found = _link(row) if row is not None else Link()
            self._link.put(node, found)
        return found

    def linked(self) -> set[str]:
        """Return every node that belongs to another one."""
        return {node for node, row in self._links.scan() if _link(row).root is not None}

    def join(self, user: str, anonymous_id: str) -> str | None:
        """Make an anonymous id a user's; return the node that this links, if any.

        None where the id is theirs already, or was and is again, is meaningless, or the user has too many.
        """
        current = self.anonymous(anonymous_id, create=True)
        if current is None:
            return None
        place = self.link(current)
        if place.root == user or len(self.link(user).members) >= MOST_NODES:
            return None
        if place.root is None and user not in place.apart:
            self._attach(user, current)
            return current
        device_id = place.device
        assert device_id is not None
        device = self._device(device_id)
        assert device is not None
        known = next((node for node in device.nodes if self.link(node).root == user), None)
        if known is not None:
            self._write_device(device_id, Device(known, device.nodes, device.epochs))
            self._current.put(anonymous_id, known)
            return None
        opened = self._open(anonymous_id, device_id, device)
        self._current.put(anonymous_id, opened)
        self._attach(user, opened)
        return opened

    def unlink(self, node: str) -> str:
        """Take a node out of its person and return the root it had; `BadRequest` if it is linked to none."""
        place = self.link(node)
        if place.root is None:
            raise BadRequest(f"node {node} is linked to nobody; name one of the nodes that the profile lists")
        root = self.link(place.root)
        members = [member for member in root.members if member != node]
        self._write(place.root, Link(root.root, members, root.device, root.apart))
        self._write(node, Link(None, place.members, place.device, [*place.apart, place.root]))
        return place.root

    def forget(self, nodes: tuple[str, ...]) -> tuple[str, ...]:
        """Remove the places of a person's nodes, and devices whose current node is among them.

        Return every pseudonym that now stands for nothing: the nodes and those devices.
        """
        gone = set(nodes)
        devices = {d for d in (self.link(node).device for node in nodes) if d is not None}
        for device_id in sorted(devices):
            device = self._device(device_id)
            if device is None:
                continue
            if device.current in gone:
                self._devices.delete([device_id])
                gone.add(device_id)
            else:
                kept = [node for node in device.nodes if node not in gone]
                self._write_device(device_id, Device(device.current, kept, device.epochs))
        self._links.delete(list(nodes))
        self.clear()
        return (*nodes, *sorted(gone.difference(nodes)))

    def clear(self) -> None:
        """Empty the caches."""
        for cache in (self._link, self._subject, self._current):
            cache.clear()

    def _attach(self, user: str, node: str) -> None:
        root, place = self.link(user), self.link(node)
        self._write(user, Link(root.root, [*root.members, node], root.device, root.apart))
        self._write(node, Link(user, place.members, place.device, place.apart))

    def _open(self, anonymous_id: str, device_id: str, device: Device | None) -> str:
        """Make the next node of a device and make it current."""
        epoch = device.epochs if device else 0
        node = self._vault.subject(f"a:{anonymous_id}#{epoch}")
        nodes = [*(device.nodes if device else []), node][-MOST_REUSED:]
        self._write_device(device_id, Device(node, nodes, epoch + 1))
        self._write(node, Link(device=device_id))
        return node

    def _pseudonym(self, kind: str, bare: str, create: bool) -> str | None:
        id_text = kind + bare
        found = self._subject.get(id_text)
        if found is None and not meaningless(bare, self._blocked):
            found = self._vault.subject(id_text) if create else self._vault.find(id_text)
            if found is not None:
                self._subject.put(id_text, found)
        return found

    def _device(self, device_id: str | None) -> Device | None:
        row = None if device_id is None else self._devices.get(device_id)
        return None if row is None else msgspec.msgpack.decode(row, type=Device)

    def _write(self, node: str, link: Link) -> None:
        self._links.put([(node, msgspec.msgpack.encode(link))])
        self._link.put(node, link)

    def _write_device(self, device_id: str, device: Device) -> None:
        self._devices.put([(device_id, msgspec.msgpack.encode(device))])


_link = msgspec.msgpack.Decoder(Link).decode
