"""What of the log is a cause to tell somebody, and with which words: tables of cases."""

from datetime import UTC, datetime, timedelta

import pytest

from everfit.alerts.log_rules import dead_letter_budget, dead_letter_causes, gap_causes, lag_causes, patience, restart_causes
from everfit.errors import SettingsError
from everfit.store.log_state import Deleted, Lagging, Rejected, Restarted

TOPIC = "everfit.outcomes"
DEAD = f"dead letters of {TOPIC}"


@pytest.mark.parametrize(
    ("deleted", "told"),
    [
        (Deleted(TOPIC, 2, "a", 20, 25, 5, 1), "5 records of everfit.outcomes, partition 2 (offsets 20 to 24) were deleted"),
        (Deleted(TOPIC, 2, "a", 7, 8, 1, 1), "1 records of everfit.outcomes, partition 2 (offsets 7 to 7) were deleted"),
        (
            Deleted(TOPIC, 2, "a", 0, 9_000, 1_200, 3),
            "1,200 records of everfit.outcomes, partition 2 (offsets 0 to 8999, 3 gaps",
        ),
    ],
)
def test_a_gap_is_told_with_its_offsets_and_size_and_what_to_do(deleted: Deleted, told: str) -> None:
    ((cause, message),) = gap_causes([deleted]).items()
    assert cause == ("", f"gap:{TOPIC}:2:a")
    assert message.startswith(told)
    assert "lengthen the topic's retention" in message


def test_each_partition_and_each_log_has_a_cause_of_its_own() -> None:
    lost = [Deleted(TOPIC, partition, log_id, 0, 5, 5, 1) for partition in (0, 1) for log_id in ("a", "b")]
    assert len(gap_causes(lost)) == 4


@pytest.mark.parametrize(
    ("restarted", "cause", "told"),
    [
        (Restarted(TOPIC, "b", 1, [0]), f"log:{TOPIC}:b:1", "the log of everfit.outcomes restarted, partition 0; "),
        (Restarted(TOPIC, "c", 2, [0, 2]), f"log:{TOPIC}:c:2", "the log of everfit.outcomes restarted, partitions 0, 2; "),
    ],
)
def test_a_log_that_began_again_is_told_with_its_partitions(restarted: Restarted, cause: str, told: str) -> None:
    assert restart_causes([restarted])["", cause].startswith(told)


@pytest.mark.parametrize(
    ("records", "dead", "budget", "holds"),
    [
        (1_000, 51, 0.05, True),
        (1_000, 50, 0.05, None),  # as it was: neither raised nor over
        (1_000, 26, 0.05, None),
        (1_000, 25, 0.05, False),
        (1_000, 0, 0.05, False),
        (20, 2, 0.05, True),
        (19, 19, 0.05, None),  # too few to tell
        (0, 0, 0.05, None),
        (1_000, 1, 0.0, True),
        (1_000, 0, 0.0, False),
        (1_000, 1_000, 1.0, None),
    ],
)
def test_dead_letters_are_a_cause_beyond_the_budget_and_over_at_half_of_it(
    records: int, dead: int, budget: float, holds: bool | None
) -> None:
    watched = dead_letter_causes([Rejected(TOPIC, records, dead)], budget)
    assert (("", DEAD) in watched.ongoing) == (holds is True)
    assert (DEAD in watched.families) == (holds is not None)


def test_dead_letters_are_told_with_their_share_and_where_to_look() -> None:
    message = dead_letter_causes([Rejected(TOPIC, 3_000, 1_234)], 0.07).ongoing["", DEAD]
    assert message.startswith("1,234 of the newest 3,000 records of everfit.outcomes could not be used, more than 7%; ")
    assert "`everfit dead-letters list --topic everfit.outcomes`" in message


@pytest.mark.parametrize(("written", "share"), [("", 0.05), ("5%", 0.05), ("0%", 0.0), ("0.5%", 0.005), ("100%", 1.0)])
def test_the_budget_is_a_percentage(written: str, share: float) -> None:
    assert dead_letter_budget({"EVERFIT_ALERT_DEAD_LETTERS": written}) == share


@pytest.mark.parametrize("written", ["5", "0.05", "101%", "-1%", "many"])
def test_a_budget_that_is_no_percentage_is_refused(written: str) -> None:
    with pytest.raises(SettingsError, match=f"EVERFIT_ALERT_DEAD_LETTERS='{written}' is no share; write a percentage"):
        dead_letter_budget({"EVERFIT_ALERT_DEAD_LETTERS": written})


def test_a_lag_that_did_not_fall_for_as_long_as_is_allowed_is_told() -> None:
    now = datetime(2024, 1, 1, 12, tzinfo=UTC)
    lagging = [
        Lagging(TOPIC, 0, 1_500, 1_200, now - timedelta(minutes=10)),
        Lagging(TOPIC, 1, 1_500, 1_200, now - timedelta(minutes=11)),
    ]
    watched = lag_causes(lagging, now, patience({}))
    assert watched.families == {"lag"}
    (message,) = watched.ongoing.values()
    assert watched.ongoing.keys() == {("", f"lag:{TOPIC}:1")}
    assert message.startswith(
        "reading everfit.outcomes, partition 1, is 1,500 records behind, and since 2024-01-01T11:49:00Z it was never fewer "
        "than 1,200: no window closes until all is read; run `everfit ingest`"
    )


def test_how_long_a_lag_is_bearable_is_a_duration() -> None:
    assert patience({"EVERFIT_ALERT_LAG": "1h"}) == timedelta(hours=1)
    with pytest.raises(SettingsError, match="EVERFIT_ALERT_LAG='soon' is no duration"):
        patience({"EVERFIT_ALERT_LAG": "soon"})
