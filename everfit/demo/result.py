"""The result of a demo. Every number in it is computed from the stores."""

from datetime import datetime

import msgspec

from everfit.declaration.retraining import Status
from everfit.pipeline.manifests import Compared
from everfit.store.rollouts import Rollout


class Losses(msgspec.Struct, frozen=True):
    """Mean loss on the same requests: of version 1 left alone, of the mean timer, and of the champions."""

    static: float
    timer: float
    continuous: float


def written(loss: float) -> str:
    """A loss, or a difference of losses, as people read it: losses of 10 and more, as of vehicles, with one decimal."""
    return f"{loss:.3f}" if abs(loss) < 10 else f"{loss:,.1f}"


class Week(msgspec.Struct, frozen=True):
    """One whole window ``[start, end)``: requests with a known outcome, and the mean losses on them."""

    start: datetime
    end: datetime
    rows: int
    losses: Losses


class Moved(msgspec.Struct, frozen=True):
    """A column, or two with their relation, that moved in one window: ``times`` the threshold by what decided.

    ``beside`` is Evidently's distance in words; empty of a relation.
    """

    column: str
    statistic: str
    times: float
    beside: str


class Alarm(msgspec.Struct, frozen=True):
    """Evidence that raised an alarm on ``[start, end)`` about ``version``; ``html`` is a link relative to the report."""

    kind: str
    version: int
    start: datetime
    end: datetime
    reason: str
    moved: list[Moved]
    html: str | None


class Retraining(msgspec.Struct, frozen=True):
    """A retrain request after the first training and what became of it; ``version`` is what it made champion.

    ``asked_because`` is the policy's reason, ``ended_because`` the gate's. ``at`` is the model's clock.
    """

    at: datetime
    cause: str
    asked_because: str
    ended: Status
    ended_because: str
    version: int | None


class Judged(msgspec.Struct, frozen=True):
    """An evaluation as the ledger tells it: what each candidate was held to. ``at`` is the model's clock."""

    at: datetime
    cause: str
    verdict: str
    compared: list[Compared]


class VersionLife(msgspec.Struct, frozen=True):
    """A champion: since when, its training, and its loss while it answered (None where no outcome was observed)."""

    version: int
    candidate: str
    cause: str
    since: datetime
    trained_until: datetime
    trained_rows: int
    answered: int
    loss: float | None


class Timer(msgspec.Struct, frozen=True):
    """The baseline: version 1, then the named recipe fitted at each cutoff on all rows known by then.

    There are several timers of equally many retrainings, each a list of cutoffs, shifted against each other.
    """

    recipe: str
    cutoffs: list[list[datetime]]

    @property
    def retrains(self) -> int:
        """How often each retrains."""
        return len(self.cutoffs[0])


class Counts(msgspec.Struct, frozen=True):
    """``scored`` counts the requests that all three were scored on; ``retrains`` excludes the first training.

    ``drift_retrains`` counts the promotions whose retraining had an alarm of drift or performance open.
    """

    predictions: int
    outcomes: int
    predictions_lost: int
    scored: int
    windows: int
    alarms: int
    retrains: int
    drift_retrains: int
    rejections: int
    promotions: int
    inconclusive: int = 0  # verdicts that waited for more days


class DemoResult(msgspec.Struct, frozen=True):
    """The contents of the summary and the report. All lists are in the order of time; ``seconds`` are by stage."""

    model: str
    description: str
    start: datetime
    end: datetime
    counts: Counts
    loss: str  # as the task names it
    losses: Losses
    weeks: list[Week]
    alarms: list[Alarm]
    retrainings: list[Retraining]
    versions: list[VersionLife]
    timer: Timer
    seconds: dict[str, float]
    judged: list[Judged] = []
    rollouts: list[Rollout] = []
    coin: float | None = None  # the loss of always answering one half, where that is an answer

    @property
    def loss_name(self) -> str:
        """The loss in words."""
        return self.loss.replace("_", " ")

    def summary(self) -> dict[str, object]:
        """The contents of ``summary.json``: the counts, the losses and the seconds."""
        return {
            "model": self.model,
            **msgspec.to_builtins(self.counts),
            self.loss: msgspec.to_builtins(self.losses),
            "seconds": round(sum(self.seconds.values()), 1),
            "seconds_by_stage": {stage: round(spent, 1) for stage, spent in self.seconds.items()},
        }
