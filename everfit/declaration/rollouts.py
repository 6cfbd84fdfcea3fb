"""How what passes the gate takes over: the steps of a rollout, and the roles that versions have in them.

A rollout goes through its steps in order, by the model's clock. After the last the version is champion, provisionally: the
version that it replaced answers along as a shadow until the guard confirms the new one, or rolls it back.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal, Self, get_args

import msgspec
from pydantic import Field, model_validator

from everfit.declaration.part import Part
from everfit.timing import Duration

Role = Literal["champion", "challenger", "shadow"]
ROLES: tuple[Role, ...] = get_args(Role)
ANSWERING: tuple[Role, ...] = ("champion", "challenger")  # clients get their answers; those of other roles are logged alone

PATIENCE = timedelta(days=84)  # with what waits for outcomes

StageKind = Literal["approval", "shadow", "canary", "ab_test", "guard"]


class Stage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step as it is gone through and recorded; a canary has one a share.

    ``share``, between 0 and 1, of the values of ``unit`` (a field of the request; empty: the entity) gets the challenger's
    answers. It lasts ``seconds`` of the model's clock; or, where ``outcomes`` are given, until so many have matured, and no
    longer than that.
    """

    kind: StageKind
    seconds: float
    outcomes: int | None = None
    share: float = 0.0
    unit: str = ""

    @property
    def role(self) -> Role:
        """The role of the version in it."""
        return "champion" if self.kind == "guard" else "challenger" if self.share else "shadow"

    @property
    def lasts(self) -> timedelta:
        """How long it lasts at most."""
        return timedelta(seconds=self.seconds)


class Step(Part):
    """One step of a rollout."""

    def stages(self) -> Sequence[Stage]:
        """The stages that it consists of, in order."""
        raise NotImplementedError


class Approval(Step):
    """A person approves or rejects the version, which meanwhile answers along as a shadow.

    After ``within`` of the model's clock without an answer the rollout expires, and the champion stays.
    """

    within: Duration = timedelta(days=7)

    def stages(self) -> Sequence[Stage]:
        """One."""
        return [Stage(kind="approval", seconds=self.within.total_seconds())]


class Shadow(Step):
    """The version answers every request along, for the log alone: for a time, or until so many ``outcomes`` have matured.

    Outcomes that do not come within :data:`PATIENCE` end the rollout, and the champion stays.
    """

    for_: Duration | None = None
    outcomes: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if (self.for_ is None) == (self.outcomes is None):
            raise ValueError(f"for_={self.for_} outcomes={self.outcomes}: give one of them, such as for_='7d'")
        return self

    def stages(self) -> Sequence[Stage]:
        """One."""
        seconds = (self.for_ or PATIENCE).total_seconds()
        return [Stage(kind="shadow", seconds=seconds, outcomes=self.outcomes)]


class Canary(Step):
    """A rising share of the traffic, in per cent, gets the version's answers, each for a while.

    Whoever gets them at one share gets them at the next: a hash of ``unit``, a field of the request, by default the entity,
    decides.
    """

    steps: list[float]
    each: Duration
    unit: str = ""

    @model_validator(mode="after")
    def _shares_rise(self) -> Self:
        rising = all(before < after for before, after in zip(self.steps, self.steps[1:], strict=False))
        if not self.steps or not rising or self.steps[0] <= 0 or self.steps[-1] > 100:
            raise ValueError(
                f"steps={self.steps}: give rising shares in per cent, above 0 and at most 100, such as [5, 25, 50]"
            )
        return self

    def stages(self) -> Sequence[Stage]:
        """One a share."""
        seconds = self.each.total_seconds()
        return [Stage(kind="canary", seconds=seconds, share=share / 100, unit=self.unit) for share in self.steps]


class ABTest(Step):
    """A fixed ``share`` of the traffic gets the version's answers until the two can be told apart, at most ``for_`` so long."""

    share: float = Field(0.5, gt=0, lt=1)
    for_: Duration = timedelta(days=28)
    unit: str = ""

    def stages(self) -> Sequence[Stage]:
        """One."""
        return [Stage(kind="ab_test", seconds=self.for_.total_seconds(), share=self.share, unit=self.unit)]


class Guard(Step):
    """The last step of every rollout, declared or not: the version is champion, provisionally, beside its predecessor.

    After ``for_`` without a verdict it stays, and the interval is shown.
    """

    for_: Duration = timedelta(days=84)

    def stages(self) -> Sequence[Stage]:
        """One."""
        return [Stage(kind="guard", seconds=self.for_.total_seconds())]


class Straight(Step):
    """What passes the gate becomes champion at once; the same as no step."""

    def stages(self) -> Sequence[Stage]:
        """None."""
        return []


def rollout_steps(rollout: Any) -> list[Step]:
    """The declared steps.

    Raises:
        ValueError: for what is no list of steps, a guard that is not the last, or ``Straight()`` among others.
    """
    steps = [rollout] if isinstance(rollout, Straight) else rollout
    known = "Approval, Shadow, Canary, ABTest, Guard"
    if not isinstance(steps, list):
        raise ValueError(f"{rollout!r} is no rollout; give a list of steps ({known}), or Straight()")  # noqa: TRY004
    for place, step in enumerate(steps):
        if not isinstance(step, Step):
            raise ValueError(f"{step!r} is no step of a rollout; there are {known}")  # noqa: TRY004
        if isinstance(step, Straight) and len(steps) > 1:
            raise ValueError("Straight() stands alone: it is a rollout without steps")
        if isinstance(step, Guard) and place < len(steps) - 1:
            raise ValueError("Guard() is the last step: nothing follows it")
    return [step for step in steps if not isinstance(step, Straight)]


def stages_of(steps: Sequence[Step]) -> list[Stage]:
    """All stages in order, the guard last."""
    guarded = steps if any(isinstance(step, Guard) for step in steps) else [*steps, Guard()]
    return [stage for step in guarded for stage in step.stages()]
