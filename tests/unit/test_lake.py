"""The lake: objects are named by their content, whole or not there, and an altered one is noticed."""

from pathlib import Path

import msgspec
import polars as pl
import pytest

from everfit.errors import LakeError, MissingObjectError
from everfit.store.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def files(lake: Lake) -> list[Path]:
    return [file for file in lake.root.rglob("*") if file.is_file()]


def test_the_same_content_is_one_object(lake: Lake) -> None:
    assert lake.put(b"content", "txt") == lake.put(b"content", "txt")
    assert len(files(lake)) == 1
    assert lake.get(lake.put(b"content", "txt"), "txt") == b"content"


def test_the_same_rows_get_the_same_name(lake: Lake) -> None:
    frame = pl.DataFrame({"price": [0.1, None], "region": ["NSW", "VIC"]})
    assert lake.put_frame(frame) == lake.put_frame(frame.clone())
    assert lake.put_frame(frame) != lake.put_frame(frame.reverse())
    assert lake.get_frame(lake.put_frame(frame)).equals(frame)


def test_documents_do_not_depend_on_the_order_of_their_keys(lake: Lake) -> None:
    assert lake.put_json({"a": 1, "b": [2]}) == lake.put_json({"b": [2], "a": 1})
    assert msgspec.json.decode(lake.get(lake.put_json({"a": 1}), "json")) == {"a": 1}


def test_a_missing_object_is_told(lake: Lake) -> None:
    for look in (lake.get, lake.verified):
        with pytest.raises(MissingObjectError, match=r"no object abcd\.onnx"):
            look("abcd", "onnx")


def test_an_altered_object_is_noticed(lake: Lake) -> None:
    name = lake.put(b"content", "txt")
    assert lake.verified(name, "txt").read_bytes() == b"content"
    lake.path(name, "txt").write_bytes(b"other")
    for look in (lake.get, lake.verified):
        with pytest.raises(LakeError, match="was altered"):
            look(name, "txt")


def test_a_disk_that_takes_no_more_leaves_nothing_half_written(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(LakeError, match="No space left"):
        lake.put(b"content", "txt")
    assert files(lake) == []


def test_an_object_that_the_disk_does_not_give_is_the_lakes_failure(lake: Lake) -> None:
    lake.path("abcd", "txt").mkdir(parents=True)
    with pytest.raises(LakeError, match=r"abcd\.txt cannot be read: .*Is a directory"):
        lake.get("abcd", "txt")


def test_a_lake_where_no_folder_can_be_made_is_the_lakes_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LakeError, match="cannot write 7 bytes to the lake"):
        Lake(tmp_path / "file").put(b"content", "txt")
