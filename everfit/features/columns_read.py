"""Which columns of its source a view's function needs: those without which it fails, or makes other columns."""

from everfit.declaration import Source
from everfit.declaration.views import FeatureView
from everfit.errors import SourceError
from everfit.features.point_in_time import shaped


def columns_read(view: FeatureView, source: Source) -> list[str]:
    """The columns that the view reads, in the order of the source, found by its function on no rows.

    A column that the function merely tries for is taken to be read where it fails without it, and not to be else.
    """
    import polars as pl

    nothing = pl.DataFrame(schema={column.name: column.frame_type() for column in source.columns})
    return [column.name for column in source.columns if not _does_without(view, nothing.drop(column.name))]


def _does_without(view: FeatureView, rows: object) -> bool:
    try:
        shaped(view, rows)
    except SourceError:
        return False
    return True
