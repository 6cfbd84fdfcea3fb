"""A window of more rows than are read: what is counted is counted over all of them, what is measured on a stable sample."""

from typing import cast

import msgspec
import pytest
import sqlalchemy as sa

from everfit import Category, Integer, Number
from everfit.declaration.reserved_columns import REQUEST_ID, SCHEMA
from everfit.evidence.counts import tally
from everfit.store import frames, window_counts
from everfit.store.lake import Lake
from everfit.store.ledger import Champion
from monitors import version_share
from tests.events import MODEL, outcome, prediction, write

ROWS = 336
SPAN = MODEL.go_live, MODEL.go_live + MODEL.drift.window
LATER = SPAN[1] + MODEL.log.lateness
BOUNDED = MODEL.model_copy(
    update={
        "views": [],
        "request": [
            Category("zone"),
            Number("load"),
            Integer("hour", between=(0, 23)),
            Number("empty"),
            Number("depth", between=(0, 10), missing=[-9999, -3.4e38]),
        ],
    }
)


@pytest.fixture
def logged(engine: sa.Engine) -> sa.Engine:
    """A week in which every seventh load is missing, every tenth hour is out of bounds, and one column holds nothing."""
    made = [
        msgspec.structs.replace(
            prediction(n),
            schema=BOUNDED.schema_id if n else "another",
            features={
                "zone": "east" if n % 3 else "west",
                "load": None if n % 7 == 0 else n / 4,
                "hour": 24.0 + n if n % 10 == 0 else float(n % 24),
                "empty": None,
                "depth": [5.0, -9999, 11.0, -3.4e38][n % 4],
            },
        )
        for n in range(ROWS)
    ]
    write(engine, made, [outcome(n) for n in range(ROWS)])
    return engine


def test_the_database_counts_what_a_frame_of_all_rows_would_say(logged: sa.Engine) -> None:
    with logged.connect() as connection:
        rows = frames.logged(connection, BOUNDED, SPAN, known_at=LATER)
        whole = tally(BOUNDED, rows, [name for name, _ in BOUNDED.features])
        counted = window_counts.tally(connection, BOUNDED, SPAN, 1, whole.columns)
    assert counted == whole
    assert (counted.rows, counted.schemas) == (ROWS, frozenset([BOUNDED.schema_id, "another"]))
    assert (counted.columns["load"].values, counted.outside) == (ROWS - 48, {"hour": (34, 24.0), "depth": (84, 11.0)})
    assert counted.columns["depth"].values == ROWS // 2


def test_a_sample_is_the_same_whenever_it_is_drawn_and_another_by_another_seed(logged: sa.Engine) -> None:
    def drawn(share: float, seed: int = 0) -> set[str]:
        with logged.connect() as connection:
            rows = frames.logged(connection, BOUNDED, SPAN, known_at=LATER, share=share, seed=seed)
        assert rows[SCHEMA].null_count() == 0
        return set(rows[REQUEST_ID])

    assert drawn(0.5) == drawn(0.5)
    assert drawn(0.25) < drawn(0.5) < drawn(1.0)
    assert drawn(0.5) != drawn(0.5, seed=1)
    assert 0.4 * ROWS < len(drawn(0.5)) < 0.6 * ROWS
    assert len(drawn(1.0)) == ROWS


def test_quality_of_a_sampled_window_counts_all_rows(logged: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version_share, "SAMPLE_ROWS", 100)
    with logged.connect() as connection:
        champion = Champion(1, "", SPAN[0])
        share = version_share.VersionShare(connection, cast(Lake, None), BOUNDED, SPAN, champion, ROWS, is_whole=True)
        vars(share)["inputs"] = BOUNDED.features  # what the version's manifest says
        counted = share.counts
    assert 50 < share.rows.height < 150
    assert share.sampling == {"sampled_of": ROWS}
    assert (counted.rows, counted.columns["empty"].values, counted.outside["hour"]) == (ROWS, 0, (34, 24.0))
