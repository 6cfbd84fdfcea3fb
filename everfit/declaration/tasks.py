"""What a model predicts. A task owns all that depends on it, and no other code distinguishes tasks.

Shapes: N rows; labels[N] as they are logged; answers float64[N], a number per row, or float64[N, K] where an answer is K
numbers; raw float64[N] or [N, K], the output of a recipe's model, from which the head computes the answers.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from everfit.declaration.part import Name, Part
from everfit.declaration.reserved_columns import SCORE
from everfit.declaration.views import Kind
from everfit.errors import FeatureError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Labels = npt.NDArray[Any]
else:
    Floats = Labels = Any

Label = float | str

TENTHS = 10  # the points of a curve


class Output(NamedTuple):
    """The tensor of the answers, in the exported graph and in the V2 protocol; ``shape`` is that of one row's answer.

    ``parameters`` say in the metadata what the numbers of an answer are, such as ``{"classes": ["rain", "snow"]}``.
    """

    name: str = "score"
    datatype: str = "FP64"
    shape: tuple[int, ...] = ()
    parameters: Mapping[str, Sequence[Any]] = MappingProxyType({})


class Curve(NamedTuple):
    """Outcomes against answers. Where answers are right on average, the points lie on the diagonal.

    ``points`` are (answer, outcome), both between ``low`` and ``high``; ``x`` and ``y`` name the axes.
    """

    points: Sequence[tuple[float, float]]
    x: str
    y: str
    low: float
    high: float

    @property
    def gap(self) -> float:
        """Mean distance of the points from the diagonal; of probabilities by tenths, the expected calibration error.

        Naeini, Cooper and Hauskrecht (2015), with bins of equally many rows as Nguyen and O'Connor (2015) have them.
        """
        return math.fsum(abs(y - x) for x, y in self.points) / max(1, len(self.points))


class Reduction(NamedTuple):
    """A smaller task that is learnt in place of another, which the product of its answers[N, G] and ``shares``[G, K] answers.

    ``labels`` are the rows' labels of the smaller task; ``notes`` say in words what is learnt otherwise than declared.
    """

    task: "Task"
    labels: Labels
    shares: Floats
    notes: Sequence[str]


class GraphNodes(Protocol):
    """An ONNX graph in the making, as a head sees it."""

    def constant(self, value: Any) -> str:
        """Add a constant tensor and return its name."""

    def add(self, operator: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: Any) -> str:
        """Add a node and return the name of its first output."""


class Task(Part, ABC):
    """What is predicted: labels, the answers about them, and how good an answer was. ``label`` names the labels' column.

    The methods with a body suit a task with one number per row whose raw values are its answers; others override them.
    """

    label: Name

    @property
    @abstractmethod
    def loss(self) -> str:
        """Name of the loss, as scikit-learn calls it: recipes minimise it, and where no metric is declared, versions are
        compared by it."""

    def minimising(self, loss: str) -> "Task":  # noqa: ARG002
        """This task with another loss for recipes to minimise, and the head that goes with it; itself where it has one loss.

        A declared metric asks for it, such as ``poisson`` for the Poisson deviance: the model's task, which recipes are given,
        is then the one that this returns.
        """
        return self

    @property
    def loss_name(self) -> str:
        """The loss in words."""
        return self.loss.replace("_", " ")

    @property
    def label_kind(self) -> Kind:
        """Whether labels are numbers or text (``category``), in frames, on the topic and in the tables."""
        return "number"

    @property
    def score_names(self) -> Sequence[str]:
        """The names of an answer's K numbers in their order, by which ``scores`` holds them; empty where it is one number."""
        return ()

    @abstractmethod
    def label_fault(self, label: Label) -> str:
        """What a label must be, such as ``0 or 1``, where ``label`` is not valid; empty where it is."""

    @abstractmethod
    def answer_fault(self, answer: Any) -> str:
        """What an answer to one row must be, such as ``finite number``, where ``answer`` is not valid; empty where it is."""

    @abstractmethod
    def losses(self, labels: Labels, answers: Floats) -> Floats:
        """Loss of each row, float64[N], finite; the lower, the better the answer."""

    @property
    def baseline_name(self) -> str:
        """The answer of :meth:`baseline` in words."""
        return "mean label"

    def baseline(self, labels: Labels) -> float | list[float]:
        """The best constant answer, computed from the labels of training; a valid one without labels, too."""
        return float(labels.sum()) / max(len(labels), 1)

    def baseline_figures(self, baseline: float | Sequence[float]) -> dict[str, float]:
        """The numbers of an answer of :meth:`baseline`, each by its name."""
        if isinstance(baseline, Sequence):
            names = [f"{self.baseline_name}: {name}" for name in self.score_names]
            return dict(zip(names, baseline, strict=True))
        return {self.baseline_name: baseline}

    def summary(self, labels: Labels, answers: Floats) -> dict[str, float]:
        """The figures on the pages and in MLflow, by name; ``rows`` and the mean loss are among them.

        Raises:
            ValueError: when there are no rows.
        """
        if len(labels) == 0:
            raise ValueError("no labelled rows to take metrics of")
        return {"rows": float(len(labels)), self.loss: float(self.losses(labels, answers).mean())}

    @property
    def sides(self) -> Mapping[str, bool]:
        """The figures of :meth:`summary` that say how good answers are, and no metric does: whether higher is better.

        A gate may require them. ``calibration_error`` among them is told of every candidate.
        """
        return {}

    def curve(self, labels: Labels, answers: Floats) -> Curve:
        """Mean answer and mean label of each tenth of the rows, ordered by answer."""
        import numpy as np

        tenths = [rows for rows in np.array_split(np.argsort(answers, kind="stable"), TENTHS) if len(rows)]
        points = [(float(answers[rows].mean()), float(labels[rows].mean())) for rows in tenths]
        values = [value for point in points for value in point] or [0.0]
        return Curve(points, "mean answer", "mean label", min(values), max(values))

    def spread(self, labels: Labels) -> float:  # noqa: ARG002
        """What a difference of answers is measured against, above 0: 1 for probabilities, else the labels' spread."""
        return 1.0

    def usable(self, labels: Labels) -> "npt.NDArray[np.bool_]":
        """Which of labels[N] are valid, bool[N]."""
        import numpy as np

        values, value_of = np.unique(labels, return_inverse=True)
        return np.array([not self.label_fault(value) for value in values.tolist()], dtype=bool)[value_of]

    def targets(self, labels: Labels) -> Floats:
        """The labels as numbers to fit by, float64[N].

        Raises:
            FeatureError: when nothing can be learnt from these labels, or one of them is not valid.
        """
        import numpy as np

        if len(labels) == 0:
            raise FeatureError(f"no label {self.label!r} to learn from")
        wrong = labels[~self.usable(labels)].tolist()
        if wrong:
            held = f"label {self.label!r} is {wrong[0]} in a row to learn from, no {self.label_fault(wrong[0])}"
            raise FeatureError(f"{held}; correct it, or leave its row out")
        return labels.astype(np.float64)

    def reduced(self, labels: Labels) -> Reduction | None:  # noqa: ARG002
        """What is learnt in place of the task where these labels cannot teach all of it; None where they can.

        Raises:
            FeatureError: when nothing can be learnt from them.
        """
        return None

    def answers(self, raw: Floats) -> Floats:
        """The answers computed from raw values."""
        return raw

    def head(self, graph: GraphNodes, raw: str) -> str:
        """Add the nodes that compute the answers from ``raw``, as :meth:`answers` does; returns the name of their tensor."""
        return graph.add("Identity", raw)

    @property
    def output(self) -> Output:
        """The tensor of the answers."""
        return Output("scores", shape=(len(self.score_names),)) if self.score_names else Output()

    def fields(self, answer: Any) -> dict[str, Any]:
        """The answer to one row as the fields of a prediction, on the topic and over HTTP."""
        if not self.score_names:
            return {"score": answer}
        return {"score": None, "scores": dict(zip(self.score_names, answer, strict=True))}

    def watched(self, answers: Floats) -> dict[tuple[str, Kind], Any]:
        """The columns of a frame in which drift of the answers is measured, by name and kind."""
        return {(SCORE, "number"): answers}
