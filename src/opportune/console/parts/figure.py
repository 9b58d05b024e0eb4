"""A number that says what it means: its meaning on hover, its interval and time range, a link to what is behind."""

from __future__ import annotations

from markupsafe import Markup


def figure(
    name: str, value: str, meaning: str, about: str = "", link: tuple[str, str] | None = None, none: bool = False
) -> Markup:
    """Return a figure. `about` is its interval and time range; `link` a text and an address; `none`: `value` says why.

    The meaning is in the title of the name, which a keyboard reaches too.
    """
    more = Markup(' <a href="{}">{}</a>').format(link[1], link[0]) if link else Markup("")
    return Markup(
        '<dl class="figure"><dt tabindex="0" title="{0}" aria-label="{1}: {0}">{1}</dt>'
        '<dd class="value{2}">{3}</dd><dd class="about">{4}{5}</dd></dl>'
    ).format(meaning, name, " none" if none else "", value, about, more)


def empty(what: str, cure: str, command: str = "") -> Markup:
    """Return what stands where there is nothing yet: what is missing, and what to do about it."""
    shown = Markup("<br><code>{}</code>").format(command) if command else Markup("")
    return Markup('<div class="empty"><strong>{}</strong>{}{}</div>').format(what, cure, shown)
