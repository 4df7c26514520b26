"""One server of Redis as a node sees it: a line for commands, a line that listens, and the proof that both work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hubbub.clock import Clock
from hubbub.engines.redis_line import NAME, Line, Locate, Owner, retrieved
from hubbub.engines.redis_link import Link, Login
from hubbub.engines.redis_listener import Listener
from hubbub.engines.resp import RedisRefused, pack
from hubbub.errors import ConfigError, HubbubError
from hubbub.telemetry.metrics import Metrics

MISSING = 2
"""Probes that did not come back, at which what listens is made anew."""
WITNESS_TTL = 60
"""Seconds for which a server remembers us; if it does not, it has forgotten others' keys, too."""
LOST = frozenset({"READONLY", "LOADING", "MASTERDOWN", "NOAUTH"})
"""Error replies that say: this is not, or not yet, the server to speak to."""


class Commands(Line):
    """The line of commands; `run_id` is that of the process that it reached last. `greet` is said at its begin."""

    run_id = b""

    def __init__(
        self,
        clock: Clock,
        metrics: Metrics,
        login: Login,
        locate: Locate,
        owner: Owner,
        greet: Callable[[Link], Awaitable[None]],
    ) -> None:
        super().__init__(clock, metrics, login, locate, owner)
        self._greet = greet

    async def _begin(self, link: Link) -> None:
        await self._greet(link)

    def _up(self, again: bool) -> None:
        assert self.link is not None
        self.run_id = self.link.greeting.run_id
        if again:
            self._owner.renew()


class Peer:
    """A server, from `start` to `stop`. `probe` is a channel and a key of our own at that server."""

    def __init__(
        self,
        clock: Clock,
        metrics: Metrics,
        login: Login,
        locate: Locate,
        owner: Owner,
        heard: Callable[[str, bytes], object],
        probe: str,
    ) -> None:
        self.commands = Commands(clock, metrics, login, locate, owner, self._greet)
        self.listener = Listener(clock, metrics, login, locate, owner, heard, self._probed)
        self.listener.probe = probe
        self._metrics = metrics
        self._owner = owner
        self._missing = 0
        self._proven: Link | None = None
        self._witnessed: Link | None = None

    async def start(self) -> None:
        """Returns when the first attempts are over. Raises ConfigError."""
        first = self.commands.start()
        await asyncio.wait([first])
        first.result()
        if self.commands.link is not None:
            heard = self.listener.start()
            await asyncio.wait([heard])
            heard.result()
        else:
            self.listener.start().add_done_callback(retrieved)

    async def stop(self) -> None:
        await self.commands.stop()
        await self.listener.stop()

    @property
    def trouble(self) -> str:
        """What is wrong, in a few words; "" if all is well."""
        if self.commands.link is None:
            return self.commands.detail
        if not self.listener.ready:
            return f"nothing is heard: {self.listener.detail}"
        if self._proven is not self.listener.link or self._missing >= MISSING:
            return "nothing is heard: its own probe does not come back"
        return ""

    def tick(self) -> None:
        """Now and then: is what is said there heard here?"""
        listening = self.listener.link if self.listener.ready else None
        if listening is None:
            self._missing = 0
        elif self._missing >= MISSING:
            self._missing = 0
            self._proven = None
            self.listener.drop("deaf", "its own probe does not come back")
        else:
            self._missing += 1
            if self.commands.link is not None:
                self._say(self.commands.link)
        self._owner.judge()

    def rename(self, probe: str) -> None:
        """Probe elsewhere: that key went to another server."""
        self._witnessed = None
        self.listener.rename(probe)
        if self.commands.link is not None:
            self._say(self.commands.link)

    def refused(self, code: str) -> None:
        """A command was answered so: is it still the right server?"""
        self._metrics.engine_errors[NAME, code.lower()] += 1
        if code in LOST:
            self.commands.drop(code.lower(), f"it is not ready ({code})")
        elif code in ("MOVED", "CLUSTERDOWN"):
            self._owner.stale()

    async def _greet(self, link: Link) -> None:
        """Leave the witness. Raises ConfigError if that is not allowed, Broken."""
        self._witnessed = None
        listening = self.listener.link
        if listening is not None and listening.greeting.run_id != link.greeting.run_id:
            self.listener.drop("moved", "commands go to another server")
        waiting = self._say(link)
        replies = await asyncio.gather(*waiting, return_exceptions=True)
        for reply in replies:
            if isinstance(reply, RedisRefused) and reply.code == "NOPERM":
                raise ConfigError(
                    "redis.url: the user may not write and publish what begins with redis.prefix"
                )
            if isinstance(reply, HubbubError):
                raise link.ended.result()

    def _say(self, link: Link) -> list[asyncio.Future[Any]]:
        probe = self.listener.probe
        try:
            said = link.send(pack(("SPUBLISH" if self.listener.sharded else "PUBLISH", probe, b"")))
            witness = link.send(pack(("SET", probe, b"", "EX", WITNESS_TTL, "GET")))
        except HubbubError:
            return []
        said.add_done_callback(self._said)
        witness.add_done_callback(lambda future: self._witness(link, future))
        return [said, witness]

    def _said(self, future: asyncio.Future[Any]) -> None:
        if isinstance(error := future.exception(), RedisRefused):
            self.refused(error.code)

    def _witness(self, link: Link, future: asyncio.Future[Any]) -> None:
        error = future.exception()
        if isinstance(error, RedisRefused):
            self.refused(error.code)
        elif error is None:
            known, self._witnessed = self._witnessed is link, link
            if known and future.result() is None:
                self._metrics.engine_errors[NAME, "forgotten"] += 1
                self._owner.renew()

    def _probed(self) -> None:
        self._missing = 0
        if self._proven is not self.listener.link:
            self._proven = self.listener.link
            self._owner.judge()
