"""Versions and aliases in MLflow, kept in step with the ledger in Postgres.

The ledger rules: a promotion is compared and set under its lock, and the alias follows inside the same transaction. An alias
that a crash or a person left elsewhere is set right by the next promotion or by :meth:`Registry.point`.
"""

import tempfile
from collections.abc import Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from everfit.environment import formats
from everfit.environment.http_client import trust_in_mlflow
from everfit.errors import LostVersionError, ServiceError, StaleChampionError
from everfit.store import ledger
from everfit.topics.events import ROLES, Role
from everfit.training.artifact import Signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow import MlflowClient

SIGNATURE = "everfit_signature"  # key in the MLmodel file's metadata
MANIFEST = "everfit.manifest"  # tag of a registered version: its manifest's hash


class Registry:
    """MLflow at ``mlflow_uri``, with the ledger in ``engine``'s database. mlflow is imported at the first use."""

    def __init__(self, mlflow_uri: str, engine: sa.Engine) -> None:
        self._uri = mlflow_uri
        self._engine = engine

    @cached_property
    def _client(self) -> "MlflowClient":
        from mlflow import MlflowClient

        trust_in_mlflow()
        return MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)

    def roles(self, model: str) -> dict[Role, int]:
        """The versions that hold an alias: champion, challenger, shadow; empty where nothing is registered.

        Raises:
            ServiceError: when MLflow does not answer.
        """
        from mlflow.exceptions import MlflowException

        with self._answering():
            try:
                aliases = self._client.get_registered_model(model).aliases
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return {}
                raise
        return {role: int(aliases[role]) for role in ROLES if role in aliases}

    def fetch(self, model: str, version: int) -> tuple[bytes, Signature]:
        """The ONNX bytes and the signature of a registered version.

        Raises:
            LostVersionError: when MLflow does not have it, or not its artifact.
            ServiceError: when MLflow does not answer.
        """
        import mlflow.artifacts
        from mlflow.models import Model as LoggedModel

        with self._answering(), self._having(model, version, whole=True), tempfile.TemporaryDirectory() as folder:
            source = self._client.get_model_version_download_uri(model, str(version))
            path = Path(mlflow.artifacts.download_artifacts(source, dst_path=folder, tracking_uri=self._uri))
            described: Mapping[str, Any] = LoggedModel.load(str(path)).metadata or {}
            return (path / "model.onnx").read_bytes(), formats.convert(described[SIGNATURE], Signature, f"of {model} {version}")

    def tags(self, model: str, version: int) -> Mapping[str, str]:
        """The tags of a registered version.

        Raises:
            LostVersionError: when MLflow does not have it.
            ServiceError: when MLflow does not answer.
        """
        with self._answering(), self._having(model, version):
            found: Mapping[str, str] = self._client.get_model_version(model, str(version)).tags
        return found

    def pin(self, model: str, role: Role, version: int) -> None:
        """Give a version a role that is not the champion's, such as a shadow to compare with."""
        assert role != "champion", "the champion changes by promotion only"
        with self._answering():
            self._client.set_registered_model_alias(model, role, str(version))

    def register(self, model: str, onnx: bytes, signature: Signature, tags: Mapping[str, str]) -> int:
        """Log an ONNX model to the active MLflow run (or one of its own) and register it; returns its version number.

        It lies above every number that the ledger has used: where the registered model was deleted, MLflow would begin again.
        """
        import mlflow
        import mlflow.onnx
        import onnx as onnx_format

        mlflow.set_tracking_uri(self._uri)
        with self._answering():
            logged = mlflow.onnx.log_model(
                onnx_format.load_model_from_string(onnx),
                name="model",
                save_as_external_data=False,  # one file: the runtime refuses weights beside a graph that is given as bytes
                registered_model_name=model,
                pip_requirements=["onnxruntime"],
                metadata={SIGNATURE: msgspec.to_builtins(signature)},
            )
            version = self._numbered_anew(model, int(logged.registered_model_version), logged.model_id)
            for key, value in tags.items():
                self._client.set_model_version_tag(model, str(version), key, value)
        return version

    def _numbered_anew(self, model: str, version: int, model_id: str | None) -> int:
        """The same artifact under the first number that the ledger has not used."""
        with self._engine.connect() as connection:
            used = ledger.highest(connection, model)
        while version <= used:
            there = self._client.get_model_version(model, str(version))
            again = self._client.create_model_version(model, str(there.source), there.run_id, model_id=model_id)
            self._client.delete_model_version(model, str(version))
            version = int(again.version)
        return version

    def promote(self, connection: sa.Connection, entry: ledger.Entry) -> None:
        """Make ``entry.to_version`` champion, if ``entry.from_version`` still is: alias and ledger row, in ``connection``.

        Raises:
            StaleChampionError: when another version became champion since the comparison.
            ServiceError: when MLflow does not answer; nothing was written.
        """
        ledger.lock(connection, entry.model)
        self.expect(connection, entry.model, entry.from_version)
        assert entry.to_version is not None, "a promotion names its version"
        ledger.append(connection, entry)
        self.point(entry.model, entry.to_version)

    def point(self, model: str, version: int) -> None:
        """Set the alias champion, under the ledger's lock.

        Raises:
            LostVersionError: when MLflow does not have the version.
            ServiceError: when MLflow does not answer.
        """
        with self._answering(), self._having(model, version):
            self._client.set_registered_model_alias(model, "champion", str(version))

    def expect(self, connection: sa.Connection, model: str, version: int | None) -> None:
        """Check that ``version`` is champion by the ledger (None: that there is none).

        Raises:
            StaleChampionError: when it is not, because another was promoted since.
        """
        champion = ledger.champion(connection, model)
        current = champion.version if champion else None
        if current != version:
            raise StaleChampionError(
                f"{model}: the candidates were compared with version {version}, but version {current} is champion now; "
                "materialize evaluation again"
            )

    @contextmanager
    def _having(self, model: str, version: int, *, whole: bool = False) -> "Iterator[None]":
        """Tell a version that is not there (with ``whole``, or whose artifact is not) as a :class:`LostVersionError`."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            if _is_away(error) or not (whole or error.error_code == "RESOURCE_DOES_NOT_EXIST"):
                raise
            raise self._lost(model, version, error) from error
        except (FileNotFoundError, KeyError) as error:
            raise self._lost(model, version, error) from error

    def _lost(self, model: str, version: int, error: Exception) -> LostVersionError:
        return LostVersionError(f"MLflow at {self._uri} cannot give version {version} of {model}: {error}")

    @contextmanager
    def _answering(self) -> "Iterator[None]":
        """Tell an MLflow that does not answer as a :class:`ServiceError`."""
        from mlflow.exceptions import MlflowException
        from requests.exceptions import ConnectionError as NoConnection

        try:
            yield
        except (NoConnection, MlflowException) as error:
            if isinstance(error, MlflowException) and not _is_away(error):
                raise
            raise ServiceError(f"MLflow does not answer at {self._uri} ({error}); see `everfit doctor`") from error


def _is_away(error: Exception) -> bool:
    """Whether an exception of MLflow's was raised while its server could not be reached."""
    from requests.exceptions import RequestException

    return isinstance(error.__context__, RequestException)
