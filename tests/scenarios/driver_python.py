"""The Python SDK as a driver: JSON lines in and out. README.md has what is said; all thinking is left to the SDK.

python -m tests.scenarios.driver_python --clock -3600
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.scenarios.driver_python_chat import Conversations

    from hubbub.client import Client
    from hubbub.client.channel import Subscription

_right_time = time.time
_off = 0.0


def set_clock(off: float) -> None:
    """Have this process believe that it is so many seconds later than it is."""
    global _off
    _off = off


# Before anything is imported that keeps the function.
time.time = lambda: _right_time() + _off
time.time_ns = lambda: int((_right_time() + _off) * 1e9)


class Device:
    """One client."""

    def __init__(self, name: str, tell: Callable[..., None], folder: Path) -> None:
        self.name = name
        self.client: Client
        self.chat: Conversations | None = None
        self._tell = tell
        self._folder = folder
        self._asked: dict[int, asyncio.Future[str]] = {}
        self._asks = 0
        self._readers: dict[str, tuple[Subscription[Any], asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def say(self, event: str, **fields: Any) -> None:
        self._tell(event, client=self.name, **fields)

    def follow(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def open(self, url: str, transports: list[Any], chat: bool, storage: str) -> None:
        from hubbub.client import Client

        self.client = Client(
            url,
            self._token,
            transports=transports,
            patient=True,
            outbox=str(self._folder / f"{storage}.outbox"),
        )
        self.follow(self._states())
        if chat:
            from tests.scenarios.driver_python_chat import Conversations

            self.chat = Conversations(self)
        self.follow(self._run())

    async def _run(self) -> None:
        """Connect, however long that takes. What ends it for good is told as a state."""
        try:
            await self.client.__aenter__()
            if self.chat is not None:
                await self.chat.start()
        except Exception as error:
            print(f"{self.name}: {error!r}", file=sys.stderr)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.client.__aexit__(None, None, None)

    async def _states(self) -> None:
        async for state in self.client.states():
            told: dict[str, Any] = {"status": state.status}
            if state.status == "connected":
                told |= {"transport": state.transport, "resumed": state.resumed}
            if state.error is not None:
                told["error"] = refusal(state.error)
            self.say("state", **told)

    async def _token(self) -> str:
        self._asks += 1
        self._asked[self._asks] = answer = asyncio.get_running_loop().create_future()
        self.say("token", ask=self._asks)
        token: str = await answer
        return token

    def token(self, ask: int, token: str) -> None:
        answer = self._asked.pop(ask)
        if not answer.done():
            answer.set_result(token)

    # --- channels -----------------------------------------------------------------------------------------

    async def subscribe(self, channel: str) -> dict[str, Any]:
        def gap(it: Any) -> None:
            self.say("gap", channel=channel, since=position(it.since), position=position(it.position))

        reader: Subscription[Any] = self.client.channel(channel, on_gap=gap).subscribe()
        await reader.__aenter__()
        entered = position(reader.position)
        self._readers[channel] = reader, self.follow(self._read(channel, reader))
        assert entered is not None
        return entered

    async def _read(self, channel: str, reader: Subscription[Any]) -> None:
        from hubbub.client import ClientError
        from hubbub.errors import HubbubError

        try:
            async for it in reader:
                at = it.position
                assert at is not None
                self.say(
                    "publication", channel=channel, text=it.data["text"], epoch=at.epoch, offset=at.offset
                )
        except HubbubError as error:
            self.say("unsubscribed", channel=channel, code=int(error.code))
        except ClientError:
            pass  # the state says so

    async def unsubscribe(self, channel: str) -> None:
        reader, task = self._readers.pop(channel)
        reader.close()
        await task

    async def show(self, channel: str) -> None:
        entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.follow(self._show(channel, entered))
        await entered

    async def _show(self, channel: str, entered: asyncio.Future[None]) -> None:
        try:
            async with self.client.channel(channel).members() as members:
                entered.set_result(None)
                async for users in members.changes():
                    self.say("present", channel=channel, users=sorted(users))
        except Exception as error:
            if entered.done():
                raise
            entered.set_exception(error)

    async def publish(self, channel: str, text: str) -> dict[str, Any] | None:
        return position(await self.client.channel(channel).publish({"text": text}))


def position(it: Any) -> dict[str, Any] | None:
    return None if it is None else {"epoch": it.epoch, "offset": it.offset}


def refusal(error: BaseException) -> dict[str, Any]:
    """An error as the runner wants it: with the server's number and name, where it has one."""
    from hubbub.client import Disconnected
    from hubbub.errors import HubbubError

    if isinstance(error, HubbubError):
        info = error.info
        return {
            "code": int(error.code),
            "name": info.name,
            "message": str(error),
            "temporary": info.temporary,
        }
    if isinstance(error, Disconnected):
        return {"code": error.reason.code, "name": error.reason.name, "message": str(error)}
    return {"name": type(error).__name__, "message": str(error)}


class Driver:
    """All clients of this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._devices: dict[str, Device] = {}
        self._working: set[asyncio.Task[None]] = set()

    def tell(self, event: str, **fields: Any) -> None:
        write({"event": event, **fields})

    async def run(self) -> None:
        """Do what the lines of the standard input say, until its end."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=1 << 26)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            asked = json.loads(line)
            task = asyncio.create_task(self._answer(asked.pop("id"), asked.pop("do"), asked))
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    async def _answer(self, id: int, do: str, asked: dict[str, Any]) -> None:
        try:
            told = await self._do(do, asked)
        except Exception as error:
            write({"id": id, "error": refusal(error)})
            return
        write({"id": id, "ok": told})

    async def _do(self, do: str, asked: dict[str, Any]) -> Any:
        if do == "set_clock":
            set_clock(asked["off"])
            return None
        name = asked.pop("client")
        if do == "open":
            device = self._devices[name] = Device(name, self.tell, self._folder)
            return await device.open(**asked)
        device = self._devices[name]
        if do == "close":
            return await self._devices.pop(name).close()
        if do == "token":
            return device.token(**asked)
        if do == "time":
            return {"time": None}
        part = device if do in ("subscribe", "unsubscribe", "publish", "show") else device.chat
        return await getattr(part, do)(**asked)


def write(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    set_clock(float(sys.argv[sys.argv.index("--clock") + 1]) if "--clock" in sys.argv else 0.0)
    with tempfile.TemporaryDirectory(prefix="hubbub-driver-") as folder:
        asyncio.run(Driver(Path(folder)).run())


if __name__ == "__main__":
    main()
