"""`everfit init`: what it drafts from a table imports, and `everfit check` has no error to tell of it."""

import importlib.util
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from everfit import BinaryClassification, Model, MulticlassClassification, Regression, Sklearn
from everfit.cli.main import app
from everfit.declaration.discovery import load_models
from everfit.drafting.project import Project, draft_project
from everfit.errors import DeclarationError, SourceError
from everfit.replay.timeline import recorded
from everfit.review.declaration_review import Review, review

START, HOURS = datetime(2025, 1, 6), 40 * 24  # noqa: DTZ001 - times without a zone are what is tried


@pytest.fixture(autouse=True)
def _forget_modules() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in (
            "mails",
            "orders",
            "hours",
            "json_models",
            "class_models",
            "mean_models",
            "counters",
            "lately",
        ):
            del sys.modules[name]


def hours() -> pl.DataFrame:
    """Forty days of hours: a number that comes and goes, a kind of weather, and a count."""
    n = pl.int_range(HOURS, eager=True)
    return pl.DataFrame(
        {
            "When": [START + timedelta(hours=hour) for hour in range(HOURS)],
            "Temp (C)": (n * 7919 % 101) / 10,
            "weather": pl.Series(["sun", "rain", "fog"]).gather(n * 104_729 % 97 % 3),
            "cars": n * 7919 % 1009,
        }
    )


def drafted(folder: Path, file: Path, **asked: str) -> tuple[Project, Model, Review]:
    """What init wrote, the model as it is found, and what check has to tell of it."""
    project = draft_project(folder, file, asked)
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(folder))
        importlib.invalidate_caches()
        (model,) = load_models(project.package).values()
    made = review(model)
    assert [remark for remark in made.remarks if remark.severity == "error"] == []
    assert not list(folder.glob(".init-*"))
    return project, model, made


def test_naive_times_copies_and_rows_of_one_moment(tmp_path: Path) -> None:
    rows = hours()
    pl.concat([rows, rows[:3], rows[:2].with_columns(cars=pl.lit(7, pl.Int64))]).write_csv(tmp_path / "hours.csv")
    project, model, _ = drafted(tmp_path / "new", tmp_path / "hours.csv")
    assert project.remarks[:5] == [
        "time: When",
        "label: cars; others might be it: Temp (C), weather (--label)",
        "entity: none",
        "task: regression",
        "the times of 'When' name no zone, and are taken as UTC",
    ]
    text = project.file.read_text()
    assert "# DECIDE: the file names no zone, and UTC is assumed. For another write such as" in text
    assert "# 3 rows are copies of another" in text
    assert "# 4 rows share time and entity: their order tells them apart" in text
    assert isinstance(model.task, Regression)
    assert (model.name, model.entity, model.event_time, model.identity) == (
        "hours_cars",
        "everything",
        "when",
        ["everything", "row"],
    )
    assert [column.name for column in model.request] == ["everything", "temp_c", "weather"]
    assert recorded(model.sources[0])["when"][0] == START.replace(tzinfo=UTC)
    assert recorded(model.sources[0]).height == HOURS + 2


def test_semicolons_a_byte_order_mark_decimal_commas_words_for_nothing_and_yes_or_no(tmp_path: Path) -> None:
    lines = ["Order ID;Placed;Customer;Amount;Note;Returned?"]
    for n in range(600):
        amount = "NA" if n % 50 == 0 else f"{n % 17},{n % 10}"
        answer = "" if n % 100 == 99 else "Yes" if n * 7919 % 101 > 60 else "No"
        at = START + timedelta(hours=n)
        lines.append(f"o{n};{at:%d.%m.%Y %H:%M};c{n * 7919 % 23};{amount};;{answer}")
    (tmp_path / "orders.csv").write_text("\n".join(lines), encoding="utf-8-sig")
    project, model, _ = drafted(tmp_path, tmp_path / "orders.csv")
    assert project.remarks[:3] == [
        "columns are separated by ';'",
        "numbers have a decimal comma",
        "read as missing: ['NA']",
    ]
    assert project.remarks[3] == "'Placed': times such as 06.01.2025 00:00 are taken to begin with the day"
    assert project.remarks[-1] == "6 rows have no label, and are not learnt from"
    assert isinstance(model.task, BinaryClassification)
    assert (model.label, model.entity) == ("returned", "customer")
    rows = recorded(model.sources[0])
    assert rows.select("amount", "returned")[:2].rows() == [(None, False), (1.1, False)]
    assert rows["placed"][25] == datetime(2025, 1, 7, 1, tzinfo=UTC)
    assert "# not order_id: each row has another" in project.file.read_text()


