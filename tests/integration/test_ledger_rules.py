"""The ledger rules over a real MLflow: what a person does there by hand, what serving does about it, and what is told."""

import asyncio
import json
import uuid
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from mlflow import MlflowClient
from typer.testing import CliRunner

from everfit import Model
from everfit.alerts import alias_rules
from everfit.cli.main import app
from everfit.environment.settings import Settings
from everfit.errors import LostVersionError, PromotionError, ServiceError, StaleChampionError
from everfit.pipeline import manual_promotion
from everfit.pipeline.promotion import register
from everfit.pipeline.reconciliation import reconcile
from everfit.registry import Artifact, MlflowRegistry, difference
from everfit.registry.difference import Difference, differences
from everfit.runtime import Runtime
from everfit.serving.model_cache import ModelCache
from everfit.serving.version_source import LedgerVersions
from everfit.store import ledger
from everfit.store.ledger import Entry
from everfit.store.tables import ledger as table
from models.electricity_price import electricity_price
from tests.versions import CUTOFF, described


@pytest.fixture
def model() -> Model:
    """Under a name of this test's own."""
    return electricity_price.model_copy(update={"name": f"price_{uuid.uuid4().hex}"})


@pytest.fixture(autouse=True)
def told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alias is expected to follow at once."""
    monkeypatch.setattr(difference, "FOLLOWS_WITHIN", timedelta(0))


@pytest.fixture
def runtime(engine: sa.Engine, tracking: str, tmp_path: Path, model: Model) -> Runtime:
    url = engine.url.render_as_string(hide_password=False)
    settings = Settings(tmp_path, url, "127.0.0.1:1", tracking, "", "", tmp_path / "lake")
    runtime = Runtime(settings, {model.name: model}, MlflowRegistry(tracking))
    runtime.__dict__["engine"] = engine
    return runtime


def promoted(runtime: Runtime, model: Model, *biases: float, signed: bool = True) -> int:
    """Register and promote a version a bias; the number of the last."""
    version = 0
    for bias in biases:
        manifest = runtime.lake.put_json(one := described(runtime.lake, model, bias, signed=signed))
        before, version = version or None, register(runtime, one, manifest)
        detail = {"manifest": manifest, "trained_until": CUTOFF.isoformat(), "candidate": one.candidate.name}
        entry = Entry(model.name, "promoted", before, version, "test", "drift", "better", None, CUTOFF, detail)
        with runtime.engine.begin() as connection:
            ledger.replace_champion(connection, entry)
        reconcile(runtime, [model.name])
    return version


def client_of(runtime: Runtime) -> MlflowClient:
    """MLflow's own client, for what a person does there by hand."""
    return MlflowClient(runtime.settings.mlflow, runtime.settings.mlflow)


def served(runtime: Runtime, model: Model) -> tuple[int, float] | None:
    """Who answers after a restart of serving, and what where nothing is known."""
    versions = LedgerVersions(runtime.engine, runtime.registry, runtime.lake)
    champion = asyncio.run(ModelCache({model.name: model}, versions).refresh(model.name)).champion
    if champion is None:
        return None
    score = champion.scorer.score_one(dict.fromkeys(name for name, _ in model.features))
    assert isinstance(score, float)
    return champion.number, round(score, 4)


def differing(runtime: Runtime, model: Model) -> list[Difference]:
    with runtime.engine.connect() as connection:
        return [*differences(connection, runtime.settings.mlflow, [model.name])]


def rows(runtime: Runtime, model: Model) -> list[tuple[object, ...]]:
    columns = [table.c[name] for name in ("action", "from_version", "to_version", "actor", "cause", "reason")]
    with runtime.engine.connect() as connection:
        return [
            tuple(row)
            for row in connection.execute(sa.select(*columns).where(table.c.model == model.name).order_by(table.c.id))
        ]


def test_an_alias_that_was_moved_changes_nothing_that_is_served_and_is_told(runtime: Runtime, model: Model) -> None:
    assert promoted(runtime, model, 0.0, 1.0) == 2
    assert differing(runtime, model) == []
    runtime.registry.point(model.name, "champion", 1)
    assert served(runtime, model) == (2, 0.7311)
    (found,) = differing(runtime, model)
    assert (found.champion, found.alias, found.lost) == (2, 1, False)
    with runtime.engine.connect() as connection:
        watched = alias_rules.look(connection, runtime.settings.mlflow, [model.name])
    assert watched.ongoing == {
        (model.name, "registry"): "the ledger says version 2 is champion, and that one serves; MLflow's alias champion is on "
        f"version 1; `everfit promote {model.name} --restore` sets it back, "
        f"`everfit promote {model.name} 1` makes version 1 champion"
    }
    done = manual_promotion.restore(runtime, model, actor="person ada")
    assert (done.done, done.version) == ("restored", 2)
    assert differing(runtime, model) == []
    assert len(rows(runtime, model)) == 2, "who is champion has not changed"


