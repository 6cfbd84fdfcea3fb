"""A file of the spool, under a lock that the operating system releases when the process ends."""

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

    Reading progress is kept only in memory: the successor of a process that died sends some entries again, and the store keeps
    one of each.
    """

    def __init__(self, path: Path, locked: FileIO) -> None:
        self._path = path
        self._locked = locked  # the lock ends when this is closed
        self._lock = threading.Lock()
        self._read_bytes = 0
        self._waiting = _count(path)

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new, locked file; it gets the name that other processes look for only when it is locked.

        Raises:
            OSError: when it cannot be created.
        """
        making = path.with_name(f".{path.name}.making")
        locked = FileIO(making, "x")
        fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        making.rename(path)
        return cls(path, locked)

    @classmethod
    def take_over(cls, path: Path) -> Self | None:
        """The file of an ended process; None where a running process has locked it, or it is gone.

        Raises:
            OSError: when it cannot be read.
        """
        try:
            locked = FileIO(path, "r+")
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(locked.fileno()), path.stat()):
                return cls(path, locked)
        except (BlockingIOError, FileNotFoundError):
            pass  # a running process has locked it, or sent its entries and removed it in the meantime
        locked.close()
        return None

    def __len__(self) -> int:
        """Number of waiting entries."""
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
        """The oldest waiting entries, at most ``count``, which are not removed."""
        with self._lock, self._path.open("rb") as file:
            file.seek(self._read_bytes)
            entries: list[Entry] = []
            while len(entries) < count and (entry := spool_lines.read(file)):
                entries.append(entry)
            return entries

    def drop(self, entries: Sequence[Entry]) -> None:
        """Remove the oldest entries, as :meth:`peek` returned them; a file without entries is truncated."""
        with self._lock:
            self._read_bytes += sum(entry.size for entry in entries)
            self._waiting -= len(entries)
            if self._waiting == 0:
                os.truncate(self._path, 0)
                self._read_bytes = 0

    def close(self) -> None:
        """Release the file, which another process may take over; an empty file is removed."""
        if not self._waiting:
            self._path.unlink(missing_ok=True)
        self._locked.close()


def write_synced(file: FileIO, data: bytes) -> None:
    """Append bytes to a file, all or nothing, and return when they are on the disk.

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
    """Number of entries in a file."""
    with path.open("rb") as file:
        count = 0
        while spool_lines.read(file):
            count += 1
        return count
