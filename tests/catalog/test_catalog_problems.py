"""Every mistake has its place, its words and its cure; all are told at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from opportune.catalog import check, from_data, load
from opportune.catalog.source import parse_yaml
from opportune.errors import BadCatalog, Problem

Shop = Callable[..., Path]


def found(folder: Path, warnings: bool = False) -> list[str]:
    return [str(p).removeprefix(str(folder) + "/") for p in check(folder) if warnings or not p.warning]


def test_a_right_catalog_has_no_problem(shop: Shop) -> None:
    assert found(shop(), warnings=True) == []


EIGHT = "eligible: tenure_months >= 6"
GOAL = "within: 14d"
MISTAKES = [
    (EIGHT, "eligible: tenur_months >= 6", ["shop.yaml:22:15: unknown name `tenur_months`; did you mean"]),
    ("lever: 0", "lever: 500", ["shop.yaml:19:12: `lever` of action `keep_bundle` is `500`, must be from -50 to 100"]),
    ("lever: 0", "lever: -51", ["19:12"]),
    ("lever: 0", "lever: high", ["19:12", "must be a number"]),
    ("lever: 0", "levr: 0", ["19:5: unknown key `levr` in action `keep_bundle`; did you mean `lever`?"]),
    ("lever: 0", "owner: ben", ["19:5: duplicate key `owner`, first given at", "shop.yaml:17:5"]),
    ("lever: 0", "cost: -1", ["19:11", "0 or more"]),
    ("lever: 0", "urgent: true", ["19:13: marketing cannot be urgent"]),
    ("lever: 0", "from: soon", ["19:11", "date or time"]),
    ("lever: 0", "until: 2026-02-30", ["19:12", "date or time"]),
    ("lever: 0", "from: 2026-03-01\n    until: 2026-02-01", ["20:12", "can never be reached", "not before `until`"]),
    ("lever: 0", "kind: servce", ["19:11: unknown kind `servce`", "did you mean `service`?"]),
    ("value: 120", "value: plan", ["18:12"]),
    ("value: 120", "value: -3", ["18:12", "0 or more"]),
    ("value: 120", "value: [1]", ["18:12", "SQL text"]),
    ("issue: retain", "issue: all", ["14:12: `all` cannot name an issue"]),
    ("    issue: retain\n", "", ["13:5: action `keep_bundle` has no `issue`; add `issue:`"]),
    ("name: keep_bundle", "name: keep/bundle", ["13:11", "`keep/bundle`"]),
    ("name: keep_bundle", "name: 9 lives", ["13:11: `9 lives` cannot name this action"]),
    ("name: keep_bundle", "nam: keep_bundle", ["13:5: this action has no `name`", "13:5: unknown key `nam`"]),
    ("name: more_data", "name: keep_bundle", ["27:11: duplicate action `keep_bundle`, first at", "shop.yaml:13:11"]),
    ("spend_90d > 20", "spend_90d > 20 AND spend_90d < 10", ["21:12: this condition can never be true"]),
    ("spend_90d > 20", "tenure_months < 5", ["13:11: action `keep_bundle` can never be reached", "tenure_months"]),
    ("tenure_months >= 2", "cancel_page_views_1d < 0", ["33:15: this condition can never be true"]),
    ("tenure_months >= 2", "hour > 24", ["33:15: this condition can never be true"]),
    ("tenure_months >= 2", "contacts_app_7d < 0", ["33:15: this condition can never be true"]),
    ("page = 'cancel'", "page = 'a' AND page = 'b'", ["5:61: this condition can never be true"]),
    ("helps: spend_90d > 20", "helps: ''", ["21:12", "SQL text"]),
    ("silences: [grow]", "silences: [grow, retain]", ["13:11", "can never be reached", "`leaving` silences it"]),
    ("silences: [grow]", "silences: [gro]", ["8:65: unknown scope `gro`", "did you mean `grow`?"]),
    ("raises: {retain: 50}", "raises: {retian: 50}", ["8:81: unknown scope `retian`", "did you mean `retain`?"]),
    ("raises: {retain: 50}", "raises: {retain: 101}", ["8:89", "must be from -50 to 100"]),
    ("when: cancel_page_views_1d >= 2", "when: cancel_page_views_1d", ["8:27"]),
    ("window: 1d, by: 1h", "window: 90m, by: 1h", ["5:106: the window of 90m does not fit its bucket of 1h", "2h"]),
    ("window: 1d, by: 1h", "window: 1d, by: 7h", ["5:114: a bucket of 7h does not fit into days"]),
    ("window: 1d, by: 1h", "window: 3d, by: 36h", ["5:114: a bucket of 36h does not fit into days"]),
    ("window: 1d, by: 1h", "window: 1d", ["5:106: `window` of feature `cancel_page_views_1d` has no `by`"]),
    ("window: 1d, by: 1h", "by: 1h", ["5:102: `by` of feature `cancel_page_views_1d` has no window"]),
    ("window: 90d, by: 1d", "window: 90d, by: 1m", ["6:89: 129,600 buckets; at most 1,000"]),
    ("window: 1d, by: 1h", "window: a day, by: 1h", ["5:106", "15m, 1h, 7d or 2w"]),
    ("sum(revenue)", "summ(revenue)", ["6:58: unknown aggregate `summ`", "did you mean `sum`?"]),
    ("sum(revenue)", "sum", ["6:58: `sum` of feature `spend_90d` reads no property; write sum(property)"]),
    ("aggregate: count", "aggregate: count(page)", ["`count` of feature `cancel_page_views_1d` takes no property"]),
    ("by: 1d}", "by: 1d, type: text}", ["`sum` gives a number"]),
    ("where: \"page = 'cancel'\"", "where: \"page = 'cancel\"", ["5:"]),
    ("name: plan, type: text", "name: plan, type: txt", ["3:66: unknown type `txt`", "did you mean `text`?"]),
    ("[{name: tenure", "[{name: hour, type: number}, {name: tenure", ["3:17: trait `hour` has a name"]),
    ("[{name: tenure", "[{name: spend_90D, type: number}, {name: tenure", ["6:12: feature `spend_90d` is also"]),
    ("[{name: tenure", "[{name: a-b, type: number}, {name: tenure", ["3:17: `a-b` cannot name this trait"]),
    ("channel: app, price: 0", "channel: ap, price: 0", ["10:36: unknown channel `ap`", "did you mean `app`?"]),
    ("price: 0}", "price: -1}", ["10:48", "0 or more"]),
    ("app.home.*", "app.hom.*", ["26:58", "matches no placement of channel `app`; did you mean `app.home.hero`?"]),
    ("app.home.*", "email.*", ["26:58", "`email.weekly` is of channel `email`"]),
    ("channel: app, placements: [app.home.*]", "channel: web", ["declare a placement of channel `web`"]),
    ("treatments: [{name: mail, channel: email, placements: [email.weekly]}]", "treatments: []", ["no treatment"]),
    ("[reject, dismiss]", "[reject, accept]", ["25:46: `accept` is both positive and negative"]),
    ("[reject, dismiss]", "[reject, none]", ["25:55: `none` cannot be an outcome"]),
    ("[accept]", "[]", ["has no positive one"]),
    (GOAL, "withn: 14d", ["`goal` of action `keep_bundle` has no `within`", "did you mean `within`?"]),
    (GOAL, "within: 14d, undo: Plan Kept", ["is the goal itself"]),
    ("{event: Plan Kept, within: 14d}", "Plan Kept", ["25:83", "must be a mapping"]),
    ("after: reject", "after: rejct", ["37:38", "which no action has as an outcome; did you mean `reject`?"]),
    ("on: channel/email, at_most", "on: chanel/email, at_most", ["36:28: unknown scope", "`channel/email`"]),
    ("at_most: 3", "at_most: 0", ["36:52", "a whole number, 1 or more"]),
    ("at_most: 3", "at_mots: 3", ["36:5: contact rule `email_week` must be a cap, a pause or quiet hours"]),
    ("times: 2, in: 30d", "times: 2", ["has no `in`"]),
    ('"21:00-08:00"', '"21:00-25:00"', ["38:45", "two times of day"]),
    ('"21:00-08:00"', '"21:00-21:00"', ["38:45", "all day or no time"]),
    ("predictor: bayes", "predictor: baies", ["39:20: unknown predictor `baies`", "did you mean `bayes`?"]),
    ("predictors: all", "predictors: [plan, plam]", ["39:46: unknown predictor `plam`; did you mean `plan`?"]),
    ("explore: thompson", "explore: tompson", ["unknown explore `tompson`", "did you mean `thompson`?"]),
    ("arbitrate: propensity", "factors: [P, X]", ["39:76: unknown factor `X`"]),
    ("arbitrate: propensity", "random_share: 0.6, holdout_share: 0.6", ["more than 1 together"]),
    ("currency: EUR", "currency: euro", ["1:11: `euro` is not a currency"]),
    ("currency: EUR", "currency: [EUR]", ["1:11: `currency` must be a scalar, not a list"]),
    ("currency: EUR", "curency: EUR", ["1:1: unknown key `curency`; did you mean `currency`?"]),
    ("Europe/Berlin", "Europe/Berln", ["2:12: unknown time zone `Europe/Berln`; did you mean `Europe/Berlin`?"]),
    ("Europe/Berlin", "../../etc/passwd", ["2:12: unknown time zone"]),
    ("model: {", "levers: {retian: 5}\nmodel: {", ["39:10: unknown scope `retian` in `levers`"]),
    ("model: {", "levers: {retain: 500}\nmodel: {", ["39:18", "must be from -50 to 100"]),
    ("model: {", "context_weights: [{on: gro, when: hour > 5, percent: 5}]\nmodel: {", ["39:24: unknown scope `gro`"]),
    ("benefit: A lower price", "benefit: &b [*b]", ["20:18: `*b` is cyclic"]),
    ("benefit: A lower price", "benefit: *b", ["20:14: `*b` has no anchor"]),
    ("benefit: A lower price", "benefit: !!python/name:os.system x", ["20:14: the tag", "is not used here"]),
]


@pytest.mark.parametrize(("old", "new", "expected"), MISTAKES, ids=[m[1][:40] for m in MISTAKES])
def test_each_mistake_is_told_where_it_is(shop: Shop, old: str, new: str, expected: list[str]) -> None:
    folder = shop((old, new))
    errors = "\n".join(found(folder))
    for words in expected:
        assert words in errors
    with pytest.raises(BadCatalog):
        load(folder)


def test_all_mistakes_come_at_once_sorted_by_place(shop: Shop) -> None:
    more = "actions: [{name: keep_bundle, issue: x, group: y, treatments: [{name: a, channel: app}]}]\ncurrency: USD\n"
    folder = shop(("lever: 0", "lever: 500"), (EIGHT, "eligible: tenur_months >= 6"), more=more)
    errors = found(folder)
    assert [line.split(": ")[0] for line in errors] == [
        "shop.yaml:1:11",
        "shop.yaml:13:11",
        "shop.yaml:19:12",
        "shop.yaml:22:15",
    ]
    assert "`currency` is `EUR` here and `USD` at " in errors[0]
    assert "more.yaml:1:18" in errors[1]
    with pytest.raises(BadCatalog) as raised:
        load(folder)
    assert len(raised.value.problems) == len(errors)


@pytest.mark.parametrize(
    "written",
    [
        "tenur_months >= 6",
        "'plan = ''x'' AND tenur_months >= 6'",
        '"plan = \'\\u0078\' AND tenur_months >= 6"',
        '"plan = \'\\\\\' AND\\ttenur_months >= 6"',
        '"plan = \'x\' AND\\n\\n  tenur_months >= 6"',
        "\"plan = 'ä€😀' AND tenur_months >= 6\"",
        "plan = 'x'   AND\n      tenur_months >= 6",
        "|\n      plan = 'x'\n      AND tenur_months >= 6",
        "| # a word\n\n      plan = 'x'\n        AND tenur_months >= 6",
        ">-\n      plan = 'x'\n      AND\n\n      tenur_months >= 6",
        "'plan = ''x''\n      AND tenur_months >= 6'",
        '"plan = \'x\' AND \\\n      tenur_months >= 6"',
    ],
)
def test_positions_hold_whatever_the_quoting(shop: Shop, written: str) -> None:
    folder = shop((EIGHT, f"eligible: {written}"))
    text = (folder / "shop.yaml").read_text(encoding="utf-8")
    at = text.index("tenur_months")
    (error,) = check(folder)
    assert (error.line, error.column) == (text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
    assert "tenur_months" in error.what


BROKEN = [
    ("a:\n\tb: 1", 2, 1, "tab"),
    ('a: "x', 1, 6, "which starts at line 1, column 4"),
    ("a: {b: 1\n", 2, 1, "which starts at line 1, column 4"),
    ("a: x: y", 1, 5, "not YAML"),
    ("a: \x01", 1, 4, "does not allow"),
    ("a: 1\n---\nb: 2", 2, 1, "second document"),
    ("a: " + "[" * 100_000, 1, 64, "nested deeper"),
    ("? [a, b]\n: 1", 1, 3, "not a word"),
]


@pytest.mark.parametrize(("text", "line", "column", "words"), BROKEN, ids=[b[3] for b in BROKEN])
def test_broken_yaml(text: str, line: int, column: int, words: str) -> None:
    problems: list[Problem] = []
    assert parse_yaml(text, "x.yaml", problems) is None
    assert words in problems[0].what
    assert (problems[0].line, problems[0].column) == (line, column)


def test_a_broken_file_does_not_hide_the_mistakes_of_others(shop: Shop) -> None:
    errors = found(shop(("lever: 0", "lever: 500"), broken="a:\n\tb: 1"))
    assert len(errors) == 2


@pytest.mark.parametrize(("key", "line"), [("issue", 13), ("group", 13)])
def test_a_missing_key_is_told_once_and_nothing_that_follows_from_it(shop: Shop, key: str, line: int) -> None:
    value = {"issue": "retain", "group": "bundle"}[key]
    holdout = "holdouts: [{name: h, on: [retain/bundle], share: 0.1}]\nlevers: {retain: 2}\n"
    folder = shop((f"    {key}: {value}\n", ""), more=holdout)
    assert found(folder) == [f"shop.yaml:{line}:5: action `keep_bundle` has no `{key}`; add `{key}:`"]


def test_what_stands_in_a_broken_file_is_not_told_to_be_absent(shop: Shop) -> None:
    folder = shop(more="levers: {inspire: 2}\n", broken="actions:\n- name: new\n\tissue: inspire\n")
    (problem,) = found(folder)
    assert "nothing of this file was read" in problem


def test_aliases_cannot_explode() -> None:
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
    bomb += "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
    problems: list[Problem] = []
    parse_yaml(bomb, "bomb.yaml", problems)
    assert "values" in problems[0].what


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "actions:\n"])
def test_an_empty_file_adds_nothing(shop: Shop, text: str) -> None:
    assert found(shop(empty=text), warnings=True) == []


@pytest.mark.parametrize("text", ["- a\n", "word\n"])
def test_a_file_must_be_a_mapping(shop: Shop, text: str) -> None:
    problems = found(shop(odd=text))
    assert problems == ["odd.yaml:1:1: a catalog file must be a mapping; start with a key such as `actions:`"]


def test_bad_utf8_is_told_with_its_place(shop: Shop) -> None:
    folder = shop()
    (folder / "odd.yaml").write_bytes("levers:\n  ä: \xff".encode("latin-1"))
    assert found(folder) == ["odd.yaml:2:3: not UTF-8; save the file as UTF-8"]


def test_a_huge_file_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opportune.catalog.source.MAX_BYTES", 100)
    assert "spread the catalog over files" in found(shop())[0]


def test_warnings_do_not_stop_a_catalog(shop: Shop) -> None:
    folder = shop(("    campaign: spring\n    owner: ana\n    value", "    value"), ("    benefit: No slow days\n", ""))
    warnings = found(folder, warnings=True)
    assert found(folder) == []
    assert any("warning: action `keep_bundle` has no `owner`" in w for w in warnings)
    assert any("warning: action `more_data` has no `benefit` and no `helps`" in w for w in warnings)
    assert len(load(folder).actions) == 2


def test_a_placement_that_nothing_fills_is_a_warning(shop: Shop) -> None:
    folder = shop(("placements:\n", "placements:\n  - {name: web.home, channel: web}\n"))
    assert ["no action has a treatment for placement `web.home`" in w for w in found(folder, warnings=True)] == [True]


def test_a_service_action_carries_no_offer(shop: Shop) -> None:
    folder = shop(("    lever: 0", "    kind: service"), ("{title: Stay}", "{title: Stay, box: [{Coupon: 12}]}"))
    (error,) = found(folder)
    assert error.startswith("shop.yaml:26:109: service action `keep_bundle` carries an offer: `Coupon`")
    assert found(shop(("    lever: 0", "    kind: service\n    urgent: true"))) == []


def test_yaml_words_that_look_like_bools_are_text(shop: Shop) -> None:
    catalog = load(shop(("owner: ana", "owner: no"), ("benefit: A lower price", "benefit: on")))
    assert (catalog.actions[1].owner, catalog.actions[1].benefit) == ("no", "on")


def test_declared_channels(shop: Shop) -> None:
    assert "does not say whether it pushes" in found(shop(more="channels: [{name: kiosk}]"))[0]
    catalog = load(shop(more="channels: [{name: kiosk, push: false}, {name: app, push: true}]"))
    assert {c.name: c.push for c in catalog.channels if c.name in ("kiosk", "app")} == {"kiosk": False, "app": True}


def test_a_plug_in_predictor_is_known_when_it_is_named() -> None:
    data = {"model": {"predictor": "mine"}}
    assert from_data(data, predictors=("bayes", "mine")).model.predictor == "mine"
    with pytest.raises(BadCatalog, match="unknown predictor `mine`"):
        from_data(data)


def test_positions_hold_after_an_anchor(shop: Shop) -> None:
    (error,) = check(shop((EIGHT, "eligible: &e !!str tenur_months >= 6")))
    assert (error.line, error.column) == (22, 24)
    with pytest.raises(BadCatalog, match="surrogate"):
        from_data({"currency": "\ud800"})


@pytest.mark.parametrize(
    "conditions",
    ["days_since IS NULL", "cancel_page_views_1d = 0", "hour = 0 OR hour = 23", "plan IS NULL AND tenure_months > 2"],
)
def test_what_can_hold_is_not_refused(shop: Shop, conditions: str) -> None:
    folder = shop(
        ("features:\n", "features:\n  - {name: days_since, event: Order, aggregate: days_since}\n"),
        ("eligible: tenure_months >= 2", f"eligible: {conditions}"),
    )
    assert found(folder) == []


@pytest.mark.parametrize("when", ["plan = 'gold'", "cancel_page_views_1d >= 3", "1 / cancel_page_views_1d <= 1"])
def test_a_situation_that_may_be_absent_does_not_stop_an_action(shop: Shop, when: str) -> None:
    more = f"situations: [{{name: other, when: {when}, silences: [retain]}}]"
    assert found(shop(more=more)) == []
