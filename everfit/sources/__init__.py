"""Rows of the outside world: read by readers, checked against their declaration, published."""
