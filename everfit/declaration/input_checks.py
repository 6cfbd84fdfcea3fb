"""What flags, texts and vectors cannot be in a declaration, and which recipes do not take them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from everfit.declaration.input_kinds import size_of
from everfit.declaration.views import FeatureView, Windowed

if TYPE_CHECKING:
    from everfit.declaration.model import Model

SHARED = ("numbers", "categories")  # inputs of an exported graph that hold many features


def inputs_fault(model: "Model") -> str:
    """What is wrong, and what to declare instead; empty where nothing is."""
    return next(_faults(model), "")


def _faults(model: "Model") -> Iterator[str]:
    kinds = dict(model.features)
    named = [("entity", model.entity), *((f"the key of view {view.name}", view.key) for view in model.views)]
    named += [("identity", name) for name in model.identity if name in kinds]
    for role, name in named:
        if kinds[name] not in ("number", "category"):
            yield f"{role} is {name!r}, a {kinds[name]}; what tells things apart is a Category or an Integer"
    for name in model.gate.slices:
        if kinds[name] not in ("number", "category", "flag"):
            yield f"gate.slices names {name!r}, a {kinds[name]}, of which each row has its own; name a category, flag or number"
    for name, kind in model.features:
        if kind not in ("number", "category", "flag") and name in (*SHARED, model.task.output.name):
            yield f"{name!r}, a {kind}, is the name of another input or output of every exported graph; give it another name"
    for view in model.views:
        yield from _summed(model, view)
    for candidate in model.candidates:
        if fault := candidate.inputs_fault(model.features):
            yield f"candidates: {candidate.name}: {fault}"


def _summed(model: "Model", view: FeatureView) -> Iterator[str]:
    """Windows over what cannot be summed."""
    columns = {column.name: column.input_kind for column in model.source(view.source).columns}
    for name, feature in view.features.items():
        kind = columns.get(feature.column, "number")
        if isinstance(feature, Windowed) and feature.statistic != "count" and (kind == "text" or size_of(kind)):
            yield (
                f"view {view.name}: {name} is the {feature.statistic} of {feature.column!r}, a {kind} of source {view.source}; "
                "let the view's function make a number of it under another name, or take its newest value by latest"
            )
