"""What a member of the group does besides reading; that it reads is tested against a broker."""

import threading
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from everfit.store import log
from everfit.store.lake import Lake
from monitors import group_reader


def test_a_member_tells_whom_a_rollout_has_crowned_so_that_the_alias_follows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stop, looks = threading.Event(), iter([["price"], [], ["delay", "price"]])
    told: list[list[str]] = []

    def move_rollouts(*_: object) -> list[str]:
        names = next(looks)
        if "delay" in names:
            stop.set()
        return names

    reader = MagicMock(**{"is_outlived.return_value": False, "poll.return_value": None})
    reader.__enter__.return_value = reader
    monkeypatch.setattr(group_reader, "GroupReader", lambda *_: reader)
    monkeypatch.setattr(group_reader, "IdleChecks", MagicMock)
    monkeypatch.setattr(group_reader, "Pipeline", MagicMock())
    monkeypatch.setattr(group_reader, "reachable", lambda _: nullcontext())
    monkeypatch.setattr(log, "ingesting", lambda _: nullcontext())
    monkeypatch.setattr(log, "all_read", lambda _: True)
    monkeypatch.setattr(group_reader, "close_windows", lambda *_: None)
    monkeypatch.setattr(group_reader, "move_rollouts", move_rollouts)
    group_reader.ingest(MagicMock(), Lake(tmp_path), "", {}, stop, crowned=told.append)
    assert told == [["price"], ["delay", "price"]]
