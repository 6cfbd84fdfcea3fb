"""The open rollouts, as `everfit status` and a champion's page in Dagster show them: step, what it waits for, live outcomes."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

    from everfit.store.rollouts import Rollout


@dataclass(frozen=True, slots=True)
class OpenRollout:
    """A version in its rollout; ``until`` is when its step ends at the latest, by the model's clock.

    ``shown`` is the newest verdict on live outcomes with its interval, or how the step began.
    """

    model: str
    version: int
    replaces: int | None
    step: str
    since: datetime
    until: datetime
    waits_for: str
    shown: str

    def __str__(self) -> str:
        against = f"version {self.version} beside version {self.replaces}"
        return f"{self.model}: {against}, {self.step}, since {self.since:%Y-%m-%d %H:%M}, {self.waits_for}; {self.shown}"


def open_rollouts(connection: "sa.Connection") -> list[OpenRollout]:
    """Those of all models that have not ended."""
    from everfit.store import rollouts

    return [shown(rollout) for rollout in rollouts.open_ones(connection)]


def shown(rollout: "Rollout") -> OpenRollout:
    """One of them."""
    stage = rollout.stage
    step = stage.kind.replace("_", " ") + (f" of {stage.share:.0%}" if stage.share else "")
    until = rollout.since + stage.lasts
    waits = f"until {until:%Y-%m-%d %H:%M} by the model's clock"
    if stage.kind == "approval":
        waits = f"waits for `everfit approve {rollout.model}` or `everfit reject {rollout.model}`, {waits}"
    elif stage.outcomes is not None:
        waits = f"waits for {stage.outcomes} outcomes, {waits}"
    elif stage.kind == "guard":
        step = "provisional champion"
    return OpenRollout(
        rollout.model, rollout.version, rollout.replaces, step, rollout.since, until, waits, rollout.reason or "nothing yet"
    )
