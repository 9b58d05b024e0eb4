"""Opportune: an open, self-hosted customer decision hub with the science built in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opportune.hub import Hub

__all__ = ["Hub", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the hub when it is asked for: `import opportune` stays light."""
    if name == "Hub":
        from opportune.hub import Hub

        return Hub
    raise AttributeError(f"module 'opportune' has no attribute {name!r}")
