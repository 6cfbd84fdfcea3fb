"""The lake: immutable objects named by the SHA-256 of their bytes, under ``<root>/<first two digits>/<hash>.<kind>``.

An object is written to a temporary file beside it and renamed, so that it is either complete or absent; the same content
written twice is one object. ``partition_versions`` in Postgres lists the objects.
"""

import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from everfit.errors import LakeError, MissingObjectError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Lake:
    """A folder of content-addressed objects."""

    root: Path

    def put(self, content: bytes, kind: str) -> str:
        """Store bytes; returns their SHA-256, the object's name.

        Raises:
            LakeError: when the disk does not take them, such as a full one.
        """
        digest = hashlib.sha256(content).hexdigest()
        try:
            _write(self.path(digest, kind), content)
        except OSError as error:
            raise LakeError(
                f"cannot write {len(content)} bytes to the lake at {self.root}: {error}; free space or move EVERFIT_LAKE"
            ) from error
        return digest

    def get(self, digest: str, kind: str) -> bytes:
        """Read an object's bytes, verified against its name.

        Raises:
            MissingObjectError: when there is none.
            LakeError: when it was altered, or the disk fails.
        """
        file = self.path(digest, kind)
        with self._reading(file, digest):
            content = file.read_bytes()
        _require_named(file, hashlib.sha256(content).hexdigest(), digest)
        return content

    def verified(self, digest: str, kind: str) -> Path:
        """The file of an object, once its bytes were compared with its name; it is not read into memory.

        Raises:
            MissingObjectError: when there is none.
            LakeError: when it was altered, or the disk fails.
        """
        file = self.path(digest, kind)
        with self._reading(file, digest), file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        _require_named(file, found, digest)
        return file

    def path(self, digest: str, kind: str) -> Path:
        """The file of an object."""
        return self.root / digest[:2] / f"{digest}.{kind}"

    def put_frame(self, frame: "pl.DataFrame") -> str:
        """Store a frame as Parquet; equal frames get the same name."""
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd", statistics=False)
        return self.put(buffer.getvalue(), "parquet")

    def get_frame(self, digest: str) -> "pl.DataFrame":
        """Read a frame that :meth:`put_frame` stored."""
        import polars as pl

        return pl.read_parquet(io.BytesIO(self.get(digest, "parquet")))

    @contextmanager
    def _reading(self, file: Path, digest: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            missing = f"no object {digest}{file.suffix} in the lake at {self.root}; materialize its asset again"
            raise MissingObjectError(missing) from error
        except OSError as error:
            raise LakeError(f"object {file} cannot be read: {error}; repair the disk or its permissions") from error

    def put_json(self, value: Any) -> str:
        """Store a JSON document with its keys sorted."""
        return self.put(msgspec.json.encode(value, order="deterministic"), "json")


def _require_named(file: Path, found: str, digest: str) -> None:
    if found != digest:
        raise LakeError(f"object {file} was altered: its content does not match its name; restore or delete it")


def _write(target: Path, content: bytes) -> None:
    """Write a file that is complete or absent; one that is there stays."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
