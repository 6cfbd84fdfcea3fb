"""The names of everfit's own columns in a frame of a model's rows, beside the features, whose names are the user's.

Each begins with an underscore, which no declared name does: a request field may be called ``score`` or ``event_time``. On the
topics and in the tables features stand apart from everything else, and names need no prefix there.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

REQUEST_ID = "_request_id"
EVENT_TIME = "_event_time"
VERSION = "_version"
SCHEMA = "_schema"
DEGRADED = "_degraded"
EXPLORED = "_explored"  # the share of units that were explored, where the row's was; 0 where it was not
WEIGHT = "_weight"  # how much a row counts for those that were not seen
SCORE = "_score"
SPREAD = "_spread"  # beside the score, how sure an answer is: the width of quantiles, the probability of the likeliest class
LABEL = "_label"  # what came true: of the history, or of the newest outcome
OBSERVED_AT = "_observed_at"
CANDIDATE = "_candidate"  # a candidate's score in the backtest
UNREADABLE = "_unreadable"  # how many of a row's numbers lie beyond what is read, and are null
FEATURES = "_features"  # as JSON, before it is taken apart
SCORES, CLASS = "_scores", "_class"  # of an answer as JSON, and an outcome that is text, before they are SCORE and LABEL
STATIC, TIMER, CONTINUOUS = "_static", "_timer", "_continuous"  # scores of the demo's three lines

_FORMERLY = {
    REQUEST_ID: "request_id",
    EVENT_TIME: "event_time",
    SCORE: "score",
    OBSERVED_AT: "observed_at",
    CANDIDATE: "candidate",
}


def renewed(frame: "pl.DataFrame", label: str) -> "pl.DataFrame":
    """Rows of the lake as they are named now, where an earlier version of everfit wrote them without the underscore.

    Args:
        frame: features of a day, a training set, a backtest or a reference sample; all of them have an event time.
        label: the model's declared label, by which its column was called.
    """
    if EVENT_TIME in frame.columns or not frame.columns:
        return frame
    former = {old: new for new, old in (*_FORMERLY.items(), (LABEL, label)) if old in frame.columns}
    return frame.rename(former)


def declared(frame: "pl.DataFrame", label: str) -> "pl.DataFrame":
    """Rows as a user's function is given them: the label by its own name, and ``event_time``, where no feature is called so."""
    names = {LABEL: label, EVENT_TIME: "event_time"}
    return frame.rename({ours: own for ours, own in names.items() if ours in frame.columns and own not in frame.columns})
