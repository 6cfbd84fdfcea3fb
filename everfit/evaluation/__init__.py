"""Evaluation: whether a candidate is better than the champion, on days that neither was trained on."""
