"""Classification among K classes: labels[N] text, answers[N, K] the probabilities of the classes in the declared order.

raw[N, K] are logits, whose softmax the answers are.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import field_validator

from everfit.declaration import class_groups
from everfit.declaration.reserved_columns import SCORE, SPREAD
from everfit.declaration.tasks import TENTHS, Curve, Floats, GraphNodes, Label, Labels, Output, Reduction, Task
from everfit.declaration.views import Kind
from everfit.errors import FeatureError

CLIP = 1e-15  # a probability of 0 for what came true costs 34.5, not infinity
RARE_ROWS = 50  # fewer rows of a class are too few to learn it by itself
SUM_TOLERANCE = 1e-6  # of a row's probabilities, which single precision leaves this far from 1


class MulticlassClassification(Task):
    """Which of several? The label is one of ``classes``, as text; the answer to a row is a probability for each.

    With ``rare="merge"`` the classes of which a training holds fewer than 50 rows are learnt as one (one alone with the next
    rarest), and share its probability as they share its rows. A class without any row gets a small probability, also without
    ``rare``.
    """

    classes: tuple[str, ...]
    rare: Literal["merge"] | None = None

    def __init__(self, label: str, classes: Sequence[str], **fields: Any) -> None:
        super().__init__(label=label, **{"classes": classes, **fields})

    @field_validator("classes")
    @classmethod
    def _require_classes(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in classes if classes.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(map(repr, twice))} stands there twice; name each class once")
        if len(classes) < 2:
            raise ValueError(f"{len(classes)} given; name two at least, or predict a number")
        if wrong := [name for name in classes if not name or "\0" in name]:
            raise ValueError(f"{wrong[0]!r} is no name of a class; a class is a text of one character or more, without NUL")
        return classes

    @property
    def loss(self) -> str:
        """Log loss."""
        return "log_loss"

    @property
    def baseline_name(self) -> str:
        """The share of each class."""
        return "shares of the classes"

    @property
    def label_kind(self) -> Kind:
        """Labels are text."""
        return "category"

    @property
    def score_names(self) -> Sequence[str]:
        """The classes."""
        return self.classes

    @property
    def output(self) -> Output:
        """A probability for each class."""
        return super().output._replace(parameters={"classes": self.classes})

    def label_fault(self, label: Label) -> str:
        """A label is one of the classes."""
        return "" if label in self.classes else f"class that is declared: {', '.join(map(repr, self.classes))}"

    def answer_fault(self, answer: Any) -> str:
        """An answer is a probability for each class; together they are 1."""
        values = list(answer)
        whole = len(values) == len(self.classes) and abs(math.fsum(values) - 1) <= SUM_TOLERANCE
        return "" if whole and all(0 <= value <= 1 for value in values) else f"{len(self.classes)} probabilities with the sum 1"

    def usable(self, labels: Labels) -> Any:
        """Which of labels[N] are declared classes, bool[N]."""
        import numpy as np

        return np.array([label in self.classes for label in labels.tolist()], dtype=bool)

    def losses(self, labels: Labels, answers: Floats) -> Floats:
        """Log loss of each row, float64[N]; probabilities are clipped to at least 1e-15."""
        import numpy as np

        losses: Floats = -np.log(np.clip(answers[np.arange(len(labels)), self._places(labels)], CLIP, 1.0))
        return losses

    def baseline(self, labels: Labels) -> list[float]:
        """The share of each class in the labels, a small one where there is none of it."""
        shares: list[float] = self.shares(labels).tolist()
        return shares

    def shares(self, labels: Labels) -> Any:
        """The share of each class, float64[K]; one without a row among N gets 1 / (N + K), which the others give."""
        import numpy as np

        counts = np.bincount(self._places(labels), minlength=len(self.classes)).astype(float)
        unseen = (counts == 0) / (len(labels) + len(self.classes))
        return unseen + (1 - unseen.sum()) * counts / len(labels) if len(labels) else unseen

    def summary(self, labels: Labels, answers: Floats) -> dict[str, float]:
        """Rows, log loss, Brier score (summed over the classes), accuracy and calibration error.

        Accuracy is the share of rows whose likeliest class came true; the calibration error is that of every class at once.

        Raises:
            ValueError: when there are no rows.
        """
        import numpy as np

        figures, true = super().summary(labels, answers), self._places(labels)
        distance = answers - np.eye(len(self.classes))[true]
        accuracy = float((answers.argmax(axis=1) == true).mean())
        figures |= {"brier": float((distance**2).sum(axis=1).mean()), "accuracy": accuracy}
        return figures | {"calibration_error": self.curve(labels, answers).gap}

    @property
    def sides(self) -> Mapping[str, bool]:
        """Accuracy, the higher the better, and calibration error, the lower the better."""
        return {"accuracy": True, "calibration_error": False}

    def curve(self, labels: Labels, answers: Floats) -> Curve:
        """Calibration of every class at once: mean probability and share that came true, by tenths of all probabilities."""
        import numpy as np

        true = np.eye(len(self.classes))[self._places(labels)].ravel()
        given = answers.reshape(-1)
        tenths = [rows for rows in np.array_split(np.argsort(given, kind="stable"), TENTHS) if len(rows)]
        points = [(float(given[rows].mean()), float(true[rows].mean())) for rows in tenths]
        return Curve(points, "mean probability of a class", "share that came true", 0.0, 1.0)

    def targets(self, labels: Labels) -> Floats:
        """The place of each label's class, float64[N].

        Raises:
            FeatureError: when a label is not declared, or fewer than two classes are there.
        """
        import numpy as np

        wrong = labels[~self.usable(labels)].tolist()
        if wrong:
            raise FeatureError(
                f"label {self.label!r} is {wrong[0]!r} in a row to learn from, no {self.label_fault(wrong[0])}; "
                "declare it among the classes"
            )
        if len(set(labels.tolist())) < 2:
            raise FeatureError(_one_class(self.label, labels))
        places: Floats = self._places(labels).astype(np.float64)
        return places

    def reduced(self, labels: Labels) -> Reduction | None:
        """The classes that there are rows of, the rare ones as one where that is declared.

        Raises:
            FeatureError: when these are fewer than two.
        """
        import numpy as np

        counts = np.bincount(self._places(labels), minlength=len(self.classes))
        groups = class_groups.groups(counts, RARE_ROWS if self.rare else 0)
        if len(groups) == len(self.classes):
            return None
        if len(groups) < 2:
            raise FeatureError(_one_class(self.label, labels))
        names = [" or ".join(self.classes[place] for place in group) for group in groups]
        group_of = {self.classes[place]: name for name, group in zip(names, groups, strict=True) for place in group}
        merged = np.array([group_of[label] for label in labels.tolist()], dtype=object)
        smaller = MulticlassClassification(label=self.label, classes=tuple(names))
        shares = class_groups.shares_within(groups, counts, self.shares(labels))
        return Reduction(smaller, merged, shares, class_groups.notes(groups, counts, self.classes))

    def answers(self, raw: Floats) -> Floats:
        """The softmax of the logits."""
        from scipy.special import softmax

        probabilities: Floats = softmax(raw, axis=1)
        return probabilities

    def head(self, graph: GraphNodes, raw: str) -> str:
        """The softmax of the logits."""
        return graph.add("Softmax", raw, axis=1)

    def watched(self, answers: Floats) -> dict[tuple[str, Kind], Any]:
        """The likeliest class, and its probability."""
        likeliest = [self.classes[place] for place in answers.argmax(axis=1).tolist()]
        return {(SCORE, "category"): likeliest, (SPREAD, "number"): answers.max(axis=1, initial=0.0)}

    def _places(self, labels: Labels) -> Any:
        """The place of each label in the classes, int[N]."""
        import numpy as np

        place_of = {name: place for place, name in enumerate(self.classes)}
        return np.array([place_of[label] for label in labels.tolist()], dtype=np.int64)


def _one_class(label: str, labels: Labels) -> str:
    seen = ", ".join(map(repr, sorted(set(labels.tolist()))))
    held = f"{len(labels)} rows to learn from hold {seen}"
    todo = "wait for others, or learn from a longer history"
    return f"label {label!r} must hold two classes at least that can be learnt; {held}; {todo}"
