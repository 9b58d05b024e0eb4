"""Learning: kernels against numpy, planted truth, evaluation, a model that is kept, and what a restart remembers."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shelf_house import EACH, THEMES, House, book

from opportune.catalog.shelf_types import ShelfRules
from opportune.clock import DAY
from opportune.errors import BadInput
from opportune.recommend import blend
from opportune.recommend.blend import Compared
from opportune.recommend.evaluate import hit_rate, read_table
from opportune.recommend.item import Item, item_of, whole
from opportune.recommend.items import Items
from opportune.recommend.learning import renumbered
from opportune.recommend.live import Pairs
from opportune.recommend.model import dump, load, train
from opportune.recommend.parts.neighbors import companions, cosine, ease
from opportune.recommend.rows import baskets, rows_of, without
from opportune.recommend.types import Asked, Rows, Weighted
from opportune.store import open_store
from opportune.testing import START

DATA = Path(os.environ.get("OPPORTUNE_DATA", Path(__file__).parents[3] / "shared" / "data"))


def dense(rows: Rows) -> npt.NDArray[np.float64]:
    table = np.zeros((len(rows), rows.n))
    for r in range(len(rows)):
        part = slice(rows.starts[r], rows.starts[r + 1])
        table[r, rows.items[part]] = rows.weights[part]
    return table


def planted(customers: int = 400, themes: int = 5, each: int = 12, seed: int = 0) -> Rows:
    """Return rows in which each customer has 6 items, nearly all of one theme."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(customers), 6)
    theme = np.repeat(rng.integers(0, themes, customers), 6)
    theme = np.where(rng.random(len(who)) < 0.1, rng.integers(0, themes, len(who)), theme)
    items = theme * each + rng.integers(0, each, len(who))
    return rows_of(who.astype(np.int32), items.astype(np.int32), np.ones(len(who), np.float32),
                   np.zeros(len(who), np.int64), themes * each, 50)  # fmt: skip


logs = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9), st.floats(0.1, 1), st.integers(0, 5)), max_size=60)


@given(logs)
@settings(deadline=None, max_examples=60)
def test_neighbors_are_what_numpy_says(log: list[tuple[int, int, float, int]]) -> None:
    who, items, weights, at = (np.array([one[k] for one in log]) for k in range(4))
    kinds = (np.int32, np.int32, np.float32, np.int64)
    rows = rows_of(*(x.astype(kind) for x, kind in zip((who, items, weights, at), kinds)), 10, 50)
    table = dense(rows)
    assert len(set(zip(*(x.tolist() for x in np.nonzero(table))))) == len({(w, i) for w, i, _, _ in log})
    square = table.T @ table
    norm = np.sqrt(np.diag(square)) + 1e-9
    near = square / norm / norm[:, None]
    inverse = np.linalg.inv(square + 20 * np.eye(10))
    linear = -inverse / np.diag(inverse)
    had = (table > 0).astype(float)
    both = had.T @ had
    share = both / (np.diag(both) + 5)[:, None]
    for part, right in ((cosine(rows), near), (ease(rows, 20.0), linear), (companions(rows), share)):
        counted = np.diag(square) > 0
        for item in np.flatnonzero(counted).tolist():
            asked = Weighted(np.array([item], np.int32), np.array([1.0], np.float32))
            found = part.scores(Asked(asked, asked)).values
            expected = np.where(np.arange(10) == item, 0, right[item]) * counted
            assert found == pytest.approx(expected, abs=2e-4)


def test_rows_keep_the_last_of_each_customer_and_the_strongest_weight() -> None:
    rows = rows_of(np.array([1, 0, 1, 1, 1], np.int32), np.array([3, 2, 4, 3, 5], np.int32),
                   np.array([0.9, 1, 1, 0.2, 1], np.float32), np.array([1, 1, 2, 3, 4]), 6, 2)  # fmt: skip
    assert rows.starts.tolist() == [0, 1, 3]
    assert rows.items.tolist() == [2, 3, 5]
    assert rows.weights.tolist() == pytest.approx([1, 0.9, 1])
    assert without(rows, np.array([1])).items.tolist() == [2, 5]
    cut = baskets(replace(rows, at=np.array([0, 0, DAY])))
    assert cut.starts.tolist() == [0, 1, 2, 3]


def test_the_blend_finds_the_part_that_knows() -> None:
    rng = np.random.default_rng(1)
    cases = []
    for _ in range(400):
        scores = rng.random((60, 3))
        target = int(rng.integers(60))
        scores[target, 1] += 0.8
        cases.append(Compared(scores, target))
    weights = blend.fitted(cases, np.ones(3))
    assert weights[1] > 5 * max(weights[0], weights[2])
    assert blend.hits(cases, weights) >= blend.hits(cases, np.array([0.0, 1, 0])) - 0.01
    assert (weights > 0).all()


