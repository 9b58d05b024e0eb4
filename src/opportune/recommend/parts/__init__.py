"""The parts of the recommender, each in a file of its own."""
