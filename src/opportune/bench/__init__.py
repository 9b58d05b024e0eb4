"""Figures, side by side with peers in the same run. Nothing here is imported by the hub."""