def test_what_is_planted_is_found_and_popularity_is_not_enough() -> None:
    rows = planted()
    who = np.repeat(np.arange(len(rows)), np.diff(rows.starts))
    found = hit_rate((who, rows.items), n=10, least=4)
    assert found.popularity < 0.35
    assert found.hit_rate > 0.7
    assert found.hit_rate >= found.item_cosine - 0.03
    assert found.interval[0] < found.hit_rate < found.interval[1]


def test_evaluation_judges_on_what_it_did_not_learn() -> None:
    rng = np.random.default_rng(5)
    who, what = np.repeat(np.arange(300), 6), rng.integers(0, 200, 1800)
    assert hit_rate((who, what), n=10).hit_rate < 0.12  # pure noise: 10 of 200, and no more


@pytest.mark.skipif(not (DATA / "msweb.csv.gz").exists(), reason="msweb.csv.gz is not in OPPORTUNE_DATA")
def test_on_real_visits_it_beats_item_cosine_and_popularity() -> None:
    users, items = read_table(DATA / "msweb.csv.gz", "user_id", "area")
    found = hit_rate((users, items), most=3_000)
    assert found.item_cosine == pytest.approx(0.724, abs=0.02)
    assert found.popularity == pytest.approx(0.574, abs=0.02)
    assert found.vs_item_cosine >= 1.0
    assert found.hit_rate >= 0.724


