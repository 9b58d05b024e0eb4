"""Who will leave, or respond: chances that are learned from a table or from the hub's own customers, as traits."""
