"""Rows in an Arrow file, mapped into memory: processes that read them share one copy, and pages that are not read take none."""

import mmap
from pathlib import Path
from typing import TYPE_CHECKING, cast
from weakref import WeakSet

if TYPE_CHECKING:
    import polars as pl

PORTION_ROWS = 65_536
BUFFER_BYTES = 2**20

_mapped: "WeakSet[mmap.mmap]" = WeakSet()  # as long as rows are used


def from_parquet(source: Path, target: Path) -> None:
    """Write the rows of a Parquet file as an Arrow file, a portion at a time; with vectors, which may be null, all at once."""
    import polars as pl
    import pyarrow as pa
    from pyarrow import parquet

    with parquet.ParquetFile(source, pre_buffer=False, buffer_size=BUFFER_BYTES) as kept:
        if any(pa.types.is_fixed_size_list(field.type) for field in kept.schema_arrow):  # pyarrow reads no null of theirs
            pl.read_parquet(source).write_ipc(target)
            return
        texts_as_views = [
            field.with_type(pa.string_view()) if pa.types.is_large_string(field.type) else field for field in kept.schema_arrow
        ]
        schema = pa.schema(texts_as_views)  # as Polars holds them in memory: nothing is converted where they are mapped
        with pa.ipc.new_file(target, schema) as written:
            for portion in kept.iter_batches(PORTION_ROWS):
                written.write_batch(portion.cast(schema))
    pa.default_memory_pool().release_unused()


def mapped(file: Path) -> "pl.DataFrame":
    """The rows of an Arrow file, not compressed."""
    import polars as pl
    import pyarrow as pa

    with file.open("rb") as content:
        pages = mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ)
    _mapped.add(pages)
    return cast("pl.DataFrame", pl.from_arrow(pa.ipc.open_file(pa.py_buffer(pages)).read_all(), rechunk=False))


def let_go() -> None:
    """Give back the memory of rows that are mapped in this process; where they are needed, they are read again."""
    for pages in list(_mapped):
        pages.madvise(mmap.MADV_DONTNEED)
