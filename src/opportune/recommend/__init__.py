"""WHICH ITEM: items for an action. Parts that score, a blend that was checked on held data, rules of the shelf."""
