"""What a person is shown of a day that was made."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from everfit.store.partitions import PartitionVersion

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class DaySummary:
    """One partition that was made: its day, data version, rows, and share of nulls."""

    day: str
    data_version: str
    rows: int
    null_share: float


def summarize(day: str, versions: Sequence[PartitionVersion], parts: "Sequence[pl.DataFrame]") -> DaySummary:
    """The summary of a day by the versions and the rows of its parts: one a source, or the features alone."""
    joined = "".join(version.hash for version in versions)
    data_version = versions[0].hash if len(versions) == 1 else hashlib.sha256(joined.encode()).hexdigest()
    cells = sum(part.height * part.width for part in parts)
    nulls = sum(sum(part.null_count().row(0)) for part in parts if part.height)
    return DaySummary(day, data_version, sum(version.rows for version in versions), nulls / cells if cells else 0.0)
