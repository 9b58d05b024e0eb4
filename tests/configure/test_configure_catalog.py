"""The section `products`: mistakes with their place and cure, what the solver finds, and what is too large."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from products import catalog_of
from shop import DOCS, documented, shop

from opportune.catalog.build import from_bytes, from_data, to_bytes, to_data
from opportune.configure import examine
from opportune.deliver import gate
from opportune.errors import BadCatalog

HEAD = """\
currency: EUR
time_zone: Europe/Berlin
placements: [{name: app.home, channel: app}]
actions:
  - {name: hello, issue: grow, group: any, campaign: a, owner: a, benefit: b, outcomes: {positive: [yes_], window: 7d},
     treatments: [{name: card, channel: app, placements: [app.*], content: {title: Hi}}]}
"""


def found_in(tmp_path: Path, products: str) -> list[str]:
    (tmp_path / "hub.yaml").write_text(HEAD, "utf-8")
    (tmp_path / "products.yaml").write_text(products, "utf-8")
    _, problems = gate.examine(tmp_path)
    return [str(problem).replace(f"{tmp_path}/", "") for problem in problems if "products.yaml" in problem.file]


def test_mistakes_are_told_where_they_are(tmp_path: Path) -> None:
    assert found_in(tmp_path, """\
products:
  - name: car
    options:
      - {name: color, values: [red, blue, red]}
      - {name: doors, values: [3, 5], default: 4}
      - {name: seats, type: number, min: 2, max: 6, step: 3}
      - {name: roof, type: yes_no, prize: 3}
    rules:
      - color = 'green' OR roof
      - {when: doors = 3, because: small}
      - doors > 'x'
      - seats / doors > 1
    prices:
      - {when: roof}
""") == [
        "products.yaml:4:43: value `red` twice in option `color`; keep one of them",
        "products.yaml:5:48: `4` is no value of option `doors`; known: 3, 5",
        "products.yaml:6:50: `max` of option `seats` is `6`, must be whole steps from `min`; the last one is 5",
        "products.yaml:7:36: unknown key `prize` in option `roof`; did you mean `price`?",
        "products.yaml:9:17: option `color` has no value `green`; known: blue, red",
        "products.yaml:10:9: rule 2 of product `car` has no `then`; add `then:`",
        "products.yaml:11:9: `>` compares `doors`, a number, with `'x'`, a text; write it without quotes",
        "products.yaml:12:9: `seats / doors` divides by what is chosen; multiply the other side instead",
        "products.yaml:14:9: part of the price 1 of product `car` needs one of `amount` and `percent`; "
        "amount: -5 is money off, percent: -10 a tenth of what comes before",
    ]  # fmt: skip


def test_the_solver_finds_what_nobody_can_choose(tmp_path: Path) -> None:
    assert found_in(tmp_path, """\
products:
  - name: never
    options: [{name: a, values: [x, y]}, {name: b, type: yes_no}]
    rules:
      - {name: one, then: a = 'x', because: A is x}
      - {name: two, then: b, because: B it is}
      - {name: three, when: b, then: a = 'y', because: B needs y}
  - name: partly
    options:
      - {name: a, values: [x, {name: y, title: Why}]}
      - {name: n, type: number, min: 0, max: 10}
      - {name: b, type: yes_no}
    rules:
      - {when: a = 'y', then: n > 5, because: Y is from 6 on}
      - {then: n <= 5, because: There are 5}
      - {when: b, then: a = 'y', because: B needs y}
