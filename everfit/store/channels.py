"""The channels on which Postgres tells who listens; names alone, so that who waits loads little."""

from typing import LiteralString

COMPARATORS: LiteralString = "everfit_comparators"  # one was asked for
LISTENER = "everfit comparators"  # what the connection is called that listens there
