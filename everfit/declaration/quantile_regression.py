"""Quantile regression: labels[N] are numbers, answers[N, K] their quantiles in the declared order, not decreasing."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from pydantic import field_validator

from everfit.declaration.reserved_columns import SCORE, SPREAD
from everfit.declaration.tasks import Curve, Floats, GraphNodes, Label, Labels, Output, Task
from everfit.declaration.views import Kind


class QuantileRegression(Task):
    """How much, and how sure? The label is a number; the answer to a row is a number for each of ``quantiles``.

    ``QuantileRegression(label="demand", quantiles=(0.1, 0.5, 0.9))`` answers three numbers, not decreasing: the label is below
    the first in a tenth of the rows, and below the last in nine tenths.
    """

    quantiles: tuple[float, ...]

    def __init__(self, label: str, quantiles: Sequence[float], **fields: Any) -> None:
        super().__init__(label=label, **{"quantiles": quantiles, **fields})

    @field_validator("quantiles")
    @classmethod
    def _require_levels(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if not quantiles:
            raise ValueError("none is given; name one at least, such as (0.1, 0.5, 0.9)")
        for quantile in quantiles:
            if not 0 < quantile < 1:
                raise ValueError(f"{quantile:g} is no quantile; each lies between 0 and 1, such as 0.9")
        for lower, higher in pairwise(quantiles):
            if lower >= higher:
                raise ValueError(f"{higher:g} follows {lower:g}; name each once, in increasing order")
        return quantiles

    @property
    def loss(self) -> str:
        """The pinball loss."""
        return "pinball"

    @property
    def loss_name(self) -> str:
        """The loss in words."""
        return "pinball loss"

    @property
    def baseline_name(self) -> str:
        """The quantiles of all labels."""
        return "quantiles of the labels"

    @property
    def score_names(self) -> Sequence[str]:
        """The quantiles as text, such as ``0.1``."""
        return [repr(quantile) for quantile in self.quantiles]

    @property
    def output(self) -> Output:
        """A number for each quantile."""
        return super().output._replace(parameters={"quantiles": self.quantiles})

    def label_fault(self, label: Label) -> str:
        """A label is a finite number."""
        return "" if isinstance(label, int | float) and math.isfinite(label) else "finite number"

    def answer_fault(self, answer: Any) -> str:
        """An answer is a finite number for each quantile, none lower than the one before it."""
        values = list(answer)
        rising = all(low <= high for low, high in pairwise(values))
        if len(values) == len(self.quantiles) and all(map(math.isfinite, values)) and rising:
            return ""
        return f"{len(self.quantiles)} finite numbers that do not decrease"

    def losses(self, labels: Labels, answers: Floats) -> Floats:
        """Mean pinball loss over the quantiles, float64[N] (Koenker and Bassett, 1978)."""
        import numpy as np

        above, levels = labels[:, None] - answers, np.array(self.quantiles)
        losses: Floats = np.maximum(levels * above, (levels - 1) * above).mean(axis=1)
        return losses

    def baseline(self, labels: Labels) -> list[float]:
        """The quantiles of the labels; zeros without labels."""
        import numpy as np

        if len(labels) == 0:
            return [0.0] * len(self.quantiles)
        values: list[float] = np.quantile(labels, self.quantiles, method="inverted_cdf").astype(float).tolist()
        return values

    def spread(self, labels: Labels) -> float:
        """Standard deviation of the labels; 1 where they are all the same."""
        return float(labels.std()) or 1.0 if len(labels) else 1.0

    def summary(self, labels: Labels, answers: Floats) -> dict[str, float]:
        """Rows, the pinball loss, the share of labels up to each quantile, how far these shares are from the quantiles on
        average (``calibration_error``), and the mean width from the first to the last.

        Raises:
            ValueError: when there are no rows.
        """
        figures = super().summary(labels, answers)
        shares = (labels[:, None] <= answers).mean(axis=0).tolist()
        figures |= {f"coverage_{name}": share for name, share in zip(self.score_names, shares, strict=True)}
        figures["calibration_error"] = self.curve(labels, answers).gap
        return figures | {"mean_width": float((answers[:, -1] - answers[:, 0]).mean())}

    @property
    def sides(self) -> Mapping[str, bool]:
        """Calibration error and mean width, the lower the better."""
        return {"calibration_error": False, "mean_width": False}

    def curve(self, labels: Labels, answers: Floats) -> Curve:
        """Coverage: each quantile and the share of labels up to its answers."""
        shares = (labels[:, None] <= answers).mean(axis=0).tolist() if len(labels) else []
        points = list(zip(self.quantiles, shares, strict=False))
        return Curve(points, "quantile", "share of labels up to it", 0.0, 1.0)

    def answers(self, raw: Floats) -> Floats:
        """The raw values of each row in increasing order (Chernozhukov, Fernández-Val and Galichon, 2010)."""
        import numpy as np

        return np.sort(raw, axis=1)

    def head(self, graph: GraphNodes, raw: str) -> str:
        """As :meth:`answers`."""
        import numpy as np

        return graph.add("TopK", raw, graph.constant(np.array([len(self.quantiles)])), outputs=2, axis=1, largest=0)

    def watched(self, answers: Floats) -> dict[tuple[str, Kind], Any]:
        """The middle quantile, and the width from the first to the last."""
        middle = answers[:, len(self.quantiles) // 2]
        return {(SCORE, "number"): middle, (SPREAD, "number"): answers[:, -1] - answers[:, 0]}
