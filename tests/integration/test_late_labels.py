"""Of labels that come late, regret is scored on the newest window that all of them are due of, by what is known then."""

from datetime import timedelta
from pathlib import Path

import msgspec
import sqlalchemy as sa

from everfit import TrainingWindow
from everfit.declaration.reserved_columns import LABEL
from everfit.evidence.kinds import Regret
from everfit.store import ledger
from everfit.store.lake import Lake
from monitors.version_share import VersionShare
from tests.events import MODEL, outcome, prediction, write
from tests.versions import manifest, promote

WEEK = MODEL.drift.window
A_WEEK = int(WEEK / timedelta(minutes=30))
LATE = MODEL.model_copy(update={"training": TrainingWindow(label_delay="10d")})  # so two windows behind


def test_a_window_is_scored_two_windows_later_by_the_outcomes_known_then(engine: sa.Engine, tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    promote(engine, LATE.name, manifest(lake, LATE.name))
    too_late = LATE.go_live + 4 * WEEK  # for the third window
    delayed = [msgspec.structs.replace(outcome(number), observed_at=too_late) for number in range(3)]
    write(engine, [prediction(number) for number in range(3 * A_WEEK)], [*delayed, *map(outcome, range(3, 3 * A_WEEK))])
    third = (LATE.go_live + 2 * WEEK, LATE.go_live + 3 * WEEK)
    with engine.connect() as connection:
        promoted = ledger.recorded(connection, LATE.name, 1)
        assert promoted is not None
        share = VersionShare(connection, lake, LATE, third, promoted, A_WEEK, True).trusted
        scored = share.newest_matured
        assert scored is not None
        assert (scored.span, scored.row_count, scored.is_whole) == ((LATE.go_live, LATE.go_live + WEEK), A_WEEK, True)
        assert scored.rows[LABEL].null_count() == 3
        evidence = Regret().judge(share)
        assert (evidence.detail["scored"][0], evidence.detail["rows"]) == ("1996-09-04T00:00:00Z", A_WEEK - 3)
        second = VersionShare(connection, lake, LATE, (third[0] - WEEK, third[0]), promoted, A_WEEK, True)
        assert second.newest_matured is None
        assert Regret().judge(second).detail["missing"] == "rows"
