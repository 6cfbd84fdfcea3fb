"""How long one answer takes, measured on a machine that may be busy with other work.

Each row is answered several times, in turn with a fixed reference graph, and the fastest of its answers counts: other work only
ever adds time. The latency is the 99 % quantile of that over the rows. Where even the reference's fastest answer took longer
than :data:`REFERENCE_MS`, the whole machine was slower than usual, and the latency is divided by how many times.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

ROWS = 50  # that are timed
ROUNDS = 20
LEAST_ROUNDS = 3
BUDGET_SECONDS = 30.0  # a slow model is answered fewer rounds
REFERENCE_MS = 0.1  # the reference's fastest answer took a third of this on two cores of 2024
WIDTH = 256


@dataclass(frozen=True, slots=True)
class Latency:
    """``ms`` is what one answer takes on a quiet machine; ``slowdown`` how many times slower this one was, 1 or more."""

    ms: float
    slowdown: float


def measure(
    answer: Callable[[int], object],
    reference: Callable[[], object],
    *,
    rows: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Latency:
    """Time the answers to ``rows`` rows beside the reference's.

    Args:
        answer: answers the row of that number.
        reference: the fixed work that shows how fast the machine is now.
        rows: at least one.
        clock: seconds, monotonic.
    """
    import numpy as np

    fastest = np.full(rows, np.inf)
    of_reference = np.inf
    began = clock()
    for done in range(ROUNDS):
        for row in range(rows):
            start = clock()
            reference()
            middle = clock()
            answer(row)
            of_reference = min(of_reference, middle - start)
            fastest[row] = min(fastest[row], clock() - middle)
        if done + 1 >= LEAST_ROUNDS and clock() - began > BUDGET_SECONDS:
            break
    slowdown = max(1.0, 1_000 * of_reference / REFERENCE_MS)
    return Latency(1_000 * float(np.quantile(fastest, 0.99)) / slowdown, float(slowdown))


def reference_session() -> "InferenceSession":
    """Two layers of :data:`WIDTH` in float64: the same work on every machine."""
    import numpy as np

    from everfit.declaration.binary_classification import BinaryClassification
    from everfit.training.artifact import open_session
    from everfit.training.onnx_graph import Graph

    graph = Graph([(f"number_{n}", "number") for n in range(WIDTH)])
    value = "numbers"
    for _ in range(2):
        value = graph.add("Relu", graph.add("MatMul", value, graph.constant(np.full((WIDTH, WIDTH), 1 / WIDTH))))
    raw = graph.add("MatMul", value, graph.constant(np.full((WIDTH, 1), 1 / WIDTH)))
    return open_session(graph.finish(raw, BinaryClassification(label="reference")))
