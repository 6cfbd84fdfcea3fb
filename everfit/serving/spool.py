"""The spool: local files of records that could not be sent yet, synced to the disk batch by batch.

Several processes may share a folder. Each writes to a file of its own, and takes over the files of ended processes, killed ones
and older versions (with a single file) included; a lock shows which processes run. Rejected records are kept in a file beside.
"""

import fcntl
import logging
import os
import uuid
from base64 import b64encode
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

import msgspec

from everfit.serving.spool_file import SpoolFile, write_synced
from everfit.serving.spool_lines import Entry
from everfit.timing import format_time, wall_clock

SHOWN_CHARACTERS = 200

logger = logging.getLogger(__name__)


class Spool:
    """First in, first out; files of ended processes come before added records. Safe to use from several threads.

    Args:
        path: for ``spool/topic.jsonl`` the files are ``spool/topic.*.jsonl``, rejected records are in ``spool/topic.rejected``.

    Raises:
        OSError: when the folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._rejected = path.with_suffix(".rejected")
        self._own = SpoolFile.create(path.with_suffix(f".{os.getpid()}-{uuid.uuid4().hex[:8]}{path.suffix}"))
        self._left: list[SpoolFile] = []
        self._peeked = self._own
        self._closed_to_us: set[Path] = set()
        self.take_over()

    def __len__(self) -> int:
        """Number of waiting entries in all files of this process."""
        return sum(map(len, (*self._left, self._own)))

    def take_over(self) -> int:
        """Take over the files of ended processes, oldest first; returns the number of entries waiting in them.

        An unreadable file is logged once, and left where it is.
        """
        pattern = self._path.with_suffix(f".*{self._path.suffix}").name
        count = 0
        for path in sorted({self._path, *self._path.parent.glob(pattern)}, key=_age):
            taken = self._taken(path)
            if taken is None:
                continue
            if not taken:
                taken.close()
                continue
            logger.info("took over %s with %d predictions", path.name, len(taken))
            self._left.append(taken)
            count += len(taken)
        return count

    def _taken(self, path: Path) -> SpoolFile | None:
        try:
            return SpoolFile.take_over(path)
        except OSError as error:
            if path not in self._closed_to_us:
                logger.error("the records in %s cannot be sent: %s; let this user read the file", path, error)  # noqa: TRY400
                self._closed_to_us.add(path)
            return None

    def append(self, records: Sequence[bytes]) -> None:
        """Append records; when it returns they are on the disk.

        Raises:
            OSError: when the disk cannot be written.
        """
        self._own.append(records)

    def peek(self, count: int) -> list[Entry]:
        """The oldest waiting entries, at most ``count``, which are not removed; possibly fewer, as all are of one file."""
        self._peeked = self._left[0] if self._left else self._own
        return self._peeked.peek(count)

    def drop(self, entries: Sequence[Entry]) -> None:
        """Remove the oldest of the entries that :meth:`peek` returned last."""
        self._peeked.drop(entries)
        if not self._peeked and self._peeked is not self._own:
            self._left.remove(self._peeked)
            self._peeked.close()

    def reject(self, value: bytes, reason: str) -> None:
        """Reject a record that can never be sent, with the reason; when it returns it is on the disk.

        Raises:
            OSError: when the disk cannot be written.
        """
        line = msgspec.json.encode({"at": format_time(wall_clock()), "reason": reason} | _as_text(value)) + b"\n"
        with FileIO(self._rejected, "a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # other processes of the folder write to the same file
            write_synced(file, line)
        shown = value[:SHOWN_CHARACTERS].decode(errors="backslashreplace")
        logger.error("a prediction is rejected, in %s: %s: %s", self._rejected, reason, shown)

    def close(self) -> None:
        """Release all files; another process takes over the waiting entries."""
        for file in (*self._left, self._own):
            file.close()


def _as_text(value: bytes) -> dict[str, str]:
    """Bytes as JSON fields."""
    try:
        return {"record": value.decode()}
    except UnicodeDecodeError:
        return {"base64": b64encode(value).decode()}


def _age(path: Path) -> float:
    """The modification time, to sort by; 0 where the file is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
