"""The model registry: its protocol, MLflow behind it, and one in memory."""

from everfit.registry.in_memory import InMemoryRegistry
from everfit.registry.mlflow_registry import MlflowRegistry
from everfit.registry.registry import MANIFEST, Artifact, Registry

__all__ = ["MANIFEST", "Artifact", "InMemoryRegistry", "MlflowRegistry", "Registry"]
