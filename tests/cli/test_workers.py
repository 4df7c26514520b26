from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.cli.conftest import Command
from tests.waiting import until

from hubbub.cli.output import FAILED, Problem
from hubbub.cli.workers import BACKOFF, STEADY, Spawner, Supervisor, Worker, check, parse, shares, tell
from hubbub.config import Config

SECRET = "0123456789abcdef0123456789abcdef"


class FakeProcess:
    """Ends when a test says so; `obedient` ones also by SIGTERM."""

    def __init__(self, pid: int, *, obedient: bool) -> None:
        self.pid = pid
        self.obedient = obedient
        self.signals: list[int] = []
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def send_signal(self, signal_number: int) -> None:
        if self._ended.done():
            raise ProcessLookupError
        self.signals.append(signal_number)
        if signal_number == signal.SIGKILL:
            self.end(-9)
        elif signal_number == signal.SIGTERM and self.obedient:
            self.end(0)

    def end(self, status: int) -> None:
        if not self._ended.done():
            self._ended.set_result(status)


class House:
    """A supervisor of fakes, on a clock that the test moves."""

    def __init__(self, count: int = 2, *, obedient: bool = True, listens: bool | None = True) -> None:
        self.processes: list[FakeProcess] = []
        self.indexes: list[int] = []
        self.listening: list[asyncio.Future[bool]] = []
        self.obedient, self.listens = obedient, listens
        self.time = 0.0
        self.pauses: list[float] = []
        self.sleeping: list[asyncio.Future[None]] = []
        self.ready = 0
        self.supervisor = Supervisor(self.spawn, count, 15.0, now=lambda: self.time, pause=self.pause)
        self.task = asyncio.ensure_future(self.supervisor.run(self._ready))

    def _ready(self) -> None:
        self.ready += 1

    async def spawn(self, index: int) -> Worker:
        process = FakeProcess(100 + len(self.processes), obedient=self.obedient)
        listening: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if self.listens is not None:
            listening.set_result(self.listens)
        self.processes.append(process)
        self.indexes.append(index)
        self.listening.append(listening)
        return Worker(process, listening)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sleeping.append(waiting)
        await waiting

    def wake(self) -> None:
        for each in self.sleeping:
            if not each.done():
                each.set_result(None)

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


@asynccontextmanager
async def house(count: int = 2, **options: Any) -> AsyncIterator[House]:
    made = House(count, **options)
    await made.settle()
    try:
        yield made
    finally:
        made.task.cancel()
        await asyncio.gather(made.task, return_exceptions=True)


pytestmark = pytest.mark.anyio


async def test_one_signal_ends_all_and_the_status_is_theirs() -> None:
    async with house(3) as made:
        assert (made.indexes, made.ready) == ([0, 1, 2], 1)
        made.supervisor.stop()
        assert await made.task == 0
        assert [process.signals for process in made.processes] == [[signal.SIGTERM]] * 3


async def test_a_second_one_hurries_them_and_who_does_not_end_is_killed() -> None:
    async with house(2, obedient=False) as made:
        made.supervisor.stop()
        made.supervisor.stop()
        await made.settle()
        assert made.pauses == [15.0], "one deadline, from the first signal on"
        made.processes[0].end(0)
        made.wake()
        assert await made.task == 1
        assert made.processes[1].signals == [signal.SIGTERM, signal.SIGTERM, signal.SIGKILL]


async def test_a_worker_that_dies_is_started_again_later_and_later() -> None:
    async with house(2) as made:
        for _ in range(8):
            made.processes[-1].end(-9)
            await made.settle()
            made.wake()
            await made.settle()
        assert made.indexes == [0, 1] + [1] * 8
        assert made.pauses == [BACKOFF[0] * 2**n for n in range(6)] + [BACKOFF[1]] * 2
        made.time += STEADY
        made.processes[-1].end(1)
        await made.settle()
        assert made.pauses[-1] == BACKOFF[0], "it had run for long enough"
        made.supervisor.stop()
        assert await made.task == 0, "who waits to be started again is not"
        assert len(made.processes) == 10


async def test_wrong_settings_end_all_at_once() -> None:
    async with house(2, listens=None) as made:
        made.listening[0].set_result(False)
        made.processes[0].end(FAILED)
        assert await made.task == FAILED
        assert made.ready == 0
        assert made.processes[1].signals == [signal.SIGTERM]


async def test_who_fails_later_with_that_status_is_started_again() -> None:
    async with house(1) as made:
        made.processes[0].end(FAILED)
        await made.settle()
        made.wake()
        await made.settle()
        assert len(made.processes) == 2


async def test_who_was_told_to_end_before_it_listened_has_not_failed() -> None:
    async with house(1, obedient=False, listens=None) as made:
        made.supervisor.stop()
        made.processes[0].end(-signal.SIGTERM)
        assert await made.task == 0


async def test_other_signals_go_to_all() -> None:
    async with house(2) as made:
        made.supervisor.send(signal.SIGHUP)
        assert [process.signals for process in made.processes] == [[signal.SIGHUP]] * 2


