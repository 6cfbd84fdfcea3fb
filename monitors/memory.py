"""Memory of processes that read the log: releases what a finished pass leaves, and large blocks that were freed."""

import ctypes
import gc

LARGE_BYTES = 2**20  # a fetch and the text made of it are about 4 MiB each
LARGE_PASS = 10_000  # records: more than a fetch
_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD, https://man7.org/linux/man-pages/man3/mallopt.3.html


def give_back_large_blocks() -> None:
    """Make the C library return every freed block of at least a megabyte to the system, in the whole process.

    glibc raises this limit to the largest block freed so far, and then keeps fetches among small blocks, which fragments its
    memory. Other C libraries do not, and are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, LARGE_BYTES)


def forget(records: int) -> None:
    """Collect the garbage of a pass over so many records: its client is a reference cycle that keeps the last fetches."""
    if records > LARGE_PASS:
        gc.collect()
