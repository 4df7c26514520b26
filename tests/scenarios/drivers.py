"""The runner's end of a driver: a process that wraps an SDK thinly and speaks JSON lines (README.md)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec
from tests.scenarios.told import Event, Refusal

ROOT = Path(__file__).parents[2]
TYPESCRIPT = ROOT / "clients" / "typescript"
SDK = Literal["python", "typescript"]
SDKS: tuple[SDK, ...] = ("python", "typescript")
LINE = 1 << 26
PATIENCE = 60.0
_event = msgspec.json.Decoder(Event).decode


class DriverError(Exception):
    """An SDK has refused what was asked of it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.name or refusal.code}: {refusal.message}")
        self.refusal = refusal


class DriverGoneError(Exception):
    """A driver has ended, or said what no driver says; the message has what it complained of."""


def build(folder: Path) -> None:
    """Build the TypeScript SDK into `folder`, as it is published but for its types. Raises AssertionError."""
    builder = TYPESCRIPT / "node_modules" / ".bin" / "tsdown"
    assert builder.exists(), "run `scripts/setup dev` first"
    options = ("--format", "esm", "--no-dts", "--no-sourcemap", "--out-dir", str(folder))
    done = subprocess.run(
        [str(builder), *options],
        cwd=TYPESCRIPT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "node_modules").symlink_to(TYPESCRIPT / "node_modules")


@contextlib.asynccontextmanager
async def built(sdks: Iterable[SDK]) -> AsyncIterator[Path | None]:
    """Where the TypeScript SDK is built, if it is one of `sdks`; gone in the end."""
    if "typescript" not in sdks:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="hubbub-typescript-") as folder:
        await asyncio.to_thread(build, Path(folder))
        yield Path(folder)


def command(sdk: SDK, clock: float | None = None) -> list[str]:
    """What starts a driver whose clock is wrong by `clock` seconds."""
    if sdk == "python":
        start = [sys.executable, "-m", "tests.scenarios.driver_python"]
    else:
        node = shutil.which("node")
        assert node is not None, "install Node 20 or later"
        start = [node, str(TYPESCRIPT / "test" / "driver.mjs")]
    return [*start, "--clock", str(clock or 0.0)]


class Driver:
    """A running driver. `listeners` get a client's events, by its name; asking is `await driver.ask("open",
    client=...)`. `dist` is where the TypeScript SDK is built."""

    def __init__(self, sdk: SDK, dist: Path | None = None, clock: float | None = None) -> None:
        self.sdk = sdk
        self.clock = clock
        self._dist = dist
        self.listeners: dict[str, Callable[[Event], object]] = {}
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._complaints = ""
        self._folder = Path(tempfile.mkdtemp(prefix="hubbub-driver-"))

    async def __aenter__(self) -> Driver:
        complaints = (self._folder / "complaints").open("wb")
        with complaints:
            self._process = await asyncio.create_subprocess_exec(
                *command(self.sdk, self.clock),
                cwd=ROOT,
                env={**os.environ, "HUBBUB_DIST": str(self._dist or "")},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=complaints,
                limit=LINE,
            )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._reading is not None
        assert self._process.stdin is not None
        self._process.stdin.close()  # it ends with its input
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError, DriverGoneError):
            await self._reading
        self._complaints = self.complaints()
        shutil.rmtree(self._folder)

    def tell(self, do: str, **fields: Any) -> asyncio.Future[dict[str, Any]]:
        """Ask for something; the future is its answer."""
        assert self._process is not None
        assert self._process.stdin is not None
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        if self._reading is None or self._reading.done():
            raise DriverGoneError(self.complaints())
        self._waiting[number] = answer
        line = json.dumps({"id": number, "do": do, **fields})
        self._process.stdin.write(line.encode() + b"\n")
        return answer

    async def ask(self, do: str, *, within: float = PATIENCE, **fields: Any) -> dict[str, Any]:
        """What the SDK answers. Raises DriverError for a refusal, TimeoutError, DriverGoneError."""
        return await asyncio.wait_for(self.tell(do, **fields), within)

    def complaints(self) -> str:
        """What it wrote to its standard error, the end of it."""
        if self._complaints:
            return self._complaints
        said = (self._folder / "complaints").read_text(encoding="utf-8", errors="replace")
        return f"the driver of {self.sdk} has ended:\n{said[-4_000:]}"

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            while line := await self._process.stdout.readline():
                self._hear(line)
        except Exception as error:
            self._end(DriverGoneError(f"{error!r} in {line[:500]!r}\n{self.complaints()}"))
            raise
        self._end(DriverGoneError(self.complaints()))

    def _hear(self, line: bytes) -> None:
        if b'"event"' in line[:12]:
            event = _event(line)
            listener = self.listeners.get(event.client)
            if listener is not None:
                listener(event)
            return
        said = msgspec.json.decode(line)
        answer = self._waiting.pop(said["id"], None)
        if answer is None or answer.done():
            return
        if "error" in said:
            answer.set_exception(DriverError(msgspec.convert(said["error"], Refusal)))
            answer.exception()  # who asked may not wait for it
        else:
            answer.set_result(said["ok"] or {})

    def _end(self, error: DriverGoneError) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(error)
                answer.exception()
        self._waiting.clear()