""") == [
        "products.yaml:2:11: no choice of product `never` is possible: A is x; B it is; B needs y; "
        "change one of `one`, `two`, `three`",
        "products.yaml:10:38: warning: `Why` of option `a` can never be chosen: Y is from 6 on; There are 5; "
        "remove it, or change a rule",
        "products.yaml:11:16: warning: option `n` can only be from 0 to 5: There are 5; "
        "set `min` and `max` so, or change a rule",
        "products.yaml:12:16: warning: `yes` of option `b` can never be chosen: "
        "Y is from 6 on; There are 5; B needs y; remove it, or change a rule",
    ]  # fmt: skip
    with pytest.raises(BadCatalog, match="no choice of product `never`"):
        gate.load(tmp_path)


def test_the_products_of_the_docs_have_no_mistake() -> None:
    catalog = shop()
    assert examine.check(catalog) == []
    assert [len(product.options) for product in catalog.products] == [5, 10, 6]
    assert from_data(to_data(catalog)) == catalog
    assert from_bytes(to_bytes(catalog)) == catalog
    assert "designer_points" in DOCS.read_text("utf-8")
    assert documented()[0]["name"] == "bundle"


def option(**more: Any) -> dict[str, Any]:
    return {"name": "p", "options": [{"name": "a", **more}]}


@pytest.mark.parametrize(("product", "says"), [
    ({"name": "p"}, "has no `options`"),
    ({"name": "p", "options": []}, "has no options; name one at least"),
    ({"name": "p", "options": "x"}, "must be a mapping"),
    (option(), "has no `values`"),
    (option(values=[]), "has no values"),
    (option(values=[None]), "has no name"),
    (option(values=[{"title": "x"}]), "has no name; add `name:`"),
    (option(values=[str(n) for n in range(201)]), "has 201 values; at most 200"),
    (option(type="number"), "has no `min`"),
    (option(type="number", min=3, max=3), "must be more than `min`, 3"),
    (option(type="number", min=0, max=1e8), "steps; at most 1,000,000"),
    (option(type="number", min=0, max=1, step=0), "`step`"),
    (option(type="number", min=-1, max=1, price=2), "must be 0 or more, as its units have a price"),
    (option(type="number", min=0, max=9, price=1, tiers=[{"price": 1}]), "has both `price` and `tiers`"),
    (option(type="number", min=0, max=9, tiers=[{"price": 1}, {"price": 2}]), "do not rise"),
    (option(type="number", min=0, max=9, tiers=[{"price": 1, "to": 3}]), "the last tier of option `a` ends"),
    (option(type="measure", min=0, max=9, price=1), "unknown key `price`"),
    (option(type="measure", min=0, max=9, personal=False), "unknown key `personal`"),
    (option(type="yes_no", default="perhaps"), "is no value of option `a`"),
    (option(type="yes_no", fill="nobody"), "unknown name `nobody`"),
    (option(type="size"), "unknown type `size`"),
    ({**option(type="yes_no"), "rules": ["sqrt(a) > 1"]}, "a number belongs here"),
    ({**option(type="measure", min=0, max=9), "rules": ["sqrt(a) > 1"]}, "compare with the square"),
    ({**option(type="measure", min=0, max=9), "rules": ["a > nullif(a, 1)"]}, "`nullif` cannot be used"),
    ({**option(type="measure", min=0, max=9), "rules": ["a / 0 > 1"]}, "divides by 0"),
    ({**option(type="measure", min=0, max=9), "rules": ["coalesce(a, NULL) > 1"]}, "no NULL"),
    ({**option(type="yes_no"), "prices": [{"amount": 1, "percent": 2}]}, "needs one of"),
    ({**option(type="yes_no"), "prices": [{"percent": -101}]}, "from -100 to 1000"),
    ({**option(type="yes_no"), "from": "2026-02-01", "until": "2026-01-01"}, "ends before it starts"),
    ({"name": "p", "options": [{"name": "a", "type": "yes_no"}, {"name": "a", "type": "yes_no"}]}, "duplicate option"),
    ({"name": "p", "options": [{"name": f"o{n}", "type": "yes_no"} for n in range(101)]}, "101 options; at most 100"),
    ({"name": "p", "options": [{"name": "a b", "type": "yes_no"}]}, "cannot name this option"),
])  # fmt: skip
def test_every_mistake_of_a_product_is_said(product: dict[str, Any], says: str) -> None:
    with pytest.raises(BadCatalog) as caught:
        catalog_of(product)
    assert says in str(caught.value)


@pytest.mark.parametrize(("options", "rule", "says"), [
    ({"type": "number", "min": 0, "max": 1_000_000}, "floor(a / 3) > b", "1,000,001 steps"),
    ({"values": [str(n) for n in range(200)]}, "a || b LIKE 'x%'", "more than 4,096 cases"),
    ({"values": [str(n) for n in range(200)]}, "a <> b || 'x'", "more than 4,096 cases"),
    ({"type": "number", "min": 0, "max": 1e9, "step": 1000}, " * ".join("aaaaaa"), "too many steps"),
])  # fmt: skip
def test_what_would_take_too_much_is_an_error_before_it_goes_live(options: Any, rule: str, says: str) -> None:
    if "*" in rule:
        rule = f"{rule} > 5"
    both = [{"name": "a", **options}, {"name": "b", **options}]
    catalog = catalog_of({"name": "p", "options": both, "rules": [rule]})
    [problem] = examine.check(catalog)
    assert not problem.warning
    assert "product `p` is too large" in problem.what
    assert says in problem.what


def test_a_product_that_takes_too_long_is_a_warning() -> None:
    [problem] = examine.check(shop(products=documented()[1:2]), seconds=0.0)
    assert problem.warning
    assert "could not be looked at as a whole within 0 s" in problem.what
