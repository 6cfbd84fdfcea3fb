"""A flavor of MLflow's for a version that ONNX cannot hold: its file as it is. Only everfit loads it."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.models import Model

FILE = "model.skops"


def save_model(*, path: str, mlflow_model: "Model", content: bytes) -> None:
    """Write the folder of a version; called by ``mlflow.models.Model.log``."""
    import skops

    folder = Path(path)
    folder.mkdir(parents=True)
    (folder / FILE).write_bytes(content)
    mlflow_model.add_flavor("everfit_skops", data=FILE, skops_version=skops.__version__)
    mlflow_model.save(str(folder / "MLmodel"))
