"""How days that are out of date are cut into runs, and how a list that only grows at its end is kept in order."""

from everfit.pipeline.backfill_plan import Chunk, plan, reorder
from everfit.pipeline.lineage import Outdated

DAYS = [f"1996-05-{day:02d}" for day in range(7, 17)]
BOTH = ("raw_data", "features")


def needs(raw: list[str], features: list[str]) -> Outdated:
    return Outdated(dict.fromkeys(raw, "why"), dict.fromkeys(features, "why"))


def test_what_is_up_to_date_is_in_no_run() -> None:
    assert plan(needs([], []), DAYS, days_per_run=90) == []


def test_a_run_makes_no_more_days_than_declared() -> None:
    chunks = plan(needs(DAYS, DAYS), DAYS, days_per_run=4)
    assert [(chunk.assets, len(chunk.days)) for chunk in chunks] == [(BOTH, 4), (BOTH, 4), (BOTH, 2)]
    assert [day for chunk in chunks for day in chunk.days] == DAYS


def test_days_apart_and_days_of_another_need_are_runs_of_their_own() -> None:
    chunks = plan(needs(DAYS[2:3], DAYS[2:5] + DAYS[7:9]), DAYS, days_per_run=90)
    assert chunks == [
        Chunk(BOTH, (DAYS[2],)),
        Chunk(("features",), (DAYS[3], DAYS[4])),
        Chunk(("features",), (DAYS[7], DAYS[8])),
    ]
    assert str(chunks[0]) == "raw_data and features of 1996-05-09"
    assert str(chunks[1]) == "features of 1996-05-10 to 1996-05-11 (2 days)"


def test_only_the_assets_that_are_wanted_are_made() -> None:
    assert plan(needs(DAYS[:2], DAYS[:4]), DAYS, days_per_run=90, assets=["raw_data"]) == [
        Chunk(("raw_data",), tuple(DAYS[:2]))
    ]


def test_days_at_the_end_are_added_and_a_late_one_moves_those_after_it() -> None:
    assert (reorder(DAYS, DAYS).remove, reorder(DAYS, DAYS).add) == ([], [])
    grown = reorder(DAYS[:-2], DAYS)
    assert (grown.remove, grown.add) == ([], DAYS[-2:])
    late = reorder(DAYS[:3] + DAYS[4:], DAYS)
    assert (late.remove, late.add) == (DAYS[4:], DAYS[3:])
