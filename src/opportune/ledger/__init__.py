"""THE RECORD: what was decided, what became of it, and everything that a replay needs."""
