"""A declaration becomes Dagster assets: raw_data, features, training_set, trained_model, evaluation, champion."""

from assets.graph import model_assets, model_checks

__all__ = ["model_assets", "model_checks"]
