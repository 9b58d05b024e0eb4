"""The same decision for a whole audience."""
