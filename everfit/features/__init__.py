"""Features with point-in-time correctness: declared once, computed as-of offline and looked up online."""

from everfit.declaration.views import FeatureView, count, feature_view, latest, mean, total

__all__ = ["FeatureView", "count", "feature_view", "latest", "mean", "total"]
