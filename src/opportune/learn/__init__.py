"""IMPROVE: the fold of ledger facts into the model."""
