"""The jobs of a person on call, with their acts in place of a registry and a ledger."""

from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from everfit.declaration.rollouts import Stage
from everfit.pipeline.manual_promotion import Promoted
from orchestration.promotion_jobs import PROMOTION_JOBS
from tests.events import MODEL

ROLLOUT = SimpleNamespace(
    version=2, replaces=1, step=0, stages=[Stage(kind="approval", seconds=1), Stage(kind="guard", seconds=1)]
)
DONE = Promoted(model=MODEL.name, done="adopted", version=2, replaced=1, reason="why")


@pytest.mark.parametrize(
    ("name", "step", "act", "result", "given", "told"),
    [
        ("promote", "version_promoted", "manual_promotion.adopt", DONE, {"version": 2}, "version 2 is champion, in place of"),
        (
            "rollback",
            "promotion_taken_back",
            "rollback.roll_back",
            DONE,
            {},
            "version 2 is champion again, in place of",
        ),
        ("approve", "approve_said", "approval.approve", ROLLOUT, {}, "version 2 goes on: guard"),
        ("reject", "reject_said", "approval.reject", ROLLOUT, {}, "version 2 is rejected; version 1 stays champion"),
        ("pause", "pause_said", "approval.pause", True, {}, "paused"),
        ("resume", "resume_said", "approval.resume", False, {}, "it was not paused"),
    ],
)
def test_a_job_acts_in_a_persons_name(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    name: str,
    step: str,
    act: str,
    result: Any,
    given: dict[str, Any],
    told: str,
) -> None:
    asked: list[Any] = []

    def done(_runtime: Any, model: Any, *more: Any, actor: str, reason: str) -> Any:
        asked.append((model.name, *[each for each in more if each is not None], actor, reason))
        return result

    monkeypatch.setattr(f"everfit.pipeline.{act}", done)
    job = next(job for job in PROMOTION_JOBS if job.name == name)
    runtime = SimpleNamespace(models={MODEL.name: MODEL})
    bound = job.graph.to_job(resource_defs={"everfit": dg.ResourceDefinition.hardcoded_resource(runtime)})
    config = {"model": MODEL.name, "by": "ada", "reason": "why", **given}
    assert bound.execute_in_process(run_config={"ops": {step: {"config": config}}}).success
    assert asked == [(MODEL.name, *given.values(), "person ada", "why")]
    assert told in capfd.readouterr().err
