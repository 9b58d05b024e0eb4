"""CHOOSE: from a request and a snapshot to a decision, as a pure function. Start reading at `pipeline.py`."""
