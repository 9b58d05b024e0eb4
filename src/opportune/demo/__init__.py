"""The live demo: a simulated company whose customers live through the HTTP door of a hub of its own."""
