"""Whom to contact: learners, a response model and one-line rules race for who gains most from it.

`race.race` is the door. A difference between customers is claimed only where `differences.differences`, one calibrated
test on all of the data, sees one.
"""
