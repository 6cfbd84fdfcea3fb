"""What a process that reads the log holds on to: nothing of a pass that is over, and no large block that was freed."""

import ctypes
import gc

LARGE_BYTES = 2**20  # a fetch and the text that is made of it are some 4 MiB each
LARGE_PASS = 10_000  # records: more than a fetch
_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD, https://man7.org/linux/man-pages/man3/mallopt.3.html


def give_back_large_blocks() -> None:
    """Have the C library give every freed block of a megabyte and more back to the system, in the whole process.

    By itself glibc raises that limit to the largest block that was ever freed, and from then on keeps fetches among small
    blocks, in ever more pieces. Other C libraries do not, and are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, LARGE_BYTES)


def forget(records: int) -> None:
    """Collect what a pass over so many records left: its client is a ring of references that holds the last fetches."""
    if records > LARGE_PASS:
        gc.collect()
