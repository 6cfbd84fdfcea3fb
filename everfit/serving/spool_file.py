"""One file of the spool, held by a lock of the operating system's that ends with the process, however that ends."""

import fcntl
import os
import threading
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Self

from everfit.serving import spool_lines
from everfit.serving.spool_lines import Entry


class SpoolFile:
    """First in, first out. Safe to use from several threads; made by :meth:`create` or :meth:`take_over`.

    Progress in reading is kept in memory alone: a process that dies half way sends what it had sent again, and the store
    keeps one of each.
    """

    def __init__(self, path: Path, held: FileIO) -> None:
        self._path = path
        self._held = held  # the lock ends when this is closed
        self._lock = threading.Lock()
        self._read_bytes = 0
        self._waiting = _count(path)

    @classmethod
    def create(cls, path: Path) -> Self:
        """An empty file that this process holds; it has no name that others look for before it is held.

        Raises:
            OSError: when it cannot be made.
        """
        making = path.with_name(f".{path.name}.making")
        held = FileIO(making, "x")
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        making.rename(path)
        return cls(path, held)

    @classmethod
    def take_over(cls, path: Path) -> Self | None:
        """The file of a process that ended; None where one that lives holds it, or it is gone by now.

        Raises:
            OSError: when it cannot be read.
        """
        try:
            held = FileIO(path, "r+")
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(held.fileno()), path.stat()):
                return cls(path, held)
        except (BlockingIOError, FileNotFoundError):
            pass  # a process that lives holds it, or used it up and removed it meanwhile
        held.close()
        return None

    def __len__(self) -> int:
        """Entries that wait."""
        return self._waiting

    def append(self, records: Sequence[bytes]) -> None:
        """Write records behind the others; when it returns they are on the disk.

        Raises:
            OSError: when the disk does not take them.
        """
        with self._lock, FileIO(self._path, "a") as file:
            write_synced(file, b"".join(map(spool_lines.written, records)))
            self._waiting += len(records)

    def peek(self, count: int) -> list[Entry]:
        """The oldest entries that wait, at most ``count``; they stay."""
        with self._lock, self._path.open("rb") as file:
            file.seek(self._read_bytes)
            entries: list[Entry] = []
            while len(entries) < count and (entry := spool_lines.read(file)):
                entries.append(entry)
            return entries

    def drop(self, entries: Sequence[Entry]) -> None:
        """Forget the oldest entries, which :meth:`peek` gave; a file that is read to its end takes no space."""
        with self._lock:
            self._read_bytes += sum(entry.size for entry in entries)
            self._waiting -= len(entries)
            if self._waiting == 0:
                os.truncate(self._path, 0)
                self._read_bytes = 0

    def close(self) -> None:
        """Let go of the file: another process may take it over; one in which nothing waits is removed."""
        if not self._waiting:
            self._path.unlink(missing_ok=True)
        self._held.close()


def write_synced(file: FileIO, data: bytes) -> None:
    """Write bytes at the end of a file, and return when they are on the disk: all of them, or none.

    Raises:
        OSError: when the disk does not take them.
    """
    end = file.seek(0, os.SEEK_END)
    left = memoryview(data)
    try:
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    except OSError:
        os.ftruncate(file.fileno(), end)
        raise


def _count(path: Path) -> int:
    """How many entries a file holds."""
    with path.open("rb") as file:
        count = 0
        while spool_lines.read(file):
            count += 1
        return count
