"""A sound model, and beside it one that fails in every way that a model can; both judged by the day."""