def test_of_a_promotion_just_made_nothing_is_told_as_its_alias_follows(
    runtime: Runtime, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(runtime, model, 0.0, 1.0)
    runtime.registry.point(model.name, "champion", 1)
    monkeypatch.setattr(difference, "FOLLOWS_WITHIN", timedelta(minutes=1))
    assert differing(runtime, model) == []
    monkeypatch.setattr(difference, "FOLLOWS_WITHIN", timedelta(microseconds=1))
    assert [(one.champion, one.alias) for one in differing(runtime, model)] == [(2, 1)]


def test_a_deleted_alias_is_set_again(runtime: Runtime, model: Model) -> None:
    promoted(runtime, model, 1.0)
    client_of(runtime).delete_registered_model_alias(model.name, "champion")
    assert served(runtime, model) is not None
    assert [(one.champion, one.alias) for one in differing(runtime, model)] == [(1, None)]
    manual_promotion.restore(runtime, model, actor="person ada")
    assert runtime.registry.roles(model.name) == {"champion": 1}


@pytest.mark.parametrize("signed", [True, False], ids=["manifest of now", "manifest of before"])
@pytest.mark.parametrize("lost", ["version", "model"])
def test_a_version_that_mlflow_has_lost_is_served_from_the_lake_and_registered_anew(
    runtime: Runtime, model: Model, lost: str, signed: bool
) -> None:
    promoted(runtime, model, 0.0, 1.0, signed=signed)
    client = client_of(runtime)
    client.delete_model_version(model.name, "2") if lost == "version" else client.delete_registered_model(model.name)
    assert served(runtime, model) == (2, 0.7311)
    assert [(one.champion, one.lost) for one in differing(runtime, model)] == [(2, True)]
    done = manual_promotion.restore(runtime, model, actor="person ada", reason="cleaned up by mistake")
    assert (done.done, done.version, done.replaced) == ("registered anew", 3, 2)
    assert differing(runtime, model) == []
    assert served(runtime, model) == (3, 0.7311)
    told = "cleaned up by mistake: MLflow had lost version 2; the same artifact is version 3"
    assert rows(runtime, model)[-1] == ("promoted", 2, 3, "person ada", "person", told)
    with runtime.engine.connect() as connection:
        assert ledger.same_artifact(connection, model.name, 3) == [3, 2]


def test_a_number_is_never_given_twice(runtime: Runtime, model: Model) -> None:
    promoted(runtime, model, 0.0, 1.0)
    client_of(runtime).delete_registered_model(model.name)
    one = described(runtime.lake, model, 2.0)
    assert register(runtime, one, runtime.lake.put_json(one)) == 3


def test_an_artifact_that_is_gone_is_lost_too(runtime: Runtime, model: Model, tracking: str) -> None:
    promoted(runtime, model, 1.0)
    logged = client_of(runtime).get_model_version(model.name, "1").source or ""
    logged = logged.rpartition("/")[2]
    url = f"{tracking}/api/2.0/mlflow-artifacts/artifacts/0/models/{logged}/artifacts/model.onnx"
    assert httpx.delete(url, trust_env=False).status_code == 200
    with pytest.raises(LostVersionError):
        runtime.registry.fetch(model.name, 1)
    assert served(runtime, model) is not None
    assert manual_promotion.restore(runtime, model, actor="person ada").done == "registered anew"


def test_a_person_adopts_another_version(runtime: Runtime, model: Model) -> None:
    promoted(runtime, model, 0.0, 1.0)
    done = manual_promotion.adopt(runtime, model, 1, actor="person ada", reason="2 was trained on a broken feed")
    assert (done.done, done.version, done.replaced) == ("adopted", 1, 2)
    assert rows(runtime, model)[-1] == ("promoted", 2, 1, "person ada", "person", "2 was trained on a broken feed")
    assert runtime.registry.roles(model.name) == {"champion": 1}
    assert served(runtime, model) == (1, 0.5)
    with runtime.engine.connect() as connection:
        champion = ledger.champion(connection, model.name)
    assert champion is not None
    assert champion.trained_until == CUTOFF


def test_what_cannot_become_champion_is_refused(runtime: Runtime, model: Model) -> None:
    with pytest.raises(PromotionError, match="knows no champion to restore"):
        manual_promotion.restore(runtime, model, actor="person ada")
    promoted(runtime, model, 0.0, 1.0)
    with pytest.raises(PromotionError, match=r"version 2 .* is champion already"):
        manual_promotion.adopt(runtime, model, 2, actor="person ada")
    with pytest.raises(LostVersionError, match="cannot give version 7"):
        manual_promotion.adopt(runtime, model, 7, actor="person ada")
    one = described(runtime.lake, model, 2.0)
    signature = one.candidate.signature
    assert signature is not None
    onnx = runtime.lake.get(one.candidate.artifact, "onnx")
    runtime.registry.register(model.name, Artifact(onnx, signature, {}), above=0)
    with pytest.raises(PromotionError, match=r"version 3 .* has no manifest"):
        manual_promotion.adopt(runtime, model, 3, actor="person ada")
    other = described(runtime.lake, electricity_price, 2.0)
    tags = {"everfit.manifest": runtime.lake.put_json(other)}
    runtime.registry.register(model.name, Artifact(onnx, signature, tags), above=0)
    with pytest.raises(PromotionError, match="made for electricity_price"):
        manual_promotion.adopt(runtime, model, 4, actor="person ada")
    narrower = model.model_copy(update={"views": []})
    with pytest.raises(PromotionError, match="which the model does not declare so"):
        manual_promotion.adopt(runtime, narrower, 1, actor="person ada")
    assert len(rows(runtime, model)) == 2


def test_adopting_is_compare_and_set(runtime: Runtime, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    promoted(runtime, model, 0.0, 1.0)
    fetch = runtime.registry.fetch

    def while_another_is_promoted(name: str, version: int) -> object:
        with runtime.engine.begin() as connection:
            ledger.append(
                connection,
                Entry(
                    name,
                    "promoted",
                    2,
                    5,
                    "test",
                    "drift",
                    "",
                    None,
                    CUTOFF,
                    {"manifest": "", "trained_until": CUTOFF.isoformat()},
                ),
            )
        return fetch(name, version)

    monkeypatch.setattr(runtime.registry, "fetch", while_another_is_promoted)
    with pytest.raises(StaleChampionError, match="version 5 is champion now"):
        manual_promotion.adopt(runtime, model, 1, actor="person ada")
    assert runtime.registry.roles(model.name) == {"champion": 2}


def test_where_the_ledger_knows_none_an_alias_serves_nobody_and_can_be_adopted(runtime: Runtime, model: Model) -> None:
    one = described(runtime.lake, model, 0.0)
    register(runtime, one, runtime.lake.put_json(one))
    runtime.registry.point(model.name, "champion", 1)
    assert served(runtime, model) is None
    (found,) = differing(runtime, model)
    assert found.todo == f"`everfit promote {model.name} 1` makes version 1 champion"
    manual_promotion.adopt(runtime, model, 1, actor="person ada")
    assert served(runtime, model) == (1, 0.5)


def test_a_mlflow_that_is_away_changes_nothing(runtime: Runtime, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    promoted(runtime, model, 1.0)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    runtime.__dict__["registry"] = away = MlflowRegistry("http://127.0.0.1:1")
    with pytest.raises(ServiceError, match="MLflow does not answer"):
        away.roles(model.name)
    assert served(runtime, model) == (1, 0.7311)
    with runtime.engine.connect() as connection:
        assert alias_rules.look(connection, "http://127.0.0.1:1", [model.name]).families == ()
    with pytest.raises(ServiceError, match="MLflow does not answer"):
        manual_promotion.restore(runtime, model, actor="person ada")


def test_the_command_says_what_it_did(runtime: Runtime, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    promoted(runtime, model, 0.0, 1.0)
    monkeypatch.setattr(Runtime, "load", lambda: runtime)
    told = CliRunner().invoke(app, ["promote", model.name, "1", "--by", "ada", "--reason", "2 is worse at night", "--json"])
    assert json.loads(told.stdout) == {
        "model": model.name,
        "done": "adopted",
        "version": 1,
        "replaced": 2,
        "reason": "2 is worse at night",
    }
    assert rows(runtime, model)[-1] == ("promoted", 2, 1, "person ada", "person", "2 is worse at night")
    told = CliRunner().invoke(app, ["promote", model.name, "--restore"])
    restored = f"{model.name}: version 1 is champion (restored: the alias is on version 1, as the ledger says)"
    assert told.stdout.strip() == restored
    assert isinstance(CliRunner().invoke(app, ["promote", model.name, "1"]).exception, PromotionError)
