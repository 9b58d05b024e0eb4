"""The quality of tables: planted defects are found and oddities left alone, and what the command and specs say."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from opportune.bench.planted_defects import EACH, NOW, contacts, judged, write
from opportune.cli import app
from opportune.errors import BadCatalog, BadInput
from opportune.quality.roles import guessed
from opportune.quality.spec import QualitySpec, load_quality
from opportune.quality.table import quality

DATA = Path(os.environ.get("OPPORTUNE_DATA", Path(__file__).parents[3] / "shared/data"))

MORE = dict.fromkeys(
    ("unreadable_date", "impossible_birth", "negative_amount", "unreadable_amount", "placeholder_name"), 25
)

LEAKING = {
    "Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity", "Asymmetrique Activity Index",
    "Asymmetrique Activity Score", "Asymmetrique Profile Index", "Asymmetrique Profile Score",
}  # fmt: skip


def checked(path: Path, **more: Any) -> dict[str, Any]:
    return quality(QualitySpec(data=str(path), samples=10**6, **more), NOW)


def rows_of(found: dict[str, Any]) -> dict[str, set[int]]:
    kinds: dict[str, set[int]] = {}
    for fault in found["faults"]:
        assert len(fault["rows"]) == fault["count"]
        kinds.setdefault(fault["kind"], set()).update(fault["rows"])
    return kinds


def table(folder: Path, text: str) -> Path:
    path = folder / "contacts.csv"
    path.write_text(text, "utf-8")
    return path


def faults(folder: Path, text: str, **more: Any) -> dict[str, list[int]]:
    return {fault["kind"]: fault["rows"] for fault in checked(table(folder, text), **more)["faults"]}


@pytest.mark.parametrize(("seed", "each"), [(1, EACH), (2, EACH), (3, {**EACH, **MORE}), (4, MORE)])
def test_planted_defects_are_found_and_oddities_left_alone(tmp_path: Path, seed: int, each: dict[str, int]) -> None:
    rows, planted = contacts(seed, each=each)
    assert {kind: len(at) for kind, at in planted.items()} == each
    write(rows, tmp_path / "c.csv")
    told = judged(rows_of(checked(tmp_path / "c.csv")), planted)
    assert min(told["all"]) >= 0.98
    assert all(min(one) >= 0.95 for one in told.values()), told


def test_a_clean_table_has_no_fault(tmp_path: Path) -> None:
    rows, _ = contacts(7, 3000, {})
    write(rows, tmp_path / "c.csv")
    found = checked(tmp_path / "c.csv")
    assert (found["faults"], found["score"], found["rows"]) == ([], 100.0, 3000)


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    import duckdb

    rows, _ = contacts(8, 1500, dict.fromkeys(EACH, 8))
    write(rows, tmp_path / "c.csv")
    source = f"SELECT * FROM read_csv('{tmp_path}/c.csv', all_varchar = true)"
    duckdb.sql(f"COPY ({source}) TO '{tmp_path}/c.parquet'")
    assert checked(tmp_path / "c.csv") == checked(tmp_path / "c.parquet")


def test_the_score_weighs_what_an_error_costs(tmp_path: Path) -> None:
    text = "email,consent,consent_at\na@x.org,yes,2020-01-01\nb@x.org,yes,\nc@x.org,no,\n,no,\n"
    found = checked(table(tmp_path, text))
    shares = {name: one["score"] for name, one in found["dimensions"].items()}
    assert shares == {"consent": 75, "completeness": 75, "validity": 100, "uniqueness": 100, "consistency": 100}
    assert found["score"] == pytest.approx((5 * 75 + 3 * 75 + 700) / 15)
    weights = {"consent": 1.0, "validity": 0.0, "completeness": 0.0, "uniqueness": 0.0, "consistency": 0.0}
    assert checked(table(tmp_path, text), weights=weights)["score"] == 75.0


def test_duplicates_are_of_the_row_that_came_later(tmp_path: Path) -> None:
    text = "id,email,created\n"
    text += "1,A@x.org,2022-05-01\n2,a@X.ORG,2021-05-01\n3,a+b@x.org,2021-05-01\n3,c@x.org,2022-06-01\n"
    assert faults(tmp_path, text) == {"duplicate_email": [1], "duplicate_id": [4]}
    assert faults(tmp_path, "email,age\na@x.org,3\na@x.org,3\n") == {"exact_duplicate": [2]}
    assert faults(tmp_path, "age,town\n3,Rome\n3,Rome\n") == {}, "nothing says that they are one person"


def test_dates_are_read_as_people_write_them(tmp_path: Path) -> None:
    text = "email,birth date\na@x.org,28.02.1990\nb@x.org,29.02.1992\nc@x.org,30.02.1990\nd@x.org,01.01.2050\n"
    assert faults(tmp_path, text) == {"unreadable_date": [3], "future_date": [4]}
    found = checked(table(tmp_path, "email,created\na@x.org,first\nb@x.org,second\nc@x.org,2020-01-01\n"))
    assert "created" not in found["roles"]
    assert "not taken for `created`: 2 of 3" in found["warnings"][0]


@pytest.mark.parametrize("address", ["a@b.co", "Ünal+x@müller.example", "o'brien@mail.a.co.uk", "x@xn--p1ai.xn--p1ai"])
def test_odd_addresses_are_right(tmp_path: Path, address: str) -> None:
    assert faults(tmp_path, f"email,n\n{address},1\n") == {}


@pytest.mark.parametrize("address", ["a@b", "a.b.co", "a..b@c.de", ".a@b.de", "a@b..de", "a@-b.de", "a @c.de", "a@b.1"])
def test_broken_addresses_are_not(tmp_path: Path, address: str) -> None:
    assert faults(tmp_path, f"email,n\n{address},1\n") == {"malformed_email": [1]}


def test_many_contacts_of_one_phone_are_told_and_a_family_is_not(tmp_path: Path) -> None:
    def shared(count: int) -> dict[str, list[int]]:
        rows = "".join(f"u{i}@x.org,{'+49 30 ' * (i % 2) or '004930'}1234567\n" for i in range(count * 2))
        return faults(tmp_path, "email,phone\n" + rows)

    assert shared(4) == {}
    assert len(shared(7)["shared_phone"]) == 14


def test_consent_that_was_withdrawn_is_told(tmp_path: Path) -> None:
    head = "email,consent,consent_at,unsubscribed_at\n"
    rows = "a@x.org,true,2021-01-01,2022-01-01\nb@x.org,true,2023-01-01,2022-01-01\nc@x.org,false,,2022-01-01\n"
    assert faults(tmp_path, head + rows) == {"consent_withdrawn": [1]}


def test_empty_tables_have_no_score(tmp_path: Path) -> None:
    found = checked(table(tmp_path, "email,phone\n"))
    assert (found["rows"], found["score"], found["faults"]) == (0, None, [])


def test_a_spec_names_columns(tmp_path: Path) -> None:
    table(tmp_path, "mail_1,email,n\na@x.org,office,1\nb,office,2\n")
    spec = tmp_path / "q.yaml"
    spec.write_text("data: contacts.csv\nroles: {email: mail_1}\nas_of: 2026-01-01\nsamples: 1\n")
    found = quality(load_quality(spec), NOW)
    assert [(f["kind"], f["column"]) for f in found["faults"]] == [("malformed_email", "mail_1")]
    spec.write_text("data: contacts.csv\nroles: {email: null}\n")
    assert quality(load_quality(spec), NOW)["roles"] == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("roles: {email: maill}", "there is no column `maill`"),
        ("roles: {mial: email}", "unknown role `mial`"),
        ("weights: {consnt: 3}", "unknown dimension `consnt`"),
        ("outcome: sold", "there is no column `sold`"),
        ("outcome: email", "no value that stands for yes"),
        ("weights: {consent: 0, validity: 0, completeness: 0, uniqueness: 0, consistency: 0}", "every weight is 0"),
        ("rolls: {}", "rolls"),
    ],
)
def test_mistakes_of_a_spec_have_their_place(tmp_path: Path, text: str, told: str) -> None:
    table(tmp_path, "email,n\na@x.org,1\n")
    (tmp_path / "q.yaml").write_text(f"data: contacts.csv\n{text}\n")
    with pytest.raises(BadCatalog) as caught:
        quality(load_quality(tmp_path / "q.yaml"), NOW)
    assert told in str(caught.value)
    assert caught.value.problems[0].line == 2


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadCatalog, match="no file"):
        checked(tmp_path / "none.csv")
    with pytest.raises(BadInput, match="cannot be read"):
        load_quality(tmp_path / "none.yaml")


def test_columns_of_leads_that_are_filled_in_after_the_sale() -> None:
    if not (DATA / "leads.csv.gz").is_file():
        pytest.skip("set OPPORTUNE_DATA to the folder with leads.csv.gz")
    found = checked(DATA / "leads.csv.gz")
    assert found["outcome"] == "Converted"
    assert {leak["column"] for leak in found["leaks"]} == LEAKING
    assert all(leak["evidence"] and 0.5 < leak["auc"] < 1 for leak in found["leaks"])


@pytest.mark.parametrize(
    ("file", "outcome", "leaking"),
    [
        ("bank_calls.csv.gz", "y", {"duration"}),
        ("telco_churn.csv.gz", "Churn", set()),
        ("hillstrom_womens.csv.gz", "visit", {"conversion", "spend"}),
    ],
)
def test_other_tables_have_few_leaks(file: str, outcome: str, leaking: set[str]) -> None:
    if not (DATA / file).is_file():
        pytest.skip(f"set OPPORTUNE_DATA to the folder with {file}")
    assert {leak["column"] for leak in checked(DATA / file, outcome=outcome)["leaks"]} == leaking


def test_planted_leaks_are_told_apart_from_good_predictors(tmp_path: Path) -> None:
    import random

    rng = random.Random(3)
    with (tmp_path / "d.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["won", "visits", "noise", "invoice", "notes", "last_call", "price_index", "asked"])
        for i in range(4000):
            won = rng.random() < 0.3
            out.writerow([
                int(won), round(rng.gauss(1.2 * won, 1), 3), rng.random(),
                f"i{i}" if won and rng.random() < 0.9 else "",
                rng.choice(["paid", ""]) if won and rng.random() < 0.1 else "", rng.choice("aab" if won else "abb"),
                rng.gauss(0.5 * won, 1), "x" if rng.random() < (0.8 if won else 0.4) else "",
            ])  # fmt: skip
    found = checked(tmp_path / "d.csv")
    assert {leak["column"] for leak in found["leaks"]} == {"invoice", "notes", "last_call"}
    assert {leak["column"] for leak in found["to_check"]} == {"price_index", "asked"}
    exempt = checked(tmp_path / "d.csv", known_before=("invoice", "last_call"))
    assert {leak["column"] for leak in exempt["leaks"]} == {"notes"}


def test_few_outcomes_say_nothing_of_leaks(tmp_path: Path) -> None:
    found = checked(table(tmp_path, "won,x\n" + "1,1\n0,0\n" * 30))
    assert found["leaks"] == []
    assert "leaks are not looked for" in found["warnings"][-1]


def test_roles_are_guessed_by_words() -> None:
    assert guessed(["EMail", "Last Name", "lastUpdated", "Opt-In", "Deal Amount"]) == {
        "email": "EMail", "name": "Last Name", "updated": "lastUpdated", "consent": "Opt-In", "amount": "Deal Amount"
    }  # fmt: skip
    assert guessed(["emails_sent", "telco", "backstage", "valuable"]) == {}


def test_the_command_prints_both_ways_and_no_value_of_a_contact(tmp_path: Path) -> None:
    path = table(tmp_path, "email,name\nsecret@x.org,Ann\nsecret@x.org,Bob\nbroken.x.org,Cy\n")
    plain = CliRunner().invoke(app, ["quality", str(path)])
    assert plain.exit_code == 0, plain.output
    assert "duplicate_email" in plain.stdout
    assert "score" in plain.stdout
    found = CliRunner().invoke(app, ["quality", str(path), "--json"])
    assert json.loads(found.stdout)["rows"] == 3
    assert "x.org" not in plain.stdout + found.stdout
