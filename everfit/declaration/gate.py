"""What a candidate must show before it may replace the champion: a question, and a budget of wrong answers a year."""

import math
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, FiniteFloat, field_serializer, field_validator, model_validator

from everfit.declaration.behaviour_checks import check_fault
from everfit.declaration.part import Name, Part, require_unique
from everfit.timing import Duration

SPREAD_SHARE = 0.1  # of the standard deviation of the champion's weekly mean loss
SLICE_MARGIN = 0.1  # of log loss
SHARE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*% of a week['\u2019]s spread\s*")
FORMER = {"metric": "log_loss", "confidence": 0.9, "margin": 0.002, "slice_margin": SLICE_MARGIN}  # in the ids of requests

Prove = Literal["no_worse", "better"]


class Margin(NamedTuple):
    """A margin in the metric's units, or as a share of the spread of the champion's weekly mean loss; the other is None."""

    units: float | None
    share: float | None


def _readable(margin: float | str) -> float | str:
    if isinstance(margin, str) and not SHARE.fullmatch(margin):
        raise ValueError(f"{margin!r} is no margin; give a number in the metric's units, or '10 % of a week's spread'")
    if not isinstance(margin, str) and not 0 <= margin < math.inf:
        raise ValueError(f"{margin!r}: a margin is 0 or more, and finite")
    return margin


class Question(Part):
    """What is asked of a candidate: that it is ``no_worse`` than the champion by more than ``margin``, or ``better`` by it.

    ``margin`` is a number in the units of the model's metric, or a text such as ``10 % of a week's spread``: a share of the
    standard deviation of the champion's weekly mean loss. By default 10 % of it may be lost; nothing more than a gain is asked.
    """

    prove: Prove = "no_worse"
    margin: Annotated[float | str, AfterValidator(_readable)] | None = None

    @property
    def allowed(self) -> Margin:
        """The margin as a number of one kind."""
        if self.margin is None:
            return Margin(0.0, None) if self.prove == "better" else Margin(None, SPREAD_SHARE)
        if isinstance(self.margin, str) and (share := SHARE.fullmatch(self.margin)):
            return Margin(None, float(share[1]) / 100)
        return Margin(float(self.margin), None)


class Gate(Question):
    """What a candidate must show against the champion, on rolling origins over the newest matured days.

    ``by_cause`` asks otherwise of a retraining for one cause, such as ``{"drift": Question(prove="better")}``; whoever asks by
    hand is the cause ``person``.

    All attempts of a year together, with all their candidates, may promote ``wrong_promotions_per_year`` that should not have
    been: from it follows how sure each comparison must be. What is neither shown nor refuted is inconclusive: it is judged
    again as days come in, and rejected ``expires_after`` its training.

    ``backtest`` is cut in ``folds``; each fold's recipe is trained only on what came before it. Days that the champion was
    trained on do not count, nor do days without rows; fewer than ``min_unseen_days``, and nothing can be shown.
    ``slice_margin``, in units of the model's metric, is what no slice may lose: by default 0.1 of log loss, and of another
    metric the same share of the champion's loss as this is of a coin's log loss, 14 %. ``max_latency_ms`` is what one answer
    may take on a quiet machine: what other work adds is measured beside it and left out.

    ``require`` are figures that every candidate must reach, the first one too, such as ``{"auc": 0.7}``: metrics that fit the
    task, and figures of the task's. ``checks`` are functions ``check(answers, rows)`` that judge how a candidate behaves:
    see :class:`everfit.declaration.behaviour_checks.BehaviourCheck`. Where a version may take ``max_memory_mb`` beyond what its
    process took before, at most, one that takes more is rejected.
    """

    wrong_promotions_per_year: float = Field(4.0, gt=0, le=52)
    by_cause: dict[Name, Question] = {}
    expires_after: Duration = Field(timedelta(days=28), gt=timedelta())
    backtest: Duration = timedelta(days=28)
    folds: int = Field(4, ge=1, le=52)
    min_unseen_days: int = Field(7, ge=1)
    slices: list[Name] = []
    slice_margin: FiniteFloat | None = Field(None, gt=0)
    slice_rows: int = Field(50, ge=1)
    max_latency_ms: float = Field(20.0, gt=0)
    max_memory_mb: float | None = Field(None, gt=0)
    require: dict[str, FiniteFloat] = {}
    checks: list[Callable[..., Any]] = []

    def question(self, cause: str) -> Question:
        """What is asked of a candidate that was trained for this cause."""
        return self.by_cause.get(cause, self)

    @field_validator("by_cause")
    @classmethod
    def _questions_alone(cls, by_cause: dict[str, Question]) -> dict[str, Question]:
        for cause, asked in by_cause.items():
            if isinstance(asked, Gate):
                instead = f"write Question(prove={asked.prove!r})"
                raise ValueError(f"{cause}: a cause changes prove and margin alone; {instead}")  # noqa: TRY004
        return by_cause

    @field_validator("checks")
    @classmethod
    def _checks_can_be_called(cls, checks: list[Callable[..., Any]]) -> list[Callable[..., Any]]:
        for check in checks:
            if fault := check_fault(check):
                raise ValueError(fault)
        require_unique("checks", [check.__name__ for check in checks])
        return checks

    @field_serializer("checks")
    def _named(self, checks: list[Callable[..., Any]]) -> list[str]:
        return [f"{check.__module__}.{check.__name__}" for check in checks]

    @model_validator(mode="before")
    @classmethod
    def _former_arguments(cls, values: Any) -> Any:
        if isinstance(values, dict) and "metric" in values:
            raise ValueError(
                f"metric={values['metric']!r}: the metric is the model's; write Model(metric={values['metric']!r})"
            )
        if isinstance(values, dict) and "confidence" in values:
            raise ValueError(
                f"confidence={values['confidence']!r}: how sure a comparison must be follows from "
                "wrong_promotions_per_year=4; leave confidence out, or ask for more by prove='better'"
            )
        return values

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """As the ids of recorded requests hold it: with the limits by their former defaults, and what is new last."""
        values = dict(super().__repr_args__()) | {"checks": [check.__name__ for check in self.checks]}
        new = ("prove", "wrong_promotions_per_year", "by_cause", "expires_after", "require", "checks", "max_memory_mb")
        given = [(name, values[name]) for name in new if values[name] != type(self).model_fields[name].default]
        yield "metric", FORMER["metric"]
        for name in ("backtest", "folds", "min_unseen_days", "confidence", "margin", "slices", "slice_margin"):
            value = values.get(name)
            yield name, FORMER.get(name) if value is None else value
        yield "slice_rows", self.slice_rows
        yield "max_latency_ms", self.max_latency_ms
        yield from given