def test_months_first(tmp_path: Path) -> None:
    rows = hours().with_columns(pl.col("When").dt.strftime("%m/%d/%Y %H:%M"))
    rows.write_csv(tmp_path / "hours.csv")
    project, model, _ = drafted(tmp_path, tmp_path / "hours.csv", label="weather")
    assert "'When': times such as 01/06/2025 00:00 begin with the month" in project.remarks
    assert isinstance(model.task, MulticlassClassification)
    assert model.task.classes == ("fog", "rain", "sun")
    assert recorded(model.sources[0])["when"].max() == datetime(2025, 2, 14, 23, tzinfo=UTC)


def test_flags_texts_and_vectors_and_a_leak(tmp_path: Path) -> None:
    n = pl.int_range(400, eager=True)
    angry = n * 7919 % 101 > 50
    pl.DataFrame(
        {
            "at": [START.replace(tzinfo=UTC) + timedelta(hours=3 * hour) for hour in range(400)],
            "queue": pl.Series(["a", "b"]).gather(n % 2),
            "subject": [f"please answer number {each} of my many mails" for each in range(400)],
            "meaning": pl.Series([[0.1 * each, 1.0] for each in range(400)], dtype=pl.List(pl.Float32)),
            "angry": angry,
            "told": angry.cast(pl.Float64),
            "heat": pl.Series([float("nan"), 1.0, 2.0, float("inf")]).gather(n % 4),
            "late": angry & (n % 3 > 0),
            "odd": [{"a": 1}] * 400,
        }
    ).write_parquet(tmp_path / "mails.parquet")
    project, model, _ = drafted(tmp_path, tmp_path / "mails.parquet", label="angry")
    kinds = {column.name: column.input_kind for column in model.request}
    assert kinds == {"queue": "category", "subject": "text", "meaning": "vector[2]", "heat": "number", "late": "flag"}
    assert isinstance(model.candidates[0], Sklearn)
    assert "'told' is left out of the request: alone it gives 100% of the label away; a leak?" in project.remarks
    assert 'left out, of no kind that a column can be: "odd"' in project.file.read_text()
    assert recorded(model.sources[0])["heat"][:4].to_list() == [None, 1.0, 2.0, None]


def test_what_cannot_be_drafted_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    hours().write_csv(tmp_path / "hours.csv")
    hours().drop("When").write_csv(tmp_path / "timeless.csv")
    hours().select("When").write_csv(tmp_path / "bare.csv")
    hours()[:0].write_csv(tmp_path / "empty.csv")
    (tmp_path / "latin.csv").write_bytes("when,straße\n2025-01-01,1\n".encode("latin1"))
    (tmp_path / "hours.xlsx").touch()
    told = {
        "timeless": "no column holds times: Temp (C), weather, cars; everfit learns in the order of events: add one with",
        "bare": "no column can be a label: a flag, a number, or a text of 2 to 50 classes",
        "empty": "holds no row; give a file with the rows on record",
        "latin": "is not UTF-8",
        "none": "cannot be read: ",
    }
    for name, sentence in told.items():
        with pytest.raises(SourceError) as refused:
            draft_project(tmp_path / "new", tmp_path / f"{name}.csv", {})
        assert sentence in str(refused.value)
    with pytest.raises(SourceError, match=r"unknown kind of file; give \.csv, \.csv\.gz or \.parquet"):
        draft_project(tmp_path / "new", tmp_path / "hours.xlsx", {})
    with pytest.raises(SourceError, match="--label When: no column of that name can be the label; those that can: Temp"):
        draft_project(tmp_path / "new", tmp_path / "hours.csv", {"label": "When"})
    assert not (tmp_path / "new").exists()


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    hours().write_csv(tmp_path / "hours.csv")
    (tmp_path / "hours").mkdir()
    (tmp_path / "hours" / "mine.py").write_text("MINE = 1\n")
    with pytest.raises(DeclarationError, match="is there already, and stays as it is; name another folder, or take it away"):
        draft_project(tmp_path, tmp_path / "hours.csv", {})
    assert [file.name for file in (tmp_path / "hours").iterdir()] == ["mine.py"]


