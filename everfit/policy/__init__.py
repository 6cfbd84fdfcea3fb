"""Decide from evidence whether to retrain: pure functions, replayable on past evidence."""
