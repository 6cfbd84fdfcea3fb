"""The flights model as the benchmark of a retraining wants it."""
