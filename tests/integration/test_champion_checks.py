"""The checks on a champion show its own verdicts: never its predecessor's, and nothing where nothing was judged."""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import pytest
import sqlalchemy as sa

from assets.checks import evidence_checks
from assets.provenance import DATA_VERSION
from everfit.environment.settings import Settings
from everfit.runtime import Runtime
from everfit.store import judgements, ledger
from everfit.store.judgements import Judgement
from models.electricity_price import electricity_price
from orchestration.champion_events import by_hand, verdicts

MODEL = electricity_price
WEEK = timedelta(days=7)
KEY = dg.AssetKey([MODEL.name, "champion"])


@pytest.fixture
def runtime(engine: sa.Engine, tmp_path: Path) -> Runtime:
    url = engine.url.render_as_string(hide_password=False)
    made = Runtime(Settings(tmp_path, url, "", "http://mlflow:5000", "http://serving:8000", "", tmp_path / "lake"))
    made.__dict__ |= {"engine": engine, "models": {MODEL.name: MODEL}}
    return made


def promote(runtime: Runtime, version: int, *, actor: str = "dagster run", restored_from: int | None = None) -> None:
    detail: dict[str, object] = {"manifest": "", "trained_until": MODEL.go_live.isoformat()}
    detail |= {"restored_from": restored_from} if restored_from else {}
    entry = ledger.Entry(MODEL.name, "promoted", None, version, actor, "person", "why", None, MODEL.go_live, detail)
    with runtime.engine.begin() as connection:
        ledger.append(connection, entry)


def judge(runtime: Runtime, version: int, week: int, verdict: str, kind: str = "drift") -> Judgement:
    start = MODEL.go_live + week * WEEK
    name = f"{version}-{week}-{kind}"
    one = Judgement(name, MODEL.name, version, start, start + WEEK, kind, verdict, 1.0, 2.0, f"{kind} of {name}", {})
    with runtime.engine.begin() as connection:
        judgements.record(connection, [one])
    return one


def evaluated(runtime: Runtime) -> dict[str, tuple[bool, str | None]]:
    """What a person sees who runs the checks."""
    job = dg.define_asset_job("checks", dg.AssetSelection.all_asset_checks())
    definitions = dg.Definitions(
        assets=[dg.AssetSpec(KEY)], asset_checks=[evidence_checks(MODEL)], jobs=[job], resources={"everfit": runtime}
    )
    with TemporaryDirectory() as folder, dg.DagsterInstance.ephemeral(folder) as instance:
        done = definitions.resolve_job_def("checks").execute_in_process(instance=instance)
    assert done.success
    return {one.check_name: (one.passed, one.description) for one in done.get_asset_check_evaluations()}


def test_a_new_champion_shows_nothing_of_its_predecessors_verdicts(runtime: Runtime) -> None:
    assert evaluated(runtime) == {}
    promote(runtime, 1)
    kinds: list[str] = ["quality", "drift"]
    for kind in kinds:
        judge(runtime, 1, 0, "ok", kind)
    assert evaluated(runtime) == {"quality": (True, "quality of 1-0-quality"), "drift": (True, "drift of 1-0-drift")}
    promote(runtime, 2)
    assert evaluated(runtime) == {}
    judge(runtime, 2, 1, "alarm")
    judge(runtime, 1, 2, "ok")
    assert evaluated(runtime) == {"drift": (False, "drift of 2-1-drift")}


def test_a_champion_that_comes_back_shows_its_own_verdicts_again(runtime: Runtime) -> None:
    promote(runtime, 1)
    judge(runtime, 1, 0, "alarm")
    promote(runtime, 2)
    promote(runtime, 3, restored_from=1)
    assert evaluated(runtime) == {"drift": (False, "drift of 1-0-drift")}


def test_the_sensor_tells_the_champions_verdicts_alone(runtime: Runtime) -> None:
    promote(runtime, 1)
    promote(runtime, 2)
    both = [judge(runtime, version, 0, "ok") for version in (2, 1)]
    told = list(verdicts(runtime, MODEL, both))
    assert [one.description for one in told] == ["drift of 2-0-drift"]


def test_a_persons_promotion_is_told_to_dagster_once_with_what_is_known(runtime: Runtime, tmp_path: Path) -> None:
    promote(runtime, 1)
    judge(runtime, 1, 0, "alarm")
    promote(runtime, 2)
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as instance:
        assert list(by_hand(instance, runtime, MODEL)) == [], "a run tells its own"
        promote(runtime, 1, actor="person ada")
        told = list(by_hand(instance, runtime, MODEL))
        assert isinstance(told[0], dg.AssetMaterialization)
        assert (told[0].tags or {})[DATA_VERSION] == "1"
        shown = {one.check_name: one.description for one in told if isinstance(one, dg.AssetCheckEvaluation)}
        unknown = "not judged: no window of this version has closed yet"
        assert shown == {
            "quality": unknown,
            "drift": "drift of 1-0-drift",
            "performance": unknown,
            "freshness": unknown,
            "regret": unknown,
        }
        assert not any(one.passed for one in told if isinstance(one, dg.AssetCheckEvaluation))
        for one in told:
            instance.report_runless_asset_event(one)
        assert list(by_hand(instance, runtime, MODEL)) == []
