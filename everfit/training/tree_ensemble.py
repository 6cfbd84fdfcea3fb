"""Fitted trees of scikit-learn, and their exact translation to ONNX.

The exporter writes the ``TreeEnsemble`` operator of ai.onnx.ml 5 in float64: https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from everfit.declaration.tasks import Task
from everfit.training.arrays import Features, Floats, split, with_components
from everfit.training.encoding import Encoding

if TYPE_CHECKING:
    import polars as pl
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

LESS_OR_EQUAL, MEMBER = 0, 6  # modes of a TreeEnsemble's nodes
SUM, NO_TRANSFORM = 1, 0


@dataclass(frozen=True, slots=True, eq=False)
class FittedTrees:
    """Fitted trees over the columns [categories' codes, numbers]: the order in which scikit-learn puts them itself.

    Each estimator gives one raw value a row, or one for each class; of two classes it gives that of the second alone, and that
    of the first is 0.
    """

    features: Features
    task: Task
    encoding: Encoding
    estimators: "Sequence[HistGradientBoostingClassifier | HistGradientBoostingRegressor]"

    def predict(self, frame: "pl.DataFrame") -> Floats:
        """The answers of the task, float64[N] or [N, K]."""
        inputs = columns(self.encoding, *with_components(split(self.features, frame)))
        with one_thread():
            raw = np.hstack([each._raw_predict(inputs) for each in self.estimators])  # noqa: SLF001 - as in the graph
        return self.task.answers(self._padded(raw).reshape(-1, *self.task.output.shape))

    def to_onnx(self) -> bytes:
        """The same answers as an ONNX graph."""
        from everfit.training.onnx_graph import ML, Graph

        graph = Graph(self.features)
        inputs = [
            graph.category(i, values, np.arange(len(values), dtype=np.float64), np.nan)
            for i, values in enumerate(self.encoding.vocabularies)
        ] + ([graph.numbers()] if len(self.encoding.means) else [])
        joined = graph.add("Concat", *inputs, axis=1)
        baseline = self._padded(np.hstack([each._baseline_prediction for each in self.estimators]))  # noqa: SLF001
        raw = graph.add("TreeEnsemble", joined, domain=ML, **_ensemble(self.estimators, baseline.shape[1]))
        return graph.finish(graph.add("Add", raw, graph.constant(baseline.astype(np.float64))), self.task)

    def _padded(self, raw: Floats) -> Floats:
        """Raw values float64[N, K], with a 0 for the first of two classes."""
        missing = math.prod(self.task.output.shape) - raw.shape[1]
        return np.pad(raw, ((0, 0), (missing, 0))) if missing else raw


def one_thread() -> AbstractContextManager[object]:
    """Sums in one order whatever the machine; and waiting OpenMP threads spin: on busy cores two take ten times as long."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    return cast("AbstractContextManager[object]", threadpool_limits(1, user_api="openmp"))


def columns(encoding: Encoding, numbers: Floats, categories: Any) -> Floats:
    """What the estimator takes, float64[N, Dc + Dn]: the categories' codes, then the numbers."""
    return np.hstack([encoding.codes(categories), numbers]) if categories.shape[1] else numbers


def _ensemble(
    estimators: "Sequence[HistGradientBoostingClassifier | HistGradientBoostingRegressor]", width: int
) -> dict[str, Any]:
    """The attributes of the operator, for the last of ``width`` raw values that the trees give.

    scikit-learn offers its trees only by private names; the parity check guards them.
    """
    from onnx import numpy_helper

    writer = _TreeWriter()
    target = width - sum(each.n_trees_per_iteration_ for each in estimators)
    for estimator in estimators:
        for trees in estimator._predictors:  # noqa: SLF001
            for place, tree in enumerate(trees, start=target):
                writer.add(tree.nodes, tree.raw_left_cat_bitsets, place)
        target += estimator.n_trees_per_iteration_
    return {
        "nodes_featureids": writer.features,
        "nodes_modes": numpy_helper.from_array(np.array(writer.modes, dtype=np.uint8), "modes"),
        "nodes_splits": numpy_helper.from_array(np.array(writer.splits), "splits"),
        "nodes_truenodeids": writer.children[True],
        "nodes_trueleafs": writer.child_is_leaf[True],
        "nodes_falsenodeids": writer.children[False],
        "nodes_falseleafs": writer.child_is_leaf[False],
        "nodes_missing_value_tracks_true": writer.missing_goes_left,
        "membership_values": numpy_helper.from_array(np.array(writer.members or [np.nan]), "members"),
        "leaf_targetids": writer.targets,
        "leaf_weights": numpy_helper.from_array(np.array(writer.leaves), "weights"),
        "tree_roots": writer.roots,
        "n_targets": width,
        "aggregate_function": SUM,
        "post_transform": NO_TRANSFORM,
    }


class _TreeWriter:
    """Trees as the operator's flat lists: branches and leaves are numbered apart, over all trees."""

    def __init__(self) -> None:
        self.roots: list[int] = []
        self.features: list[int] = []
        self.modes: list[int] = []
        self.splits: list[float] = []
        self.children: dict[bool, list[int]] = {True: [], False: []}
        self.child_is_leaf: dict[bool, list[int]] = {True: [], False: []}
        self.missing_goes_left: list[int] = []
        self.members: list[float] = []  # for each MEMBER node its codes, ended by NaN
        self.leaves: list[float] = []
        self.targets: list[int] = []  # which raw value each leaf adds to

    def add(self, nodes: Any, bitsets: Any, target: int) -> None:
        """Append one tree; a tree that is a single leaf becomes a branch with the leaf on both sides."""
        branches = [i for i, node in enumerate(nodes) if not node["is_leaf"]]
        leaves = [i for i, node in enumerate(nodes) if node["is_leaf"]]
        ids = {node: len(self.features) + position for position, node in enumerate(branches)}
        ids |= {node: len(self.leaves) + position for position, node in enumerate(leaves)}
        self.roots.append(len(self.features))
        self.leaves += [float(nodes[i]["value"]) for i in leaves]
        self.targets += [target] * len(leaves)
        for i in branches:
            node = nodes[i]
            members = _members(bitsets[node["bitset_idx"]]) if node["is_categorical"] else None
            self._branch(int(node["feature_idx"]), float(node["num_threshold"]), members, bool(node["missing_go_to_left"]))
            for side, child in ((True, int(node["left"])), (False, int(node["right"]))):
                self._child(side, ids[child], bool(nodes[child]["is_leaf"]))
        if not branches:
            self._branch(0, 0.0, None, missing_left=True)
            for side in (True, False):
                self._child(side, ids[0], is_leaf=True)

    def _branch(self, feature: int, threshold: float, members: list[int] | None, missing_left: bool) -> None:
        self.features.append(feature)
        self.modes.append(LESS_OR_EQUAL if members is None else MEMBER)
        self.splits.append(threshold if members is None else 0.0)
        self.missing_goes_left.append(int(missing_left))
        if members is not None:
            self.members += [*map(float, members), np.nan]

    def _child(self, side: bool, number: int, is_leaf: bool) -> None:
        self.children[side].append(number)
        self.child_is_leaf[side].append(int(is_leaf))


def _members(bitset: Any) -> list[int]:
    """The codes that go left: bits of eight words of 32."""
    return [code for code in range(256) if bitset[code // 32] >> (code % 32) & 1]
