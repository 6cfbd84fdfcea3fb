"""The outside world, played again from what is on record: source rows, outcomes and requests, each at its own moment."""
