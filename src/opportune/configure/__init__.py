"""WHAT FITS: configurable products: what a partial choice still can be, why not, what it costs, how to complete it."""