def test_files_that_cannot_be_judged_say_why(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("user,item\na,x\nb,y\n")
    with pytest.raises(BadInput, match="there is no column 'who'; the columns are user, item"):
        read_table(file, "who", "item")
    with pytest.raises(BadInput, match="no user has 5 items"):
        hit_rate(read_table(file, "user", "item"))
    with pytest.raises(BadInput, match="no such file"):
        read_table(tmp_path / "none.csv", "user", "item")


def test_a_model_is_the_same_after_it_was_kept_and_at_other_numbers() -> None:
    rows = planted(200)
    model = train(rows, ids=np.arange(rows.n))
    again = load(dump(model))
    assert again is not None
    asked = blend.asked_of(np.array([3, 4], np.int32), np.ones(2, np.float32))
    order = np.random.default_rng(0).permutation(rows.n).astype(np.int32)
    moved = renumbered(model, order, rows.n + 5)
    there = blend.asked_of(order[[3, 4]], np.ones(2, np.float32))
    for one, two, three in zip(model.parts, again.parts, moved.parts):
        assert one.name == two.name == three.name
        scores = one.scores(asked).values
        assert two.scores(asked).values.tolist() == scores.tolist()
        assert three.scores(there).values[order] == pytest.approx(scores, abs=1e-5)
    assert dump(train(rows, ids=np.arange(rows.n))) == dump(model)  # pure
    gone = renumbered(model, np.where(np.arange(rows.n) < 30, np.arange(rows.n), -1).astype(np.int32), 30)
    assert all(len(part.scores(asked).values) == 30 for part in gone.parts)


@given(logs, st.randoms(use_true_random=False), st.integers(0, 90 * DAY))
@settings(deadline=None, max_examples=25)
def test_the_same_log_gives_the_same_model_to_the_bit(
    log: list[tuple[int, int, float, int]], random: Random, later: int
) -> None:
    """Whoever the customers are, in whatever order they come, and whenever it was."""
    names = random.sample(range(7), 7)
    ids = np.arange(100, 110)
    models = []
    for name, shift in ((list(range(7)), 0), (names, later)):
        order = np.argsort([name[one[0]] for one in log], kind="stable").astype(np.int64)
        who, items, weights, at = (np.array([log[k][column] for k in order]) for column in range(4))
        numbers = np.array([name[k] for k in who], np.int32)
        what, said, when = items.astype(np.int32), weights.astype(np.float32), at.astype(np.int64) * DAY + shift
        sold = at % 2 == 0
        rows = rows_of(numbers, what, said, when, 10, 50)
        bought = rows_of(numbers[sold], what[sold], said[sold], when[sold], 10, 50)
        models.append(dump(train(rows, ids=ids, bought=bought)))
    assert models[0] == models[1]


def test_what_customers_are_called_and_who_came_first_changes_no_model() -> None:
    models = []
    for called, order in (("customer-{}", range(40)), ("{}-remotsuc", reversed(range(40)))):
        house = House()
        for k in order:
            for item in range(4):
                theme = THEMES[(k + (item == k % 5)) % len(THEMES)]
                at = START - k * DAY + item
                house.hears(called.format(k), "Order Completed", f"{theme}-{k * item % EACH}", at=at)
        house.train()
        model = house.shelf.learned.model()
        assert model is not None
        models.append(dump(model))
    assert models[0] == models[1]


def test_few_customers_say_little_of_which_part_knows_more() -> None:
    rng = np.random.default_rng(4)

    def weights(count: int) -> npt.NDArray[np.float64]:
        cases = []
        for _ in range(count):
            scores = rng.random((40, 3)) / np.sqrt(1 / 3)
            scores[0, 1] += 0.8
            cases.append(Compared(scores, 0))
        return blend.fitted(cases, np.array([1.0, 1.0, 0.1]))

    few, some, many = (weights(count) for count in (19, 40, 1_000))
    assert few / few[0] == pytest.approx([1, 1, 0.1], rel=0.15), "what was thought beforehand"
    assert few[1] / few[0] < some[1] / some[0] < many[1] / many[0], "the more it is seen, the more it counts"
    assert many[1] / many[0] > 10


def test_a_restart_remembers_items_tastes_counts_and_the_model() -> None:
    house = House(ShelfRules(explore=0.0))
    house.populate(60)
    house.put(book("zen", 1), book("zen", 2))
    house.hears("kai", "Product Viewed", "travel-3", "travel-4")
    house.shelf.pairs = Pairs()  # what a restart forgets
    before = house.gets("kai", n=8)
    house.shelf = house.open()
    after = house.gets("kai", n=8)
    assert [one.id for one in after] == [one.id for one in before]
    assert [one.score for one in after] == pytest.approx([one.score for one in before], rel=1e-4)
    blobs = list(house.store.blobs.names())
    house.train()
    assert len(list(house.store.blobs.names())) == len(blobs)  # the old model is gone


def test_events_that_came_before_the_shelf_are_caught_up_with() -> None:
    from opportune.hub import Hub
    from opportune.services.shelves import hear
    from opportune.testing import FakeClock, tiny_catalog

    hub = Hub.of(tiny_catalog(), clock=FakeClock())
    bought = {"type": "track", "event": "Order Completed", "userId": "ana", "messageId": "m",
              "properties": {"products": [{"product_id": "a", "name": "A tale"}, {"product_id": "b"}]}}  # fmt: skip
    hub.ingest(bought)
    with hub.group():
        assert not hear(hub)
    shelf = hub.goods.shelf
    assert [item.id for item in shelf.items.each()] == ["a", "b"]
    [node] = hub.nodes("ana")
    assert [touch.item for touch in shelf.tastes.of(node).touches] == ["a", "b"]
    with hub.group():
        hear(hub)
    assert len(shelf.tastes.of(node).touches) == 2
    hub.close()


def test_what_failed_leaves_no_trace_in_memory() -> None:
    house = House()
    house.put(book("tea", 1, price=5.0))
    with suppress(RuntimeError), house.store.transaction():
        house.shelf.put([book("tea", 1, stock=0), book("tea", 2)], house.at)
        raise RuntimeError("the disk is full")
    house.shelf.clear()
    found = {one.id for one in house.gets("anyone", n=60)}
    assert "tea-1" in found
    assert "tea-2" not in found


@given(st.lists(st.text(min_size=1, max_size=8).filter(lambda s: "\x1f" not in s), unique=True, max_size=40))
@settings(deadline=None, max_examples=40)
def test_items_are_found_by_any_id(ids: list[str]) -> None:
    ids = [one for one in ids if one.encode("utf-8", "ignore").decode() == one]
    store = open_store("memory:")
    items = Items(store)
    items.put([Item(one) for one in ids])
    for one in (items, Items(store)):
        assert [one.id(one.number(name)) for name in ids] == ids
        assert one.number("nobody has this id") == -1
        assert one.numbers(one.column("key")).tolist() == list(range(len(ids)))
    assert items.remove(ids[:1]) == len(ids[:1])
    assert [item.id for item in items.each()] == sorted(ids[1:])


def test_many_items_grow_beyond_the_first_arrays() -> None:
    items = Items(open_store("memory:"))
    for start in range(0, 30_000, 5_000):
        items.put([Item(f"i{k}", stock=k) for k in range(start, start + 5_000)])
    assert items.number("i29999") >= 0
    assert items.column("stock")[items.number("i12345")] == 12345
    assert len(items) == 30_000


def test_items_are_read_as_they_are_written_and_mistakes_are_named() -> None:
    item = item_of({"sku": "7", "name": "Dracula", "category": "horror | classics", "price": "9.9", "tags": ["x"],
                    "consumable": "20d", "valid_until": "2026-05-01", "minAge": 16, "margin": -1,
                    "stock": 3}, 5)  # fmt: skip
    assert (item.id, item.categories, item.every, item.min_age) == ("7", ("horror", "classics"), 20 * DAY, 16)
    assert item_of(whole(item), 99) == item
    for row, what in (
        ({"title": "x"}, "has no id"), ({"id": "a", "price": "cheap"}, "item 'a': price is 'cheap'"),
        ({"id": "a", "stock": -1}, "stock"), ({"id": "a", "valid_from": "soon"}, "valid_from"),
        ({"id": "a", "categories": [1]}, "categories"), ({"id": "a", "consumable": "often"}, "consumable"),
        ({"id": "a" * 600}, "has no id"), ({"id": "a", "tags": ["t"] * 1 + [str(k) for k in range(30)]}, "tags"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=what):
            item_of(row, 0)
