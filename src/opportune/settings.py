"""One table of settings. What counts: an argument, else the environment, else `opportune.toml` in the folder.

>>> read({"dir": "shop"}, {}).store
'sqlite:///shop/.opportune/hub.db'
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from opportune.errors import BadInput

FILE = "opportune.toml"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting: its name, its default and what it is for. In the environment it is `OPPORTUNE_` and its name."""

    name: str
    default: str
    help: str


SETTINGS = (
    Setting("dir", ".", "The project folder: catalog, stories and, unless `store` says otherwise, the store."),
    Setting("store", "sqlite:///DIR/.opportune/hub.db", "Where the hub remembers: `sqlite:///FILE` or `memory:`."),
    Setting("data", "", "The folder that `${OPPORTUNE_DATA}` stands for in replay specs."),
    Setting("public_url", "", "Where customers reach the hub, for links in messages: https://hub.acme.example."),
    Setting("generator_url", "", "The OpenAI-compatible address that drafts texts, as https://api.example/v1."),
    Setting("generator_model", "", "The model that drafts texts there."),
    Setting("lab_every", "1h", "How often running experiments are looked at by themselves: 10m, 1h, 1d."),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force."""

    dir: Path
    store: str
    data: str
    public_url: str
    generator_url: str
    generator_model: str
    lab_every: str


def read(arguments: Mapping[str, str | None], environ: Mapping[str, str]) -> Settings:
    """Return the settings in force; raise `BadInput` for an unknown name in the file, naming the nearest."""
    known = {s.name: s.default for s in SETTINGS}
    given = {name: value for name, value in arguments.items() if value is not None}
    from_environ = {n: environ[f"OPPORTUNE_{n.upper()}"] for n in known if environ.get(f"OPPORTUNE_{n.upper()}")}
    folder = Path(given.get("dir") or from_environ.get("dir") or known["dir"])
    values = {**known, **_file(folder / FILE, known), **from_environ, **given}
    store = values["store"]
    store = store.replace("DIR", str(folder)) if store == known["store"] else store
    public = _public(values["public_url"])
    drafts = values["generator_url"], values["generator_model"]
    return Settings(folder, store, values["data"], public, *drafts, values["lab_every"])


def _public(url: str) -> str:
    """Return the public address without a slash at its end; raise `BadInput` if no browser could go there."""
    parts = urlsplit(url)
    if url and (parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment):
        raise BadInput(f"public_url is {url!r}; write where customers reach the hub, such as https://hub.acme.example")
    return url.rstrip("/")


def _file(path: Path, known: Mapping[str, str]) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as why:
        raise BadInput(f"{path}: {why}; write lines such as `store = \"sqlite:///hub.db\"`") from None
    for name, value in values.items():
        near = get_close_matches(name, known, 1)
        if name == "dir":
            raise BadInput(f"{path}: `dir` cannot be set here: this file is found through it; use OPPORTUNE_DIR")
        if name not in known:
            raise BadInput(f"{path}: unknown setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        if not isinstance(value, str):
            raise BadInput(f"{path}: {name} must be a text in quotes")
    return values
