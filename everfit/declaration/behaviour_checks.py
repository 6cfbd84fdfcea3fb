"""``Gate(checks=[…])``: a user's tests of how a candidate behaves, each a function of its answers and of rows."""

from typing import TYPE_CHECKING, Any, Protocol

from everfit.declaration.part import call_fault, name_flaw
from everfit.declaration.tasks import Floats

if TYPE_CHECKING:
    import polars as pl


class Answers(Protocol):
    """A candidate as it would be served, to be asked about any rows."""

    def __call__(self, rows: "pl.DataFrame") -> Floats:
        """The answers to rows with the model's features, in their order: float64[N], or float64[N, K]."""


class BehaviourCheck(Protocol):
    """A test that every candidate must pass, a function at the top of a module, which tells it in the gate by its name.

    Three kinds (Ribeiro et al., 2020, "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList")::

        def carrier_may_not_matter_at_night(answers, rows):          # invariance
            night = rows.filter(pl.col("hour") < 5)
            moved = abs(answers(night.with_columns(carrier=pl.lit("AA"))) - answers(night)).max()
            return f"another carrier moves an answer by {moved:.3f}" if moved > 0.05 else ""

        def rain_slows(answers, rows):                               # direction
            fell = (answers(rows.with_columns(pl.col("rain") + 5)) < answers(rows)).mean()
            return f"more rain lowers {fell:.0%} of the answers" if fell > 0.1 else ""

        def knows_holidays(answers, rows):                           # least function
            holiday = rows.filter(pl.col("holiday") == "Christmas Day")
            return "Christmas is as busy as a work day" if answers(holiday).mean() > 4_000 else ""

    It has a process of its own, imports what it needs, and leaves ``rows`` as they are.
    """

    __name__: str

    def __call__(self, answers: Answers, rows: "pl.DataFrame") -> str | None:
        """Judge a candidate.

        Args:
            answers: the candidate.
            rows: newest rows that the candidate was tested on, with their features, ``event_time`` and the label by its name.

        Returns:
            None or an empty text where the candidate passes; else what is wrong, in a sentence with its figures.
        """


def check_fault(check: Any) -> str:
    """Why a function cannot be one of the gate's checks; empty where it can."""
    if isinstance(check, type) or not hasattr(check, "__qualname__"):
        return f"{check!r} is no function; give one that is called as check(answers, rows)"
    if fault := call_fault(check, "answers", "rows"):
        return f"{check.__name__} cannot be called as check(answers, rows): {fault}"
    if "<" in check.__qualname__ or "." in check.__qualname__:
        return f"{check.__qualname__} cannot be imported by another process; define it at the top of a module"
    if check.__module__ == "__main__":
        return f"{check.__name__} is defined in __main__, which another process cannot import; define it in a module"
    if flaw := name_flaw(check.__name__):
        return f"a check is told by the name of its function, {flaw}"
    return ""
