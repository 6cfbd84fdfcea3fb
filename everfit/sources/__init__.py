"""Rows of the outside world: read from files, checked against their declaration, published."""
