"""Scenarios of stock clients, played by a program of its own, which may ask for faults by lines of JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from tests.socketio_clients.servers import HERE, REFERENCE, node, serving

from hubbub.testing.proxy import FaultProxy

LINE = 1 << 24
Faults = Mapping[str, Callable[[Any], object]]
Results = dict[str, Any]


@contextlib.asynccontextmanager
async def stage(**options: Any) -> AsyncIterator[Stage]:
    """A server of `options`, and a proxy before it that makes the faults scenarios ask for."""
    async with serving(**options) as port, FaultProxy("127.0.0.1", port) as proxy:
        told = {"direct": f"http://127.0.0.1:{port}", "reference": REFERENCE, **options}
        yield Stage(f"http://127.0.0.1:{proxy.port}", told, faults(proxy))


def faults(proxy: FaultProxy) -> Faults:
    def black_hole(on: bool) -> None:
        proxy.to_server.black_hole = proxy.to_client.black_hole = on

    def refuse(on: bool) -> None:
        proxy.refusing = on

    def cut(size: int) -> None:
        proxy.to_server.slice = proxy.to_client.slice = size

    return {"reset": lambda _: proxy.reset(), "black hole": black_hole, "refuse": refuse, "slice": cut}


class Stage:
    """Where scenarios play: `url` is what clients connect to, `options` what all of them are told."""

    def __init__(self, url: str, options: dict[str, Any], faults: Faults) -> None:
        self.url = url
        self.options = options
        self.faults = faults

    async def play(self, files: str, transport: str, **options: Any) -> Results:
        """Play the scenarios of files (`one,two`), or single ones (`file:name`), with the JavaScript client; what each
        returned.

        Raises AssertionError if one fails.
        """
        __tracebackhide__ = True
        told = json.dumps({**self.options, "transport": transport, **options})
        return await self.run(node(), str(HERE / "run.js"), self.url, files, told)

    async def run(self, *command: str) -> Results:
        """Run a program that plays scenarios. Raises AssertionError if one fails, or if there is none."""
        __tracebackhide__ = True
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE,
        )
        assert process.stderr is not None
        complaints = asyncio.create_task(process.stderr.read())
        results: Results = {}
        failures: list[str] = []
        try:
            async for line in _lines(process):
                if "ask" in line:
                    await self._answer(process, line)
                elif "error" in line:
                    failures.append(f"{line['scenario']} ({line['milliseconds']} ms): {line['error']}")
                else:
                    results[line["scenario"]] = line["result"]
            assert await process.wait() == 0, (await complaints).decode()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            await complaints
        assert not failures, "\n\n".join(failures)
        assert results, f"no scenario was played: {command}"
        return results

    async def _answer(self, process: asyncio.subprocess.Process, line: dict[str, Any]) -> None:
        answer = self.faults[line["ask"]](line["value"])
        if isinstance(answer, Awaitable):
            answer = await answer
        assert process.stdin is not None
        process.stdin.write(json.dumps(answer).encode() + b"\n")


async def _lines(process: asyncio.subprocess.Process) -> AsyncIterator[dict[str, Any]]:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        yield json.loads(line)
