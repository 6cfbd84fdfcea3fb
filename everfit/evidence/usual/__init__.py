"""What is usual from day to day: the ranges of columns, of the rows' volume, of what ties columns together, of outcomes.

Every range is of the training time's own days, and is extended by the days before the one that is judged.
"""
