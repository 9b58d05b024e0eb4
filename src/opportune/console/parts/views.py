"""The views of a page: links beside each other, each with an address of its own."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from opportune.console.parts.shown import Shown, joined


def views(name: str, path: str, offered: Mapping[str, str], now: str) -> None:
    """Add the links; `offered` is what `view` says in the address -> title. A screen reader says `name`."""
    Shown[str](lambda view: _drawn(name, path, offered, view), tag="nav").show(now)


def _drawn(name: str, path: str, offered: Mapping[str, str], now: str) -> Markup:
    links = (
        Markup('<li><a href="{}?view={}"{}>{}</a></li>').format(
            path, view, Markup(' aria-current="page"') if view == now else Markup(""), title
        )
        for view, title in offered.items()
    )
    return Markup('<ul class="views" aria-label="{}">{}</ul>').format(name, joined(links))
