"""What the review of a declaration says: one remark a matter, each with what to do."""

from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "note"]


class Remark(NamedTuple):
    """``subject`` is what it is about, ``what`` says it with its values, ``todo`` what to do; a note may need nothing done.

    With an error the loop would fail or learn what is wrong; a warning is for a person to decide.
    """

    severity: Severity
    subject: str
    what: str
    todo: str


def some(names: list[str], most: int = 5) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
