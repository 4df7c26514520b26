from __future__ import annotations

from collections.abc import Iterator

import pytest

from hubbub.loadgen.adapters import ADAPTERS
from hubbub.loadgen.crowd import Crowd
from hubbub.loadgen.errors import BenchError

URL = "ws://127.0.0.1:1/below"


class Paper(Crowd[str]):
    """Clients without sockets. `steps`: how many get on each time that something is waited for; None is silence."""

    def __init__(self, steps: Iterator[int | None]) -> None:
        tokens = (f"token{at}" for at in range(1_000_000))
        super().__init__(URL, ADAPTERS["hubbub"](), "/path", tokens)
        self.steps = steps
        self.opening = self.most = 0
        self.closed = False

    def _begin(self, index: int, token: str) -> str:
        self.opening += 1
        self.most = max(self.most, self.opening)
        return f"{index} with {token}"

    def _get_on(self, timeout: float) -> int | None:
        connected = next(self.steps)
        self.opening -= connected or 0
        return connected

    def _close_all(self) -> None:
        self.closed = True


def test_each_client_has_an_index_and_a_token_of_its_own() -> None:
    with Paper(iter([1, 0, 2, 1])) as crowd:
        assert crowd.open(3) == ["0 with token0", "1 with token1", "2 with token2"]
        assert crowd.open(1) == ["3 with token3"]


def test_no_more_are_opening_than_the_window_holds() -> None:
    seen: list[int] = []
    with Paper(iter([4, 0, 3, 1, 2])) as crowd:
        assert len(crowd.open(10, window=4, progress=seen.append)) == 10
    assert crowd.most == 4
    assert seen == [4, 4, 7, 8, 10]


def test_silence_is_an_error_that_says_how_far_it_got() -> None:
    with (
        Paper(iter([2, None])) as crowd,
        pytest.raises(BenchError, match=r"no client got on for 3 s \(2 of 5 are open\)"),
    ):
        crowd.open(5, timeout=3.0)


def test_leaving_closes_all_and_lets_errors_through() -> None:
    crowd = Paper(iter([]))
    with pytest.raises(RuntimeError, match="a fault"), crowd:
        raise RuntimeError("a fault")
    assert crowd.closed
    assert crowd._poll.closed


def test_its_path_goes_behind_that_of_the_address() -> None:
    with Paper(iter([])) as crowd:
        assert crowd._path == "/below/path"
