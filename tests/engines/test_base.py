from __future__ import annotations

from collections.abc import Callable

import pytest

from hubbub.engines.base import call_all


def test_whoever_fails_keeps_it_from_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    called: list[str] = []

    def fail() -> None:
        raise ValueError("ours")

    call_all([lambda: called.append("first"), fail, lambda: called.append("last")], "redis")
    assert called == ["first", "last"]
    assert len(caplog.records) == 1


def test_who_leaves_when_called_is_called_and_so_is_the_next() -> None:
    called: list[str] = []
    callbacks: list[Callable[[], object]] = []

    def leave() -> None:
        callbacks.remove(leave)
        called.append("leaves")

    callbacks += [leave, lambda: called.append("stays")]
    call_all(callbacks, "redis")
    assert called == ["leaves", "stays"]
