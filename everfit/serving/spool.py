"""A local file of records that could not be sent yet: one JSON line each, synced to the disk batch by batch."""

import os
import threading
from collections.abc import Sequence
from itertools import islice
from pathlib import Path


class Spool:
    """First in, first out; what a previous process left is still there. Safe to use from several threads.

    Progress in reading is kept in memory alone: a process that dies half way sends what it had sent again, and the store
    keeps one of each.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.Lock()
        self._read_bytes = 0
        self._lines = self._mend()

    def __len__(self) -> int:
        """Lines that wait."""
        return self._lines

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines behind the others; when it returns they are on the disk.

        Raises:
            OSError: when the disk does not take them.
        """
        with self._lock, self._path.open("ab") as file:
            end = file.tell()
            try:
                file.writelines(line + b"\n" for line in lines)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self._path, end)  # none of them, rather than a part
                raise
            self._lines += len(lines)

    def peek(self, count: int) -> list[bytes]:
        """The oldest lines that wait, at most ``count``; they stay."""
        with self._lock, self._path.open("rb") as file:
            file.seek(self._read_bytes)
            return [line.rstrip(b"\n") for line in islice(file, count)]

    def drop(self, lines: Sequence[bytes]) -> None:
        """Forget the oldest lines, which :meth:`peek` gave; a spool that is read to its end takes no space."""
        with self._lock:
            self._read_bytes += sum(len(line) + 1 for line in lines)
            self._lines -= len(lines)
            if self._lines == 0:
                os.truncate(self._path, 0)
                self._read_bytes = 0

    def _mend(self) -> int:
        """Cut off a line that a killed process left half written; returns how many are whole."""
        with self._path.open("ab+") as file:
            file.seek(0)
            content = file.read()
            whole = content.rfind(b"\n") + 1
            file.truncate(whole)
        return content.count(b"\n")
