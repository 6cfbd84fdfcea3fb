"""The checks on a champion show its own verdicts: never its predecessor's, and nothing where nothing was judged."""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import pytest
import sqlalchemy as sa

from assets.checks import evidence_checks
from assets.provenance import DATA_VERSION
from everfit.deployment import Deployment
from everfit.evidence import Kind
from everfit.settings import Settings
from everfit.store import judgements, ledger
from everfit.store.judgements import Judgement
from models.electricity_price import electricity_price
from orchestration.champions import by_hand, verdicts

MODEL = electricity_price
WEEK = timedelta(days=7)
KEY = dg.AssetKey([MODEL.name, "champion"])


@pytest.fixture
def deployment(engine: sa.Engine, tmp_path: Path) -> Deployment:
    url = engine.url.render_as_string(hide_password=False)
    made = Deployment(Settings(tmp_path, url, "", "http://mlflow:5000", "http://serving:8000", "", tmp_path / "lake"))
    made.__dict__ |= {"engine": engine, "models": {MODEL.name: MODEL}}
    return made


def promote(deployment: Deployment, version: int, *, actor: str = "dagster run", restored_from: int | None = None) -> None:
    detail: dict[str, object] = {"manifest": "", "trained_until": MODEL.go_live.isoformat()}
    detail |= {"restored_from": restored_from} if restored_from else {}
    entry = ledger.Entry(MODEL.name, "promoted", None, version, actor, "person", "why", None, MODEL.go_live, detail)
    with deployment.engine.begin() as connection:
        ledger.append(connection, entry)


def judge(deployment: Deployment, version: int, week: int, verdict: str, kind: Kind = "drift") -> Judgement:
    start = MODEL.go_live + week * WEEK
    name = f"{version}-{week}-{kind}"
    one = Judgement(name, MODEL.name, version, start, start + WEEK, kind, verdict, 1.0, 2.0, f"{kind} of {name}", {})
    with deployment.engine.begin() as connection:
        judgements.record(connection, [one])
    return one


def evaluated(deployment: Deployment) -> dict[str, tuple[bool, str | None]]:
    """What a person sees who runs the checks."""
    job = dg.define_asset_job("checks", dg.AssetSelection.all_asset_checks())
    definitions = dg.Definitions(
        assets=[dg.AssetSpec(KEY)], asset_checks=[evidence_checks(MODEL)], jobs=[job], resources={"everfit": deployment}
    )
    with TemporaryDirectory() as folder, dg.DagsterInstance.ephemeral(folder) as instance:
        done = definitions.resolve_job_def("checks").execute_in_process(instance=instance)
    assert done.success
    return {one.check_name: (one.passed, one.description) for one in done.get_asset_check_evaluations()}


def test_a_new_champion_shows_nothing_of_its_predecessors_verdicts(deployment: Deployment) -> None:
    assert evaluated(deployment) == {}
    promote(deployment, 1)
    kinds: list[Kind] = ["quality", "drift"]
    for kind in kinds:
        judge(deployment, 1, 0, "ok", kind)
    assert evaluated(deployment) == {"quality": (True, "quality of 1-0-quality"), "drift": (True, "drift of 1-0-drift")}
    promote(deployment, 2)
    assert evaluated(deployment) == {}
    judge(deployment, 2, 1, "alarm")
    judge(deployment, 1, 2, "ok")
    assert evaluated(deployment) == {"drift": (False, "drift of 2-1-drift")}


def test_a_champion_that_comes_back_shows_its_own_verdicts_again(deployment: Deployment) -> None:
    promote(deployment, 1)
    judge(deployment, 1, 0, "alarm")
    promote(deployment, 2)
    promote(deployment, 3, restored_from=1)
    assert evaluated(deployment) == {"drift": (False, "drift of 1-0-drift")}


def test_the_sensor_tells_the_champions_verdicts_alone(deployment: Deployment) -> None:
    promote(deployment, 1)
    promote(deployment, 2)
    both = [judge(deployment, version, 0, "ok") for version in (2, 1)]
    told = list(verdicts(deployment, MODEL, both))
    assert [one.description for one in told] == ["drift of 2-0-drift"]


def test_a_persons_promotion_is_told_to_dagster_once_with_what_is_known(deployment: Deployment, tmp_path: Path) -> None:
    promote(deployment, 1)
    judge(deployment, 1, 0, "alarm")
    promote(deployment, 2)
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as instance:
        assert list(by_hand(instance, deployment, MODEL)) == [], "a run tells its own"
        promote(deployment, 1, actor="person ada")
        told = list(by_hand(instance, deployment, MODEL))
        assert isinstance(told[0], dg.AssetMaterialization)
        assert (told[0].tags or {})[DATA_VERSION] == "1"
        shown = {one.check_name: one.description for one in told if isinstance(one, dg.AssetCheckEvaluation)}
        unknown = "not judged: no window of this version has closed yet"
        assert shown == {
            "quality": unknown,
            "drift": "drift of 1-0-drift",
            "performance": unknown,
            "freshness": unknown,
        }
        assert not any(one.passed for one in told if isinstance(one, dg.AssetCheckEvaluation))
        for one in told:
            instance.report_runless_asset_event(one)
        assert list(by_hand(instance, deployment, MODEL)) == []
