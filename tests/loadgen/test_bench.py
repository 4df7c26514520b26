"""What scenarios work with: messages of the size that was asked for, which tell their age; and who worked."""

from __future__ import annotations

import json
import os
import time

import pytest

from hubbub.loadgen import Options, Target
from hubbub.loadgen.bench import Bench, Effort, age


def bench(size: int = 128) -> Bench:
    return Bench(Options(size=size), Target("ws://127.0.0.1:1"), lambda doing, share: None)


@pytest.mark.parametrize("size", [126, 128, 60_000])
def test_a_message_is_json_of_the_size_that_was_asked_for(size: int) -> None:
    data = bench(size).data()
    assert len(data) == size
    assert set(json.loads(data)) == {"t", "p"}


def test_a_message_tells_its_age_wherever_it_is() -> None:
    before = time.perf_counter()
    data = bench().data()
    seconds = age(b'42["message",' + data + b"]")
    assert seconds is not None
    assert 0 <= seconds <= time.perf_counter() - before
    assert age(b'42["message",1]') is None


def test_every_run_has_channels_of_its_own() -> None:
    assert bench().prefix != bench().prefix
    assert bench().prefix.startswith("bench:")


def test_effort_is_of_the_server_only_when_its_process_is_known() -> None:
    assert set(Effort(Target("ws://x")).figures(1)) == {"load_generator_cpu"}
    figures = Effort(Target("ws://x", pid=os.getpid())).figures(0)
    assert figures["server_each_us"] == 0.0
    assert figures["server_cpu"] >= 0
