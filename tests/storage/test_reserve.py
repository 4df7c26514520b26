from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hubbub.storage.reserve import Reserve


def test_it_takes_room_gives_it_up_and_takes_it_again(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve", 100_000)
    assert not reserve.held
    for _ in range(2):
        assert reserve.take()
        assert reserve.take()
        stat = reserve.path.stat()
        assert (stat.st_size, stat.st_mode & 0o777) == (100_000, 0o600)
        assert stat.st_blocks * 512 >= 100_000
        reserve.give_up()
        reserve.give_up()
        assert not reserve.path.exists()


def test_a_file_left_by_a_crash_is_taken_over_with_the_size_of_now(tmp_path: Path) -> None:
    (tmp_path / "reserve").write_bytes(b"x" * 5_000)
    assert Reserve(tmp_path / "reserve", 3_000).take()
    assert (tmp_path / "reserve").stat().st_size == 3_000


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_without_room_it_leaves_what_there_is_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(descriptor: int, offset: int, size: int) -> None:
        raise OSError(number, os.strerror(number))

    reserve = Reserve(tmp_path / "reserve", 1_000)
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        assert not reserve.take()
        assert list(tmp_path.iterdir()) == []
    assert reserve.take()


def test_what_is_not_a_matter_of_room_is_raised(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Reserve(tmp_path / "nowhere" / "reserve", 1_000).take()


def test_none_is_always_held(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve", 0)
    assert reserve.take()
    reserve.give_up()
    assert reserve.held
    assert list(tmp_path.iterdir()) == []
