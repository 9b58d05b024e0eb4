"""Opportune: an open, self-hosted customer decision hub with the science built in."""

__version__ = "0.1.0"
