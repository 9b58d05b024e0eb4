"""A number that says what it means: its meaning on hover, its interval and time range, a link to what is behind."""

from __future__ import annotations

from markupsafe import Markup

from opportune.console.parts.shown import worded

LONG = 11
"""Characters beyond which a value is written smaller, so that it stays in one piece."""


def figure(
    name: str, value: str, meaning: str, about: str = "", link: tuple[str, str] | None = None, none: bool = False,
    unsure: bool = False,
) -> Markup:  # fmt: skip
    """Return a figure. `about` is its interval and time range; `link` a text and an address; `none`: `value` says why.
    `unsure`: so little is known of it that it stands back.

    The meaning is in the title of the name, which a keyboard reaches too.
    """
    kind = " none" if none else " unsure" if unsure else " long" if len(value) > LONG else ""
    more = Markup(' <a href="{}">{}</a>').format(link[1], link[0]) if link else Markup("")
    return Markup(
        '<dl class="figure"><dt tabindex="0" title="{0}" aria-label="{1}: {0}">{1}</dt>'
        '<dd class="value{2}">{3}</dd><dd class="about">{4}{5}</dd></dl>'
    ).format(meaning, name, kind, value, about, more)


def empty(what: str, cure: str, command: str = "") -> Markup:
    """Return what stands where there is nothing yet: what is missing, and what to do about it (code in backticks)."""
    shown = Markup("<br><code>{}</code>").format(command) if command else Markup("")
    return Markup('<div class="empty"><strong>{}</strong>{}{}</div>').format(what, worded(cure), shown)
