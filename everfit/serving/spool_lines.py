"""How a record lies in the spool: ``1 CRC LENGTH RECORD`` and a newline; checksum and length are eight hexadecimal digits.

The 1 is the format's version. A damaged byte costs the record that it lies in and no other: the length says where a record ends
whose newline is damaged, and behind a damaged head reading goes on at the next newline. A line that begins with ``{`` was
written before there were versions: it is the record's JSON alone, and cannot tell damage that leaves it JSON.
"""

import re
from typing import BinaryIO, NamedTuple
from zlib import crc32

LINE_BYTES = 2**24  # what has no newline for that long is damaged, and is not read into memory as a whole
_HEAD = re.compile(rb"1 ([0-9a-f]{8}) ([0-9a-f]{8}) ")


class Entry(NamedTuple):
    """A record, and how many bytes it takes in the file; or bytes that are none, and the ``problem`` with them."""

    value: bytes
    size: int
    problem: str = ""


def written(record: bytes) -> bytes:
    """The line of a record."""
    return b"1 %08x %08x %b\n" % (crc32(record), len(record), record)


def read(file: BinaryIO) -> Entry | None:
    """The entry where the file stands, and stand behind it; None at the end of the file."""
    start = file.tell()
    line = file.readline(LINE_BYTES)
    if not line:
        return None
    if line.startswith(b"{"):
        return Entry(line.rstrip(b"\n"), len(line))
    head = _HEAD.match(line)
    if head is None:
        return Entry(line, len(line), "it is no line of the spool's format")
    end = head.end() + int(head[2], 16)
    record = line[head.end() : end]
    if crc32(record) != int(head[1], 16) or len(line) < end:
        return Entry(line, len(line), "its checksum is another" if line.endswith(b"\n") else "it ends in the middle")
    size = min(len(line), end + 1)
    file.seek(start + size)  # behind its newline, also where that is damaged
    return Entry(record, size)
