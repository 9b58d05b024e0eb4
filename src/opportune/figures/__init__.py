"""The figures of marketing operations: the ledger as tables, one SQL file for each figure, and what they say."""
