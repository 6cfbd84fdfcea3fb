"""Answers of ``/predict`` and of the Open Inference Protocol V2.

Source: https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md.
"""

from typing import Any

from everfit.declaration import Model
from everfit.serving.loaded_versions import ActiveVersions
from everfit.serving.request_schema import CheckedRequest
from everfit.serving.service import Answered
from everfit.timing import format_time


def predicted(model: Model, request: CheckedRequest, answered: Answered) -> dict[str, Any]:
    """The answer of ``/predict``; where the model explores, ``explored`` tells the client to let this row through anyway."""
    return {
        "request_id": request.id,
        "model": model.name,
        "version": answered.versions[0],
        **model.task.fields(answered.answers[0]),
        "degraded": answered.degraded[0],
        **({"explored": answered.explored[0]} if model.exploration else {}),
        "event_time": format_time(request.at),
    }


def inferred(model: Model, request: CheckedRequest, answered: Answered) -> dict[str, Any]:
    """The answer of V2: the tensor of the task's answers; ``degraded`` where any row was.

    Where the model explores, ``explored`` says of each row whether the client lets it through anyway.
    Where a challenger answered some of the rows, ``versions`` has the version of each, and none is that of the whole answer.
    """
    output = model.task.output
    tensor = {
        "name": output.name,
        "shape": [len(answered.answers), *output.shape],
        "datatype": output.datatype,
        "data": answered.answers,
    }
    is_of_one = len(set(answered.versions)) == 1
    told = {"event_time": format_time(request.at), "degraded": any(answered.degraded)}
    told |= {"explored": [*answered.explored]} if model.exploration else {}
    return {
        "model_name": model.name,
        **({"model_version": str(answered.versions[0])} if is_of_one else {}),
        "id": request.id,
        "parameters": told if is_of_one else told | {"versions": list(answered.versions)},
        "outputs": [tensor],
    }


def server_metadata(version: str) -> dict[str, Any]:
    """What serves."""
    return {"name": "everfit", "version": version, "extensions": []}


def model_metadata(model: Model, active: ActiveVersions) -> dict[str, Any]:
    """A model's inputs and output, the versions that serve (the champion first) and their roles."""
    output = model.task.output
    native = active.champion is not None and active.champion.scorer.signature.native is not None
    return {
        "name": model.name,
        "versions": [str(version.number) for _, version in active],
        "platform": "everfit_skops" if native else "onnxruntime_onnx",
        "inputs": [{"name": field.name, "datatype": field.datatype, "shape": [-1, *field.shape]} for field in model.request],
        "outputs": [
            {"name": output.name, "datatype": output.datatype, "shape": [-1, *output.shape]}
            | ({"parameters": dict(output.parameters)} if output.parameters else {})
        ],
        "roles": active.roles,
    }
