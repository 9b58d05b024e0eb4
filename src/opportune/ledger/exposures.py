"""Who was exposed to which experiment, in which arm, and since when: what an analysis begins with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import msgspec

from opportune.store.base import Store


class Exposure(NamedTuple):
    """The first exposure of a customer (`subject`, the pseudonym) to an experiment.

    `crossed`: two identities of the customer had been exposed to different arms before they met; the arm is that of the
    earlier one, and an analysis leaves such customers out.
    """

    subject: str
    arm: str
    at: int
    crossed: bool = False
    decision_id: str = ""


class _Row(msgspec.Struct, frozen=True, array_like=True):
    arm: str
    at: int
    decision_id: str


class Exposures:
    """The exposures of a store: a row per experiment and identity, as pseudonyms. What is written joins the caller's
    transaction.
    """

    def __init__(self, store: Store) -> None:
        self._rows = store.table("exposures")

    def put(self, experiment: str, subject: str, arm: str, at: int, decision_id: str) -> None:
        """Note the first exposure of an identity."""
        self._rows.put([(f"{experiment}\x1f{subject}", _encode(_Row(arm, at, decision_id)))])

    def read(
        self, experiment: str, linked: Collection[str] = (), root: Callable[[str], str] = str
    ) -> Iterator[Exposure]:
        """Yield the exposures to an experiment, each customer once, in order of pseudonyms but for those who met.

        `linked` are the identities that belong to another one, and `root` gives that (`Identities.linked`, `.root`).
        """
        prefix = f"{experiment}\x1f"
        skip, met = len(prefix), dict[str, list[tuple[str, _Row]]]()
        for key, data in self._rows.scan(prefix) if linked else ():
            subject = key[skip:]
            if subject in linked:
                met.setdefault(root(subject), []).append((subject, _decode(data)))
        for key, data in self._rows.scan(prefix):
            subject, row = key[skip:], _decode(data)
            if subject in met:
                met[subject].append((subject, row))
            elif subject not in linked:
                yield Exposure(subject, row.arm, row.at, False, row.decision_id)
        for subject, rows in sorted(met.items()):
            first = min((row for _, row in rows), key=lambda row: (row.at, row.arm))
            yield Exposure(subject, first.arm, first.at, len({row.arm for _, row in rows}) > 1, first.decision_id)

    def experiments(self) -> list[str]:
        """Return the experiments that anybody was exposed to."""
        found, last = list[str](), ""
        while (first := next(self._rows.scan(after=last), None)) is not None:
            found.append(first[0].partition("\x1f")[0])
            last = f"{found[-1]}\x1f\U0010ffff"
        return found

    def forget(self, subjects: Sequence[str]) -> None:
        """Remove the exposures of some identities."""
        self._rows.delete([f"{name}\x1f{subject}" for name in self.experiments() for subject in subjects])


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Row).decode
