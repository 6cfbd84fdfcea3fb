"""A promotion is taken back, a rollout approved or rejected, a model paused: by a person, over a real MLflow and Postgres."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlflow import MlflowClient

from everfit import Approval, Canary, Model
from everfit.declaration.rollouts import Step
from everfit.environment.settings import Settings
from everfit.errors import PromotionError, ServiceError, StaleChampionError
from everfit.pipeline import approval, manual_promotion, rollout_changes
from everfit.pipeline.promotion import register
from everfit.pipeline.reconciliation import reconcile
from everfit.pipeline.rollback import roll_back
from everfit.pipeline.training_request import request_training
from everfit.registry import MlflowRegistry
from everfit.runtime import Runtime
from everfit.store import ledger, rollouts
from everfit.store.ledger import Action, Entry
from everfit.store.served_roles import Served, served
from models.electricity_price import electricity_price
from tests.versions import CUTOFF, described


@pytest.fixture
def model() -> Model:
    """Under a name of this test's own."""
    return electricity_price.model_copy(update={"name": f"price_{uuid.uuid4().hex}"})


@pytest.fixture(autouse=True)
def announced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The roles that are announced; no broker is waited for."""
    roles: list[str] = []
    for module in ("rollback", "approval", "manual_promotion"):
        monkeypatch.setattr(f"everfit.pipeline.{module}.announce", lambda *_, role="champion": roles.append(role))
    return roles


@pytest.fixture
def runtime(engine: sa.Engine, tracking: str, tmp_path: Path, model: Model) -> Runtime:
    url = engine.url.render_as_string(hide_password=False)
    settings = Settings(tmp_path, url, "127.0.0.1:1", tracking, "", "", tmp_path / "lake")
    runtime = Runtime(settings, {model.name: model}, MlflowRegistry(tracking))
    runtime.__dict__["engine"] = engine
    return runtime


def entry(runtime: Runtime, model: Model, action: Action, before: int | None) -> Entry:
    """A row on a new version, which is registered for it."""
    manifest = runtime.lake.put_json(one := described(runtime.lake, model, 0.1 * (before or 0)))
    version = register(runtime, one, manifest)
    detail = {"manifest": manifest, "trained_until": CUTOFF.isoformat(), "candidate": one.candidate.name}
    return Entry(model.name, action, before, version, "test", "drift", "passed", None, CUTOFF, detail)


def promoted(runtime: Runtime, model: Model, versions: int) -> None:
    """Versions from 1 on, each in the place of the one before."""
    for version in range(1, versions + 1):
        made = entry(runtime, model, "promoted", version - 1 or None)
        with runtime.engine.begin() as connection:
            ledger.replace_champion(connection, made)
            rollout_changes.guard(connection, model, made)
        reconcile(runtime, [model.name])


def challenged(runtime: Runtime, model: Model, steps: list[Step]) -> Model:
    """The model with version 1 as champion and version 2 at the beginning of its rollout."""
    rolled = model.model_copy(update={"rollout": steps})
    promoted(runtime, model, 1)
    made = entry(runtime, model, "registered", 1)
    with runtime.engine.begin() as connection:
        rollout_changes.begin(connection, rolled, made, 0.01)
    return rolled


def serving(runtime: Runtime, model: Model) -> Served:
    with runtime.engine.connect() as connection:
        return served(connection, model.name)


def alias(runtime: Runtime, model: Model) -> int | None:
    return runtime.registry.roles(model.name).get("champion")


def test_a_promotion_is_taken_back(runtime: Runtime, model: Model) -> None:
    promoted(runtime, model, 3)
    assert serving(runtime, model) == Served(3, shadows=(2,))
    done = roll_back(runtime, model, actor="person ada", reason="worse at night")
    assert (done.version, done.replaced, done.done, done.reason) == (2, 3, "rolled back", "worse at night")
    assert serving(runtime, model) == Served(2)
    assert alias(runtime, model) == 2
    kept = MlflowClient(runtime.settings.mlflow).get_model_version(model.name, "3")
    assert "| rolled back to version 2 | person ada | worse at night |" in (kept.description or "")
    assert roll_back(runtime, model, 3, actor="person ada").version == 3, "forward again"
    assert roll_back(runtime, model, 1, actor="person ada").version == 1
    with runtime.engine.connect() as connection:
        step = ledger.newest_step(connection, model.name)
        states = [each.state for each in rollouts.of_model(connection, model.name)]
    assert step == ledger.Step(1, "person ada", "version 3 is taken back")
    assert states == ["superseded", "rolled_back"]


def test_what_cannot_be_taken_back_is_refused(runtime: Runtime, model: Model) -> None:
    with pytest.raises(PromotionError, match="has no champion that could be taken back"):
        roll_back(runtime, model, actor="person ada")
    promoted(runtime, model, 2)
    with pytest.raises(PromotionError, match=r"the ledger knows no version 9 of .*; it knows 1, 2"):
        roll_back(runtime, model, 9, actor="person ada")
    with pytest.raises(PromotionError, match=r"version 2 of .* is champion already"):
        roll_back(runtime, model, 2, actor="person ada")
    roll_back(runtime, model, actor="person ada")
    with pytest.raises(PromotionError, match=r"version 1 of .* replaced none; name one"):
        roll_back(runtime, model, actor="person ada")


def test_of_a_promotion_and_rollbacks_at_once_one_wins(runtime: Runtime, model: Model) -> None:
    promoted(runtime, model, 2)
    made = entry(runtime, model, "promoted", 2)

    def push() -> str:
        with runtime.engine.begin() as connection:
            ledger.replace_champion(connection, made)
        reconcile(runtime, [model.name])
        return "promoted"

    def back() -> str:
        return roll_back(runtime, model, 1, actor="person ada").done

    def outcome(act: object) -> str:
        try:
            return act()  # type: ignore[operator, no-any-return]
        except (StaleChampionError, PromotionError):
            return "too late"

    with ThreadPoolExecutor(3) as threads:
        ended = [*threads.map(outcome, [push, back, back])]
    with runtime.engine.connect() as connection:
        champion = ledger.champion(connection, model.name)
    assert champion is not None
    assert ended.count("too late") == 2 or (ended[0] == "promoted" and champion.version == 1), ended
    assert alias(runtime, model) == champion.version


def test_it_works_while_mlflow_is_away_and_the_alias_follows(
    runtime: Runtime, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(runtime, model, 2)

    def away(*_: object) -> None:
        raise ServiceError("MLflow does not answer")

    with monkeypatch.context() as without:
        without.setattr(MlflowRegistry, "roles", away)
        assert roll_back(runtime, model, actor="person ada").version == 1
        reconcile(runtime, [model.name])
    assert (serving(runtime, model), alias(runtime, model)) == (Served(1), 2)
    reconcile(runtime, [model.name])
    assert alias(runtime, model) == 1


def test_killed_between_ledger_and_alias_both_agree_afterwards(runtime: Runtime, model: Model) -> None:
    promoted(runtime, model, 2)
    for wrong in (1, 2):
        runtime.registry.point(model.name, "champion", wrong)
        reconcile(runtime, [model.name, "model_without_champion"])
        assert alias(runtime, model) == 2


def test_a_version_waits_for_a_person(runtime: Runtime, model: Model, announced: list[str]) -> None:
    rolled = challenged(runtime, model, [Approval(within="7d"), Canary(steps=[10], each="1d")])
    assert serving(runtime, model) == Served(1, shadows=(2,))
    with pytest.raises(PromotionError, match=r"version 2 of .* was never champion, .*; `everfit promote price_\w+ 2` makes it"):
        roll_back(runtime, rolled, 2, actor="person ada")
    approval.approve(runtime, rolled, actor="person ada", reason="looks right")
    assert serving(runtime, model) == Served(1, 2, 0.1)
    with pytest.raises(PromotionError, match=r"waits for approval: version 2 is in its canary; `everfit reject"):
        approval.approve(runtime, rolled, actor="person ada")
    approval.reject(runtime, rolled, actor="person ada", reason="no")
    assert serving(runtime, model) == Served(1)
    assert announced == ["challenger", "none"]
    with pytest.raises(PromotionError, match=r"is in its rollout: there is no rollout"):
        approval.reject(runtime, rolled, actor="person ada")


def test_an_approval_may_be_the_last_word(runtime: Runtime, model: Model) -> None:
    rolled = challenged(runtime, model, [Approval()])
    approval.approve(runtime, rolled, actor="person ada")
    assert serving(runtime, model) == Served(2, shadows=(1,))
    with pytest.raises(PromotionError, match="version 2 is champion, provisionally; `everfit rollback"):
        approval.approve(runtime, rolled, actor="person ada")
    assert roll_back(runtime, rolled, actor="person ada").version == 1


def test_a_paused_model_stays_so_until_it_is_resumed(runtime: Runtime, model: Model) -> None:
    assert approval.pause(runtime, model, actor="person ada", reason="stocktaking")
    assert not approval.pause(runtime, model, actor="person ada")
    assert approval.resume(runtime, model, actor="person ada")
    assert not approval.resume(runtime, model, actor="person ada")


def test_a_version_that_mlflow_lost_keeps_its_predecessor_and_its_guard(runtime: Runtime, model: Model) -> None:
    promoted(runtime, model, 2)
    MlflowClient(runtime.settings.mlflow).delete_model_version(model.name, "2")
    restored = manual_promotion.restore(runtime, model, actor="person ada")
    assert (restored.version, restored.done) == (3, "registered anew")
    assert serving(runtime, model) == Served(3, shadows=(1,)), "its guard goes on under the new number"
    assert roll_back(runtime, model, actor="person ada").version == 1


def test_a_paused_model_is_not_trained(runtime: Runtime, model: Model) -> None:
    approval.pause(runtime, model, actor="person ada")
    with pytest.raises(PromotionError, match=r"is paused by a person: `everfit resume"):
        request_training(runtime, model)
