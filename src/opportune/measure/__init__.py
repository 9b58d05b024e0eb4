"""KNOW: pure statistics over what the ledger holds. Reads, and writes nothing."""
