"""Versions in MLflow's registry, roles as its aliases. mlflow is imported at the first use."""

import tempfile
from collections.abc import Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from everfit.declaration.rollouts import ROLES, Role
from everfit.environment import formats
from everfit.environment.http_client import settle_mlflow
from everfit.errors import LostVersionError, ServiceError
from everfit.registry.registry import Artifact
from everfit.training.artifact import Signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow import MlflowClient

CARD = "model_card.md"
DESCRIPTION_CHARACTERS = 5_000  # that MLflow's database takes
REST = f"*The rest is in {CARD}, among the artifacts of this version's run.*"
SIGNATURE = "everfit_signature"  # key in the MLmodel file's metadata


class MlflowRegistry:
    """The registry of the MLflow server at ``uri``; see :class:`everfit.registry.Registry`."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    @cached_property
    def _client(self) -> "MlflowClient":
        from mlflow import MlflowClient

        settle_mlflow()
        return MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)

    def register(self, model: str, artifact: Artifact, *, above: int) -> int:
        """Log the model to the active MLflow run (or one of its own) and register it.

        Where the registered model was deleted, MLflow counts from 1 again: the version is made again until its number is new.
        """
        import mlflow

        mlflow.set_tracking_uri(self._uri)
        with self._answering():
            logged = _logged(artifact, model)
            version = self._numbered_above(above, model, int(logged.registered_model_version), logged.model_id)
            for key, value in artifact.tags.items():
                self._client.set_model_version_tag(model, str(version), key, value)
        return version

    def _numbered_above(self, above: int, model: str, version: int, model_id: str | None) -> int:
        while version <= above:
            low = self._client.get_model_version(model, str(version))
            copy = self._client.create_model_version(model, str(low.source), low.run_id, model_id=model_id)
            self._client.delete_model_version(model, str(version))
            version = int(copy.version)
        return version

    def fetch(self, model: str, version: int) -> Artifact:
        """Download a version; one whose artifact is gone, or that everfit did not register, counts as lost."""
        import mlflow.artifacts
        from mlflow.models import Model as LoggedModel

        with self._answering(), self._having(model, version, whole=True), tempfile.TemporaryDirectory() as folder:
            tags: Mapping[str, str] = self._client.get_model_version(model, str(version)).tags
            source = self._client.get_model_version_download_uri(model, str(version))
            path = Path(mlflow.artifacts.download_artifacts(source, dst_path=folder, tracking_uri=self._uri))
            metadata: Mapping[str, Any] = LoggedModel.load(str(path)).metadata or {}
            if SIGNATURE not in metadata:
                raise self._lost(model, version, "everfit did not train it, and serves only what it trained")
            signature = formats.convert(metadata[SIGNATURE], Signature, f"of {model} {version}")
            return Artifact((path / f"model.{signature.kind}").read_bytes(), signature, tags)

    def roles(self, model: str) -> dict[Role, int]:
        """The versions by alias; aliases that are no roles are left out."""
        from mlflow.exceptions import MlflowException

        with self._answering():
            try:
                aliases = self._client.get_registered_model(model).aliases
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return {}
                raise
        return {role: int(aliases[role]) for role in ROLES if role in aliases}

    def point(self, model: str, role: Role, version: int) -> None:
        """Set the alias of the role's name."""
        with self._answering(), self._having(model, version):
            self._client.set_registered_model_alias(model, role, str(version))

    def describe(self, model: str, version: int, card: str) -> None:
        """Make it the version's description, as much of it as MLflow takes, and all of it an artifact of the version's run."""
        with self._answering(), self._having(model, version):
            registered = self._client.get_model_version(model, str(version))
            if registered.run_id:
                self._client.log_text(registered.run_id, card, CARD)
            self._client.update_model_version(model, str(version), shortened(card))

    @contextmanager
    def _having(self, model: str, version: int, *, whole: bool = False) -> "Iterator[None]":
        """Raise :class:`LostVersionError` for a version that is not there (with ``whole``: or whose artifact is not)."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            if _is_away(error) or not (whole or error.error_code == "RESOURCE_DOES_NOT_EXIST"):
                raise
            raise self._lost(model, version, error) from error
        except FileNotFoundError as error:
            raise self._lost(model, version, error) from error

    def _lost(self, model: str, version: int, reason: object) -> LostVersionError:
        return LostVersionError(f"MLflow at {self._uri} cannot give version {version} of {model}: {reason}")

    @contextmanager
    def _answering(self) -> "Iterator[None]":
        """Raise :class:`ServiceError` for an MLflow that does not answer."""
        from mlflow.exceptions import MlflowException
        from requests.exceptions import ConnectionError as NoConnection

        try:
            yield
        except (NoConnection, MlflowException) as error:
            if isinstance(error, MlflowException) and not _is_away(error):
                raise
            raise ServiceError(f"MLflow does not answer at {self._uri} ({error}); see `everfit doctor`") from error


def shortened(card: str) -> str:
    """The card as far as whole sections fit into a description, and where the rest is."""
    if len(card) <= DESCRIPTION_CHARACTERS:
        return card
    kept = card[: DESCRIPTION_CHARACTERS - len(REST) - 2]
    end = kept.rfind("\n\n## ")
    return f"{kept[:end] if end > 0 else kept}\n\n{REST}"


def _logged(artifact: Artifact, model: str) -> Any:
    """What MLflow says of the version that it has now."""
    from mlflow.models import Model as LoggedModel

    given = {"registered_model_name": model, "metadata": {SIGNATURE: msgspec.to_builtins(artifact.signature)}}
    if artifact.signature.native is not None:
        from everfit.registry import skops_flavor

        return LoggedModel.log(None, skops_flavor, name="model", content=artifact.content, **given)
    import mlflow.onnx
    import onnx

    return mlflow.onnx.log_model(
        onnx.load_model_from_string(artifact.content),
        name="model",
        save_as_external_data=False,  # one file: the runtime refuses weights beside a graph that is given as bytes
        pip_requirements=["onnxruntime"],
        **given,
    )


def _is_away(error: Exception) -> bool:
    """Whether an exception of MLflow's was raised while its server could not be reached."""
    from requests.exceptions import RequestException

    return isinstance(error.__context__, RequestException)
