"""Whether a view's function keeps the keys of its source's rows, so that the rows of one key can be read alone."""

from typing import Any

import narwhals.stable.v2 as nw

from everfit.declaration.views import FeatureView
from everfit.features.point_in_time import shaped

_CARRIED = "_key_of_the_source"


def keeps_keys(view: FeatureView, source: Any) -> bool:
    """Whether every row that the function makes has the key of the row it is made from.

    A copy of the key is passed through the function; where it drops the copy, it is applied to the rows of each key alone.

    Raises:
        SourceError: when the function cannot shape the rows.
    """
    frame = nw.from_native(source, eager_only=True)
    made = shaped(view, frame.with_columns(nw.col(view.key).alias(_CARRIED)).to_native())
    if _CARRIED in made.columns:
        return _are(made[view.key], made[_CARRIED])
    keys = frame[view.key].drop_nulls().unique()
    without = frame.filter(nw.col(view.key).is_null())
    if len(without) and not shaped(view, without.to_native())[view.key].is_null().all():
        return False
    return all(_are(shaped(view, frame.filter(nw.col(view.key) == key).to_native())[view.key], key) for key in keys)


def _are(made: nw.Series[Any], expected: Any) -> bool:
    """Whether the keys equal the expected ones; rows without a key are ignored."""
    return made.dtype == nw.String and bool(((made == expected).fill_null(False) | made.is_null()).all())
