"""TEST: what is believed, what speaks for it, and what is tried next. Writes ledger facts and catalog files only."""
