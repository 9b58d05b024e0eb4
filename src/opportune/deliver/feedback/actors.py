"""Who opened or clicked: a person, a machine that reads mail before people do, or nobody knows.

Nothing is thrown away by the verdict; only what a person did is taken for an answer. The signs, in order:

- the provider says so (`sg_machine_open` of SendGrid, `client-info.bot` of Mailgun);
- a HEAD request, a prefetch, or no name of a program: browsers that people use have none of it;
- names of mail scanners, link previews, monitors and HTTP libraries;
- Apple's Mail Privacy Protection fetches every picture and calls itself `Mozilla/5.0` and no more; the proxies of Gmail
  and Yahoo fetch once for whoever opens, so that an open is one but nobody knows of whom;
- a few seconds after the message left nobody has read it yet;
- scanners follow all links of a message at once;
- a request out of a data center, where a proxy in front says so; a browser that sends none of the headers that its
  version always sends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from opportune.clock import SECOND

Actor = Literal["human", "machine", "unknown"]

TOO_SOON = 5 * SECOND
"""Since the message left: less than a message takes to be delivered, opened and read."""

AT_ONCE = 3
"""Different links of one message within a second that no person follows."""

NETWORK = "x-client-network"
"""The header by which a proxy in front may say where a request comes from: `hosting`, `residential`, ..."""

_MACHINES = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|preview|scanner|monitor|headless|phantom|selenium|puppeteer|playwright|lighthouse|"
    r"barracuda|mimecast|proofpoint|ironport|symantec|messagelabs|trendmicro|sophos|fireeye|forcepoint|zscaler|safelink|"
    r"cloudmark|bitdefender|kaspersky|avast|virustotal|urlscan|office existence discovery|msoffice|microsoft office|"
    r"facebookexternalhit|whatsapp|telegram|slack|twitter|linkedin|discord|skypeuri|"
    r"curl|wget|python|requests|aiohttp|httpx|urllib|okhttp|java/|apache-http|go-http|axios|node-fetch|undici|ruby|perl|"
    r"libwww|php/|guzzle|powershell|winhttp|dalvik/[\d.]+$|uptime|pingdom",
    re.IGNORECASE,
)
_PROXIES = re.compile(r"googleimageproxy|yahoomailproxy|yahoocachesystem", re.IGNORECASE)
_BROWSER = re.compile(r"(?:chrome|firefox)/(\d+)", re.IGNORECASE)
_SINCE_BROWSERS_SAY_HOW = 90
"""The version from which Chrome and Firefox both send `Sec-Fetch-Mode` over https."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known of a request that opened a message or followed a link.

    `after` is how long after the message left (None: unknown), `at_once` how many different links of the message were
    followed within a second, this one included. `machine` is the verdict of a provider. Without `headers` (names in
    lower case) nothing is concluded from their absence.
    """

    what: Literal["opened", "clicked"]
    agent: str = ""
    method: str = "GET"
    after: int | None = None
    at_once: int = 1
    machine: bool | None = None
    secure: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


def actor_of(signs: Signs) -> Actor:
    """Return who it was.

    >>> chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
    >>> actor_of(Signs("clicked", chrome)), actor_of(Signs("clicked", chrome, "HEAD"))
    ('human', 'machine')
    >>> actor_of(Signs("opened", "Mozilla/5.0 (Windows NT 5.1) Firefox/11.0 (via ggpht.com GoogleImageProxy)"))
    'unknown'
    """
    agent, headers = signs.agent.strip(), signs.headers
    ahead = (headers.get(name, "").lower() for name in ("purpose", "sec-purpose", "x-purpose", "x-moz"))
    if signs.machine or signs.method == "HEAD" or not agent or any("pre" in word for word in ahead):
        return "machine"
    if agent == "Mozilla/5.0" or _MACHINES.search(agent):
        return "machine"
    if _PROXIES.search(agent):
        return "unknown"
    if (signs.after is not None and signs.after < TOO_SOON) or signs.at_once >= AT_ONCE:
        return "machine"
    return "unknown" if signs.machine is None and headers and _odd(agent, signs) else "human"


def _odd(agent: str, signs: Signs) -> bool:
    headers, browser = signs.headers, _BROWSER.search(agent)
    if headers.get(NETWORK, "").lower() in ("hosting", "datacenter", "data-center") or not agent.startswith("Mozilla/"):
        return True
    silent = browser is not None and int(browser[1][:6]) >= _SINCE_BROWSERS_SAY_HOW and "sec-fetch-mode" not in headers
    return "accept-language" not in headers or (signs.secure and silent)
