"""A carrier is opened by name, with the environment filled in, and says clearly what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from opportune.catalog.channel_sections import CHANNELS, plain
from opportune.catalog.types import Channel
from opportune.deliver.carriers import CARRIERS, open_carrier
from opportune.deliver.carriers.options import Options
from opportune.errors import BadInput


def channel(via: str | None, **options: Any) -> Channel:
    return Channel("email", True, "email", via, "email", None, options)


@pytest.mark.parametrize("name", sorted(CHANNELS))
def test_a_channel_that_says_nothing_has_no_carrier(name: str) -> None:
    with pytest.raises(BadInput, match=f"channel `{name}` has no carrier"):
        open_carrier(plain(name, CHANNELS[name]), {}, ".")


def test_an_unknown_carrier_is_told() -> None:
    assert len(CARRIERS) >= 5
    with pytest.raises(BadInput, match=r"unknown carrier 'smpt'; did you mean 'smtp'\? \(apprise, file, print, smtp"):
        open_carrier(channel("smpt"), {}, ".")


def test_what_the_environment_lacks_is_told_at_once() -> None:
    wanting = channel("smtp", host="${RELAY}", password="${A}${B}", user="${B}", more=[{"x": "${DEEP_1}"}])
    with pytest.raises(BadInput) as told:
        open_carrier(wanting, {"B": "b", "A": ""}, ".")
    assert "channel `email` needs A and DEEP_1 and RELAY from the environment, which are not set" in str(told.value)
    with pytest.raises(BadInput, match="needs RELAY from the environment, which is not set"):
        open_carrier(channel("smtp", host="${RELAY}"), {}, ".")


def test_options_are_filled_in_and_read() -> None:
    given: dict[str, Any] = {"host": "${H}.example", "port": "${P}", "on": "True", "n": 2.5, "map": {"X": "${H}"}}
    given["plain"] = "$H {H} ${1}"
    options = Options(channel("smtp", **given), {"H": "relay", "P": " 587 "}, Path("/project"))
    assert options.need("host") == "relay.example"
    assert options.whole("port", 25, 1, 65535) == 587
    assert options.flag("on") is True
    assert (options.flag("off"), options.text("absent"), options.number("n", 1, 0, 9)) == (False, "", 2.5)
    assert options.texts("map") == {"X": "relay"}
    assert options.text("plain") == "$H {H} ${1}"
    assert options.path("host") == Path("/project/relay.example")
    assert given["host"] == "${H}.example"


def test_a_secret_is_never_in_an_error() -> None:
    with pytest.raises(BadInput) as told:
        open_carrier(channel("smtp", host="${H}", port="${S}"), {"H": "relay", "S": "hunter2"}, ".")
    assert "hunter2" not in str(told.value)


def test_opening_the_package_is_light() -> None:
    code = (
        "import sys, opportune.deliver.carriers, opportune.deliver.carriers.smtp, opportune.deliver.carriers.webhook,"
        " opportune.deliver.carriers.print, opportune.deliver.carriers.apprise, opportune.deliver.carriers.file;"
        " assert not {'aiosmtplib', 'httpx', 'apprise', 'reportlab', 'email_validator'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
