"""Why an item was recommended, in a sentence: true, and about what counted most."""

from __future__ import annotations

from collections.abc import Mapping

from opportune.recommend.feedback import Purpose

DID: Mapping[str, str] = {
    "bought": "you bought",
    "liked": "you liked",
    "wished": "you wished for",
    "saved": "you saved",
    "added": "you chose",
    "viewed": "you looked at",
}
"""What a customer did with an item, by the kind of feedback."""


def sentence(part: str, other: str, kind: str, purpose: Purpose, likes: tuple[str, ...]) -> str:
    """Return the reason of a part. `other` is the title of the item that spoke for it, "" where there is none.

    >>> sentence("neighbors", "Dracula", "saved", "self", ())
    'because you saved Dracula'
    >>> sentence("popular_now", "", "", "self", ())
    'popular now'
    """
    did = DID.get(kind, "you looked at")
    if part == "companions" and other:
        return f"often bought together with {other}"
    if part == "content" and other:
        return f"much like {other}, which {did}"
    if part == "content" and likes:
        return f"fits {' and '.join(likes)}"
    if part == "session" and other:
        return f"because {did} {other} just now"
    if part in ("ease", "neighbors") and other:
        return f"because {did} {other}" + (" for your gift" if purpose == "gift" else "")
    return {"popular_now": "popular now", "popular": "popular", "new": "new"}.get(part, "chosen for you")
