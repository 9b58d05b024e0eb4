"""How far a table of contacts can be trusted: faults of each kind with their rows, a score, and columns that leak."""
