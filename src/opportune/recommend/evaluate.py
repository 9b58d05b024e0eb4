"""How often the recommender finds what somebody took: leave-one-out hit rate on any file of users and items.

One item of each user is held back (the last where there is a time column, a random one where not), everything is
learned from the rest, and all items that the user did not have are ranked. The hit rate is the share of users whose
held item is among the first n; equal scores share their places. Beside it, in the same run: popularity (how many users
had it), item cosine (sum of cosines to the user's items), and each part alone.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.errors import BadInput
from opportune.recommend import blend
from opportune.recommend.model import cases_of, held_back, train
from opportune.recommend.rows import rows_of, without
from opportune.recommend.types import Rows

ROW = 400
"""The most items of one user that count, the last ones."""


class HitRates(msgspec.Struct, frozen=True):
    """Hit rates at `n` of `users` users; `parts` has each part alone; `seconds` is what learning took."""

    n: int
    users: int
    items: int
    rows: int
    hit_rate: float
    popularity: float
    item_cosine: float
    vs_item_cosine: float
    interval: tuple[float, float]
    parts: dict[str, float]
    weights: dict[str, float]
    seconds: float


def hit_rate(
    table: tuple[npt.ArrayLike, npt.ArrayLike] | tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
    n: int = 10,
    least: int = 5,
    most: int = 20_000,
    seed: int = 0,
) -> HitRates:
    """Return the hit rates on a table of users, items and (if it has it) times.

    Users with fewer than `least` items teach and are not judged; of more than `most` others, that many are, drawn by
    the seed. `interval` is the 95 % interval of the hit rate over users. Raises `BadInput` where nobody can be judged.
    """
    rows = _rows(*table)
    places = held_back(rows, most, least, seed)
    if not len(places):
        raise BadInput(f"no user has {least} items or more; lower `least`, or give another column for the user")
    began = clock.perf_counter()
    rest = without(rows, places)
    model = train(rest, seed=seed + 1)
    seconds = clock.perf_counter() - began
    cases = cases_of(rest, rows, places)
    names = [part.name for part in model.parts]
    ways: dict[str, npt.NDArray[np.float32]] = {"blend": model.weights}
    ways |= {name: np.eye(len(names), dtype=np.float32)[k] for k, name in enumerate(names)}
    found = {name: np.zeros(len(cases)) for name in [*ways, "popularity", "item_cosine"]}
    counts = np.bincount(rest.items, minlength=rest.n).astype(np.float32)
    near = _whole_cosine(rest)
    for k, case in enumerate(cases):
        scores = {part.name: part.scores(case.asked).values for part in model.parts}
        scores |= {"popularity": counts, "item_cosine": near(case.seen)}
        scores["blend"] = sum(w * scores[name] for name, w in zip(names, model.weights))
        free = np.ones(rest.n, bool)
        free[case.seen] = False
        for name, values in scores.items():
            found[name][k] = blend.placed(values[free], float(values[case.held]), n)
    rates = {name: float(each.mean()) for name, each in found.items()}
    ours, error = rates["blend"], 1.96 * float(found["blend"].std()) / np.sqrt(len(cases))
    return HitRates(
        n, len(cases), rest.n, len(rows.items), ours, rates["popularity"], rates["item_cosine"],
        ours / max(rates["item_cosine"], 1e-9), (ours - error, ours + error), {name: rates[name] for name in names},
        dict(zip(names, model.weights.tolist())), seconds,
    )  # fmt: skip


def read_table(path: Path, user: str, item: str, time: str | None = None) -> tuple[Any, ...]:
    """Return the columns of a CSV (also .gz) or Parquet file as arrays; rows without user or item are left out.

    Raises `BadInput` for a file or a column that is not there.
    """
    import duckdb

    if not path.is_file():
        raise BadInput(f"{path}: there is no such file")
    reader = "read_parquet" if path.suffix == ".parquet" else "read_csv"
    with duckdb.connect() as db:
        relation = f"{reader}({_text(str(path))})"
        try:
            known = [row[0] for row in db.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()]
        except duckdb.Error as error:
            raise BadInput(f"{path}: {str(error).splitlines()[0]}") from None
        for name in filter(None, (user, item, time)):
            if name not in known:
                raise BadInput(f"{path}: there is no column {name!r}; the columns are {', '.join(known)}")
        what = f"CAST({_name(user)} AS VARCHAR) AS u, CAST({_name(item)} AS VARCHAR) AS i"
        what += f", epoch_us(CAST({_name(time)} AS TIMESTAMP)) AS t" if time else ""
        where = f"{_name(user)} IS NOT NULL AND {_name(item)} IS NOT NULL"
        try:
            found = db.execute(f"SELECT {what} FROM {relation} WHERE {where}").fetchnumpy()
        except duckdb.Error as error:
            raise BadInput(f"{path}: {str(error).splitlines()[0]}") from None
    return tuple(found[name] for name in ("u", "i", "t") if name in found)


def _rows(users: npt.ArrayLike, items: npt.ArrayLike, at: npt.ArrayLike | None = None) -> Rows:
    _, who = np.unique(np.asarray(users).astype(str), return_inverse=True)
    names, what = np.unique(np.asarray(items).astype(str), return_inverse=True)
    when = np.zeros(len(who), np.int64) if at is None else np.asarray(at).astype(np.int64)
    return rows_of(who.astype(np.int32), what.astype(np.int32), np.ones(len(who), np.float32), when, len(names), ROW)


def _whole_cosine(rows: Rows) -> Callable[[Sequence[int] | npt.NDArray[np.int32]], npt.NDArray[np.float32]]:
    """Return the item cosine of all items with all: nothing left out, as the peer that it is here."""
    who = np.repeat(np.arange(len(rows)), np.diff(rows.starts))
    norm = np.sqrt(np.bincount(rows.items, minlength=rows.n)) + 1e-9
    order = np.argsort(rows.items, kind="stable")
    by, customers = np.append(0, np.cumsum(np.bincount(rows.items, minlength=rows.n))), who[order]
    cached: dict[int, npt.NDArray[np.float32]] = {}

    def of(item: int) -> npt.NDArray[np.float32]:
        row = cached.get(item)
        if row is None:
            others = [rows.items[rows.starts[c] : rows.starts[c + 1]] for c in customers[by[item] : by[item + 1]]]
            together = np.bincount(np.concatenate(others), minlength=rows.n) if others else np.zeros(rows.n)
            row = (together / norm / norm[item]).astype(np.float32)
            if len(cached) * rows.n < 50_000_000:
                cached[item] = row
        return row

    def near(items: Sequence[int] | npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        total = np.zeros(rows.n, np.float32)
        for item in items:
            total += of(int(item))
        return total

    return near


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


