"""What a model predicts."""

from everfit.declaration.part import Name, Part


class BinaryClassification(Part):
    """Will it happen? The label is a column of 0 and 1; the score is the probability of 1."""

    label: Name
