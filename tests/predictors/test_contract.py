"""The contract of predictors, run on each that is registered."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from opportune.errors import BadInput
from opportune.predictors import REGISTRY, contract, open_predictor


@pytest.mark.parametrize("name", sorted(REGISTRY))
@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Callable[[contract.Factory], None], name: str) -> None:
    check(lambda: open_predictor(name))


def test_there_are_two_predictors_and_eleven_checks() -> None:
    assert len(REGISTRY) >= 2
    assert len(contract.CHECKS) >= 11


def test_unknown_names_and_settings_say_what_to_do() -> None:
    with pytest.raises(BadInput, match=r"'bays'; did you mean 'bayes'\?"):
        open_predictor("bays")
    with pytest.raises(BadInput, match="colour"):
        open_predictor("bayes", colour="red")
    with pytest.raises(BadInput, match="start must lie"):
        open_predictor("bayes", start=2)


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_a_broken_snapshot_is_bad_input(name: str) -> None:
    for data in (b"", b"nonsense", open_predictor(name).snapshot()[:-20]):
        with pytest.raises(BadInput, match="rebuild"):
            open_predictor(name).restore(data)


def test_import_is_light() -> None:
    code = "import sys, opportune.predictors; assert not {'numba', 'sklearn', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
