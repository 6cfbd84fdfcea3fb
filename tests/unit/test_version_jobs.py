"""The jobs on versions on record, with their outcomes in place of a training."""

from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from everfit.declaration import Model
from everfit.pipeline.document_changes import Change
from everfit.pipeline.reproduced_parts import ReproducedPart
from everfit.pipeline.reproduction import Reproduction, State
from everfit.pipeline.version_comparison import VersionComparison
from orchestration.version_jobs import compare, reproduce
from tests.events import MODEL


def run(job: dg.JobDefinition, step: str, monkeypatch: pytest.MonkeyPatch, path: str, result: Any, **config: Any) -> Any:
    asked: list[Any] = []

    def answered(_runtime: Any, model: Model, *numbers: int, **options: Any) -> Any:
        asked.append((model.name, *numbers, options))
        return result

    monkeypatch.setattr(path, answered)
    given = {"everfit": dg.ResourceDefinition.hardcoded_resource(SimpleNamespace(models={MODEL.name: MODEL}))}
    run_config = {"ops": {step: {"config": {"model": MODEL.name, **config}}}}
    bound = dg.GraphDefinition.to_job(job.graph, resource_defs=given)
    return bound.execute_in_process(run_config=run_config, raise_on_error=False), asked


def made(state: State, *, identical: bool) -> Reproduction:
    part = ReproducedPart(name="weights", recorded="a", made="b", identical=identical, finding="answers differ by at most 0.1")
    return Reproduction(model=MODEL.name, version=3, state=state, parts=[part], obstacles=[], unrecorded=[], seconds=1.0)


@pytest.mark.parametrize("state", ["identical", "different"])
def test_a_reproduction_fails_its_run_unless_all_is_identical(monkeypatch: pytest.MonkeyPatch, state: State) -> None:
    result = made(state, identical=state == "identical")
    path = "everfit.pipeline.reproduction.reproduce"
    done, asked = run(reproduce, "version_made_again", monkeypatch, path, result, version=3, anyway=True)
    assert asked == [(MODEL.name, 3, {"anyway": True})]
    assert done.success == (state == "identical")
    if not done.success:
        (failed,) = [event for event in done.all_events if event.is_step_failure]
        assert "its weights differ first: answers differ by at most 0.1" in str(failed.event_specific_data)


def test_a_comparison_logs_what_differs(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    found = VersionComparison(
        model=MODEL.name,
        before=1,
        after=2,
        differences={"recipe": [Change(at="parameters.trees", before=40, after=60)], "code": []},
        unrecorded=["version 1: an older everfit did not record it"],
    )
    path = "everfit.pipeline.version_comparison.compare_versions"
    done, asked = run(compare, "versions_compared", monkeypatch, path, found, before=1, after=2)
    assert (done.success, asked) == (True, [(MODEL.name, 1, 2, {})])
    logged = capfd.readouterr().err
    for line in ("recipe: parameters.trees: 40 → 60", "code: the same", "version 1: an older everfit did not record it"):
        assert line in logged
