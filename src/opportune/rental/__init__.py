"""RENTING: wish lists, copies that go out and come back, whose turn it is; everything is the fold of a log of facts."""
