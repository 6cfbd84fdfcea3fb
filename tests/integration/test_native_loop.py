"""A version that ONNX cannot hold, from training to serving: told, loaded from the lake alone, and replaced where it fails."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from everfit import Model, Sklearn
from everfit.errors import NotServableError
from everfit.pipeline import evaluation, manifests, promotion
from everfit.pipeline.native_versions import NOT_PORTABLE, own_artifact
from everfit.pipeline.training import train
from everfit.registry import Artifact
from everfit.serving.version_source import LedgerVersions
from everfit.store import ledger
from everfit.training.artifact import Signature
from everfit.training.native_file import loaded
from models.electricity_price import electricity_price
from tests.loop import Loop
from tests.native import faulty_artifact
from tests.serving import WatchedRegistry
from tests.serving_over_http import NAME, Serve, predict
from tests.unit.test_data_faults import CUTOFF, alternate, labelled
from tests.versions import training_set

NATIVE = ["sklearn.metrics._dist_metrics.EuclideanDistance64", "sklearn.neighbors._kd_tree.KDTree"]


def neighbours() -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline

    return make_pipeline(make_column_transformer((SimpleImputer(), ["half_hour", "price"])), KNeighborsClassifier(3))


def test_it_is_trained_judged_told_and_loaded_from_the_lake_alone(engine: sa.Engine, tmp_path: Path) -> None:
    declared = {name: getattr(electricity_price, name) for name in Model.model_fields}
    gate = electricity_price.gate.model_copy(update={"max_latency_ms": 10_000.0})
    model = Model(**declared | {"candidates": [Sklearn("near", neighbours, native=NATIVE)], "gate": gate})
    loop = Loop(engine, tmp_path, model)
    runtime, rows = loop.runtime, labelled(alternate, half_hour=alternate)
    kept = {"rows_hash": runtime.lake.put_frame(rows), "rows": rows.height}
    given = training_set(model, cutoff=CUTOFF, cause="bootstrap", reason="the first version", **kept)
    trained = train(runtime, model, given, manifests.put(runtime, model, "training_set", given, rows.height))
    (candidate,) = trained.candidates
    assert candidate.refused is None
    digest = manifests.put(runtime, model, "trained_model", trained, rows.height)
    manifests.put(runtime, model, "evaluation", evaluation.evaluate(runtime, model, trained, digest), 1)
    concluded = promotion.conclude(runtime, model, actor="test")
    assert concluded.version == 1
    assert "not portable: no ONNX but a file of skops" in concluded.reason
    registered = loop.registry.fetch(model.name, 1)
    assert registered.tags[NOT_PORTABLE].endswith(f"types trusted: {', '.join(NATIVE)}")

    stranger = Signature(model.name, model.features, model.schema_id, native=["os.system"])
    loop.registry.artifacts[model.name, 1] = Artifact(b"\x80\x04 a pickle", stranger, registered.tags)
    served = LedgerVersions(engine, loop.registry, runtime.lake).fetch(model.name, 1)
    assert (served.content, served.signature) == (registered.content, registered.signature)
    loop.registry.artifacts[model.name, 1] = Artifact(registered.content, registered.signature, {})
    with pytest.raises(NotServableError, match=r"a file of skops without the tag everfit\.manifest: it is not loaded"):
        own_artifact(runtime.lake, loop.registry.fetch(model.name, 1))

    with engine.connect() as connection:
        champion = ledger.champion(connection, model.name)
    assert champion is not None
    current = manifests.get(runtime.lake, champion.manifest, manifests.Version)
    again, _ = evaluation._champion_answers(runtime, model, current, rows)
    assert again.tolist() == loaded(registered.content, NATIVE).predict(rows).tolist()


def test_where_its_process_crashes_the_others_answer_and_the_next_request_starts_it_again(
    serve: Serve, registry: WatchedRegistry, kafka: str, event_time: str
) -> None:
    registry.artifacts[NAME, 2] = faulty_artifact(electricity_price, "half_hour")
    registry.artifacts[NAME, 3] = faulty_artifact(electricity_price, "half_hour", loads=False)
    registry.assign({"champion": 1, "challenger": 2}, share=1.0)
    client = serve(kafka)

    def asked(request_id: str, half_hour: int) -> tuple[int, Any]:
        inputs = {"region": "NSW", "half_hour": half_hour, "weekday": 2}
        answer = predict(client, request_id=request_id, event_time=event_time, inputs=inputs)
        return answer.status_code, answer.json().get("version", answer.json().get("error"))

    assert asked("c1", 0) == (200, 2)
    assert asked("c2", 1) == (200, 1), "the champion stands in for a challenger that crashed"

    registry.assign({"champion": 2, "shadow": 1})
    client.post(f"/refresh/{NAME}").raise_for_status()
    assert client.get(f"/v2/models/{NAME}").json()["platform"] == "everfit_skops"
    status, error = asked("a1", 1)
    assert status == 503
    assert "its process ended (SIGABRT)" in error
    assert asked("a2", 0) == (200, 2)
    registry.assign({"champion": 3, "shadow": 2})
    client.post(f"/refresh/{NAME}").raise_for_status()
    assert asked("a4", 0) == (200, 2), "what crashes as it is loaded leaves the old version"
    registry.assign({"champion": 1, "shadow": 2})
    client.post(f"/refresh/{NAME}").raise_for_status()
    assert asked("a5", 1) == (200, 1), "a shadow that crashes is counted, and no client waits for it"
    client.post("/flush").raise_for_status()
    assert f'everfit_failures_total{{model="{NAME}",role="shadow",version="2"}} 1' in client.get("/metrics").text
