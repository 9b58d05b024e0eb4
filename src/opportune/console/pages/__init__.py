"""One page a file: a function that builds it, given the `frame.Desk`."""
