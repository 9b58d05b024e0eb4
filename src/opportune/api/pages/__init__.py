"""The pages of customers: unsubscribe, confirm, and choose. Plain HTML that needs no script, in their own language."""