def test_a_package_is_not_called_as_another_module(tmp_path: Path) -> None:
    hours().write_csv(tmp_path / "json.csv")
    told = CliRunner().invoke(app, ["init", str(tmp_path / "new"), "--from", str(tmp_path / "json.csv")])
    assert told.exit_code == 0
    assert (tmp_path / "new" / "json_models" / "json_cars.py").exists()
    lines = [f"  cd {tmp_path}/new", "  export EVERFIT_MODELS=json_models", "  everfit check json_cars", "  everfit up"]
    assert told.stdout.splitlines()[-5:-1] == lines


def side_by_side(**columns: object) -> pl.DataFrame:
    """Two hundred hours of two things, which stop now and then."""
    n = pl.int_range(400, eager=True)
    noise = n * 7919 % 101 / 101
    rows: dict[str, object] = {
        "hour": [START.replace(tzinfo=UTC) + timedelta(hours=each // 2) for each in range(400)],
        "which": ["one", "two"] * 200,
        "heat": noise,
        "stopped": (noise + n * 104_729 % 97 / 97 > 1.2).cast(pl.Int64),
    }
    return pl.DataFrame(rows | columns)


def test_what_tells_the_rows_of_a_time_apart_is_the_entity(tmp_path: Path) -> None:
    side_by_side().rename({"which": "Größe"}).write_csv(tmp_path / "class.csv")
    project, model, _ = drafted(tmp_path, tmp_path / "class.csv")
    assert (project.package, model.sources[0].name, model.entity) == ("class_models", "class_rows", "grosse")


def test_numbers_and_vectors_that_are_not_read(tmp_path: Path) -> None:
    wide, gaps = pl.Series([1e38, 2.0] * 200), pl.Series([[0.5, None], [0.5, 1.0]] * 200)
    side_by_side(heat=wide, gaps=gaps).write_parquet(tmp_path / "mean.parquet")
    project, model, _ = drafted(tmp_path, tmp_path / "mean.parquet")
    assert recorded(model.sources[0])["heat"][:2].to_list() == [None, 2.0]
    assert 'left out, of no kind that a column can be: "gaps"' in project.file.read_text()


def test_what_has_been_gives_a_counter_away_and_a_late_label_moves_the_go_live(tmp_path: Path) -> None:
    side_by_side().select("hour", "which", read=pl.int_range(400)).with_columns(pl.col("read") // 2).write_csv(
        tmp_path / "counters.csv"
    )
    project, model, _ = drafted(tmp_path, tmp_path / "counters.csv", label="read")
    assert model.views == []
    assert "'past_read' is left out of the request: alone it gives 100% of the label away; a leak?" in project.remarks
    side_by_side(stopped=[int(each > 380) for each in range(400)]).write_csv(tmp_path / "lately.csv")
    _, model, _ = drafted(tmp_path, tmp_path / "lately.csv")
    assert model.go_live == datetime(2025, 1, 13, 23, 0, 1, tzinfo=UTC)  # the first stop is of 22:00 on the eighth day


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (side_by_side(stopped=0), "'stopped' is called like a label, and is 0 in every row: .* name another by --label"),
        (side_by_side(hour=pl.Series([datetime(2099, 1, 1)] * 400)), "nothing is written: .* 2099-01-01.* lies in the future"),  # noqa: DTZ001
        (side_by_side(heat=["a\0b", "c"] * 200), "nothing is written: .*row 1, column 'heat'.*NUL"),
    ],
)
def test_a_fault_of_the_rows_leaves_nothing_behind(tmp_path: Path, rows: pl.DataFrame, told: str) -> None:
    rows.write_parquet(tmp_path / "faulty.parquet")
    with pytest.raises((SourceError, DeclarationError), match=told):
        draft_project(tmp_path / "new" / "folder", tmp_path / "faulty.parquet", {})
    assert [file.name for file in tmp_path.iterdir()] == ["faulty.parquet"]
