"""What a hub can be asked for besides deciding: each subject wires its own rooms on top of the hub."""
