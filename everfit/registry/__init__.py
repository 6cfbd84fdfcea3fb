"""The model registry: MLflow's versions and aliases, and the ledger beside them."""

from everfit.registry.mlflow_registry import MANIFEST, Registry

__all__ = ["MANIFEST", "Registry"]
