"""The clients named in versions.txt, and the programs that run them; as a script, installs what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".clients"
VERSIONS = Path(__file__).with_name("versions.txt")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True, slots=True)
class Pinned:
    """One client of one version."""

    registry: str
    name: str
    version: str

    @property
    def folder(self) -> Path:
        """Where it is installed, if it is."""
        python = f"-python{sys.version_info[0]}.{sys.version_info[1]}" if self.registry == "pip" else ""
        return CACHE / f"{self.name.strip('@').replace('/', '-')}-{self.version}{python}"

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def pinned() -> list[Pinned]:
    """Return the clients of versions.txt, in its order."""
    lines = [line.split() for line in VERSIONS.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return [Pinned(*words) for words in lines]


def chromium() -> str | None:
    """Return the path of Chromium, or of Chrome, if there is one."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def install() -> list[str]:
    """Install what is missing, and return what could not be."""
    if (packages := _missing_packages()) and shutil.which("apt-get") and os.getuid() == 0:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            subprocess.run(["apt-get", "-qq", *words], env=quiet, check=False)
    not_there = [client for client in pinned() if not client.folder.is_dir()]
    return _missing_packages() + [str(client) for client in not_there if not _installed(client)]


def _missing_packages() -> list[str]:
    """Return the Debian packages of the programs that are not there."""
    there = {"nodejs": shutil.which("node"), "npm": shutil.which("npm"), "chromium": chromium()}
    return [package for package, path in there.items() if path is None]


def _installed(client: Pinned) -> bool:
    """Install one client beside its place, and move it there when it is whole; return False if that did not work."""
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as beside:
        whole = Path(beside) / "whole"
        whole.mkdir()
        if client.registry == "pip":
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                       "--target", str(whole), f"{client.name}=={client.version}"]  # fmt: skip
        else:
            # no lock file: it would name the registry
            command = ["npm", "install", "--silent", "--no-save", "--no-package-lock", "--no-audit", "--no-fund",
                       "--ignore-scripts", "--prefix", str(whole), f"{client.name}@{client.version}"]  # fmt: skip
        print(f"installing {client}")
        try:
            subprocess.run(command, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{client} was not installed: {error}", file=sys.stderr)
            return False
        whole.rename(client.folder)
    return True


if __name__ == "__main__":
    if failed := install():
        sys.exit(f"not installed: {', '.join(failed)}; the tests that need them are skipped, and fail where CI=true")
