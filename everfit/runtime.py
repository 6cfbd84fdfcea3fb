"""The parts of a process, each built at its first use: engine, lake, registry, declared models."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING

from everfit.environment.settings import Settings

if TYPE_CHECKING:
    import sqlalchemy as sa

    from everfit.declaration import Model
    from everfit.registry import Registry
    from everfit.store.lake import Lake


class Runtime:
    """What a process of everfit works with, as a context manager: ``with Runtime.load() as runtime``."""

    def __init__(
        self, settings: Settings, models: "Mapping[str, Model] | None" = None, registry: "Registry | None" = None
    ) -> None:
        """Build nothing yet.

        Args:
            settings: addresses and folders.
            models: by name; None loads all that are declared.
            registry: where versions are kept; None is the MLflow server that the settings name.
        """
        self.settings = settings
        self._models = models
        self._registry = registry
        self._opened = ExitStack()

    @classmethod
    def load(cls) -> "Runtime":
        """The runtime of the stack that is up, or of the servers that the environment names."""
        return cls(Settings.load())

    def __enter__(self) -> "Runtime":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened, the newest first; where one part cannot be closed, the others still are."""
        self._opened.close()

    @cached_property
    def engine(self) -> "sa.Engine":
        """Connections to the everfit database."""
        from everfit.store.database import create_engine

        engine = create_engine(self.settings.database_url)
        self._opened.callback(engine.dispose)
        return engine

    @cached_property
    def lake(self) -> "Lake":
        """The content-addressed objects."""
        from everfit.store.lake import Lake

        return Lake(self.settings.lake)

    @cached_property
    def registry(self) -> "Registry":
        """The registered versions and their roles."""
        from everfit.registry import MlflowRegistry

        return self._registry or MlflowRegistry(self.settings.mlflow)

    @cached_property
    def models(self) -> "Mapping[str, Model]":
        """The models by name."""
        from everfit.declaration.discovery import load_models

        return load_models(self.settings.models) if self._models is None else self._models
