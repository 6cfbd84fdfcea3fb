"""What fits were found to be worth, kept beside the lake's objects by what they were fitted on: no figure is made twice."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FitCache:
    """Small JSON documents below ``root``, each in a file that is whole or absent. Deleting them costs nothing but time."""

    root: Path

    def get(self, key: Any, kind: type[T]) -> T | None:
        """The document that was kept by this key; None where there is none, or one that is not of this kind."""
        try:
            return msgspec.json.decode(self._file(key).read_bytes(), type=kind)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def put(self, key: Any, document: Any) -> None:
        """Keep a document by a key, which is any value that JSON can hold."""
        target = self._file(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".writing-")
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(document))
        Path(temporary).replace(target)

    def _file(self, key: Any) -> Path:
        digest = hashlib.sha256(msgspec.json.encode(key, order="deterministic")).hexdigest()
        return self.root / "fits" / digest[:2] / f"{digest}.json"
