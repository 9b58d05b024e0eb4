"""Making messages: Liquid with limits, in a process of its own."""