async def test_workers_are_replaced_one_after_the_other_and_none_before_another_listens() -> None:
    async with house(2, obedient=False) as made:
        made.listens = None
        made.supervisor.replace()
        made.supervisor.replace()  # it is under way already
        await made.settle()
        first, second, third = made.processes
        assert made.indexes == [0, 1, 0]
        assert first.signals == []
        made.listening[2].set_result(True)
        await made.settle()
        assert first.signals == [signal.SIGTERM]
        assert len(made.processes) == 3, "the next waits until this one has gone"
        first.end(0)
        await made.settle()
        assert made.indexes == [0, 1, 0, 1]
        made.listening[3].set_result(True)
        await made.settle()
        second.end(0)
        await made.settle()
        assert (third.signals, made.pauses) == ([], [])
        made.supervisor.stop()
        made.processes[3].end(0)
        third.end(0)
        assert await made.task == 0


async def test_a_new_worker_that_does_not_listen_leaves_the_old_ones() -> None:
    async with house(2) as made:
        made.listens = False
        made.supervisor.replace()
        await made.settle()
        assert len(made.processes) == 3
        assert made.processes[2].signals == [signal.SIGKILL]
        assert made.processes[0].signals == []


# --- settings -----------------------------------------------------------------------------------------------


def test_the_machine_is_shared_out_unless_it_is_set() -> None:
    found = shares(Config(), 2)
    whole = shares(Config(), 1)
    assert int(found["HUBBUB_LOAD__MEMORY_BYTES"]) == int(whole["HUBBUB_LOAD__MEMORY_BYTES"]) // 2
    assert float(found["HUBBUB_LOAD__CPU_CORES"]) == pytest.approx(
        float(whole["HUBBUB_LOAD__CPU_CORES"]) / 2, abs=0.001
    )
    chosen: dict[str, Any] = {"load": {"memory_bytes": 1, "cpu_cores": 1}}
    assert shares(Config(**chosen), 2) == {}


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({}, "broker.type = memory"),
        ({"broker": {"type": "redis"}, "chat": {"enabled": True}}, "SQLite"),
        ({"broker": {"type": "redis"}, "dev": True}, "--dev"),
    ],
)
def test_settings_with_which_workers_would_be_several_servers(settings: Any, word: str) -> None:
    with pytest.raises(Problem) as problem:
        check(Config(**settings), 4)
    assert word in problem.value.what
    assert problem.value.advice


def test_settings_with_which_they_are_one() -> None:
    settings: dict[str, Any] = {"broker": {"type": "redis"}}
    check(Config(**settings, chat={"enabled": False}), 4)
    storage = {"url": SecretStr("postgresql://a/b")}
    check(Config(**settings, chat={"enabled": True}, storage=storage), 4)


def test_the_command_refuses_them_with_advice(hubbub: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_AUTH__HMAC_SECRET", SECRET)
    outcome = hubbub("serve", "--port", "0", "--workers", "2")
    assert outcome.status == FAILED
    assert "would not hear each other" in outcome.err
    assert "HUBBUB_BROKER__TYPE=redis" in outcome.err


# --- in a worker ----------------------------------------------------------------------------------------------


def test_what_a_worker_is_told() -> None:
    assert parse("8000:7") == (8000, 7)


async def test_a_worker_tells_that_it_listens_and_ends_in_silence() -> None:
    read, write = os.pipe()
    tell(write)
    assert os.read(read, 10) == b"1"
    os.close(read)
    read, write = os.pipe()
    os.close(read)
    tell(write)  # nobody reads any more


async def test_the_arguments_and_settings_of_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text(
        '#!/bin/sh\necho "$@" "$HUBBUB_CLUSTER__LISTEN" "$HUBBUB_CLUSTER__NAME" > "$SEEN/$$"\nexec sleep 30\n'
    )
    program.chmod(0o755)
    (seen := tmp_path / "seen").mkdir()
    monkeypatch.setattr("sys.executable", str(program))
    monkeypatch.setenv("SEEN", str(seen))
    settings: dict[str, Any] = {"cluster": {"name": "box", "listen": "127.0.0.1:9000"}}
    config = Config(**settings)
    spawner = Spawner(["shop:app", "--set", "a.b=c"], 8000, config, 2)
    workers = [await spawner(index) for index in range(3)]  # the third is to replace one
    try:
        await until(lambda: len([each for each in seen.iterdir() if each.stat().st_size]) == 3)
        lines = sorted(path.read_text().split() for path in seen.iterdir())
        assert [line[:7] for line in lines] == [
            ["-m", "hubbub", "serve", "shop:app", "--set", "a.b=c", "--worker"]
        ] * 3
        assert all(line[7].startswith("8000:") for line in lines)
        assert sorted(line[8] for line in lines) == [f"127.0.0.1:{port}" for port in (9000, 9001, 9002)]
        assert sorted(line[9] for line in lines) == ["box-0", "box-1", "box-2"]
    finally:
        for worker in workers:
            worker.send(signal.SIGKILL)
            await worker.process.wait()
    assert [await worker.listening for worker in workers] == [False] * 3
