"""Replay of recorded source rows, outcomes and requests, each at its own event time, in the place of the outside world."""
