"""The whole review of a declaration."""

from collections.abc import Mapping
from typing import NamedTuple

from everfit.declaration import Model
from everfit.review.feature_review import review_features
from everfit.review.label_review import by_month, review_labels
from everfit.review.recorded_data import read
from everfit.review.remark import Remark
from everfit.review.training_review import Expected, expect, review_windows


class Review(NamedTuple):
    """What a review of a model found; ``expected`` is None, and ``label_by_month`` empty, where its data cannot be read."""

    model: str
    remarks: list[Remark]
    label_by_month: Mapping[str, float | dict[str, int]]
    expected: Expected | None

    @property
    def has_errors(self) -> bool:
        """Whether a remark is an error."""
        return any(remark.severity == "error" for remark in self.remarks)


def review(model: Model) -> Review:
    """Hold a declaration against the recorded rows of its sources; nothing is started, and nothing is written."""
    data, remarks = read(model)
    if data is None:
        return Review(model.name, remarks, {}, None)
    remarks += review_labels(model, data.requests)
    if data.requests.is_empty():
        return Review(model.name, remarks, {}, None)
    remarks += review_features(model, data)
    remarks += review_windows(model, data.requests)
    expected, failed = expect(model, data.requests, data.features)
    return Review(model.name, [*remarks, *failed], by_month(data.requests), expected)
