"""What was tried before: the nearest first, with what it came to, the same whatever the order."""

from __future__ import annotations

import numpy as np
import pytest

from opportune.catalog.lab_types import Hypothesis
from opportune.lab.past import Past, nearest
from opportune.measure.pooling import Estimate


def belief(
    name: str, claim: str, metric: str = "orders", tags: tuple[str, ...] = (), expected: float = 0.05
) -> Hypothesis:
    return Hypothesis(name, claim, "", metric, expected, 0.02, tags=tags)


NEW = belief("early", "An early reminder brings back abandoned carts", tags=("reminder", "cart"))
LATE = belief("late", "A late reminder brings back carts", tags=("reminder",))
PRICE = belief("price", "A discount in the cart", tags=("discount", "cart"))
MUSIC = belief("music", "Music on the phone line calms people", metric="complaints", tags=("phone",))


def flows(*values: float, error: float = 0.01) -> tuple[Estimate, ...]:
    return tuple(Estimate(value, error) for value in values)


def test_the_most_alike_comes_first_and_strangers_do_not_come() -> None:
    past = [Past(MUSIC, flows(0.1)), Past(PRICE, flows(0.1)), Past(LATE, flows(0.1)), Past(NEW, flows(0.1))]
    found = nearest(NEW, past)
    assert [near.name for near in found] == ["late", "price"]
    assert found[0].alike > found[1].alike > 0.15
    assert found[0].shared == ("back", "cart", "order", "reminder")
    rng = np.random.default_rng(1)
    for _ in range(5):
        assert nearest(NEW, [past[i] for i in rng.permutation(4)]) == found
    assert nearest(NEW, past, limit=1) == found[:1]
    assert nearest(NEW, []) == []


def test_failed_tests_say_what_they_were_enough_for() -> None:
    [near] = nearest(NEW, [Past(LATE, flows(-0.02, -0.01, 0.0))])
    assert near.sentence == "late: tried 3 times, pooled -1.0 % [-3.4, +1.5], enough to rule out +5 %"
    assert near.rules_out
    assert near.times == 3
    assert near.effect == pytest.approx(np.expm1(-0.01))


def test_few_data_are_not_a_no() -> None:
    [near] = nearest(NEW, [Past(LATE, flows(0.02, error=0.1))])
    assert near.sentence == (
        "late: tried once, +2.0 % [-16.1, +24.1], not enough to rule out +5 %: that takes about 15 more of that size"
    )
    assert not near.rules_out
    [untested] = nearest(NEW, [Past(LATE, ())])
    assert untested.sentence == "late: thought of before, never tested"
    assert untested.effect is None


def test_a_win_is_no_evidence_against() -> None:
    [near] = nearest(NEW, [Past(LATE, flows(0.1, 0.11, 0.09))])
    assert not near.rules_out
    assert near.sentence.endswith("]")


def test_an_effect_that_should_go_down_is_ruled_out_from_above() -> None:
    calm = belief("calm", "Fewer mails, fewer leavers", "leavers", ("mail",), expected=-0.1)
    quiet = belief("quiet", "Fewer mails on weekends", "leavers", ("mail",), expected=-0.1)
    [near] = nearest(quiet, [Past(calm, flows(-0.01, 0.0, 0.01))])
    assert near.rules_out
    assert near.sentence.endswith("enough to rule out -10 %")
    [other] = nearest(quiet, [Past(calm, flows(-0.2, -0.21, -0.19))])
    assert not other.rules_out


def test_another_metric_rules_nothing_out() -> None:
    clicks = belief("clicks", "An early reminder brings back carts", "clicks", ("reminder", "cart"))
    [near] = nearest(NEW, [Past(clicks, flows(-0.02, -0.01, 0.0))])
    assert near.sentence.endswith(", of clicks")
    assert not near.rules_out


def test_a_rare_word_says_more_than_one_that_all_have() -> None:
    rare = belief("rare", "Postcards", tags=("postcard",))
    common = belief("common", "Letters", tags=("reminder",))
    crowd = [Past(belief(f"r{n}", f"Plan {n}", tags=("reminder",)), flows(0.0)) for n in range(20)]
    new = belief("new", "Both", tags=("postcard", "reminder"))
    found = nearest(new, [*crowd, Past(common, flows(0.0)), Past(rare, flows(0.0))], limit=30)
    assert found[0].name == "rare"
