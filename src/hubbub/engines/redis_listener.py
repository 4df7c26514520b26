"""What is heard through Redis' pub/sub: one line a server, with nothing else on it, that takes all its names again
whenever it had to be made anew."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection
from typing import Any

from hubbub.clock import Clock
from hubbub.engines.redis_line import NAME, Line, Locate, Owner, log, retrieved
from hubbub.engines.redis_link import Broken, Link, Login
from hubbub.engines.resp import Push, RedisRefused, pack
from hubbub.errors import ConfigError, HubbubError
from hubbub.telemetry.metrics import Metrics

AT_ONCE = 1_000
"""Names that are asked for before the loop may do something else."""
MOVED = frozenset({"MOVED", "ASK", "CLUSTERDOWN", "TRYAGAIN", "CROSSSLOT"})


class Listener(Line):
    """`names` are those that are to be heard here, whether the server can be reached or not.

    `taken` are those of them that the server has let go of by itself.

    `heard` gets each message; `probed` is called for those on `probe`, a name of our own. `sharded` tells whether the
    names are those of shard channels (SSUBSCRIBE).
    """

    def __init__(
        self,
        clock: Clock,
        metrics: Metrics,
        login: Login,
        locate: Locate,
        owner: Owner,
        heard: Callable[[str, bytes], object],
        probed: Callable[[], object],
    ) -> None:
        super().__init__(clock, metrics, login, locate, owner)
        self.names: set[str] = set()
        self.taken: set[str] = set()
        self.probe = ""
        self.sharded = False
        self.ready = False
        self._heard = heard
        self._probed = probed

    async def listen(self, name: str) -> None:
        """Hear that name, from when this returns. Raises HubbubError BROKER_UNAVAILABLE, and goes on trying;
        RedisRefused, and does not."""
        self.names.add(name)
        try:
            await self._say(self.require(), "SUBSCRIBE", name)
        except RedisRefused:
            self.names.discard(name)
            raise

    async def unlisten(self, name: str) -> None:
        """Hear it no more. Raises nothing."""
        self.names.discard(name)
        if self.link is not None:
            try:
                await self._say(self.link, "UNSUBSCRIBE", name)
            except (HubbubError, RedisRefused):
                return

    async def adopt(self, names: Collection[str]) -> None:
        """Hear these of its names, which it does not yet. If that fails, the line begins anew, and takes them."""
        link = self.link
        if link is None:
            return
        try:
            await self._subscribe(link, names)
        except Broken as broken:
            link.drop(broken.reason, str(broken))

    def forsake(self, names: Collection[str]) -> None:
        """Hear these no more, for another server has them: nobody waits for that."""
        self.names.difference_update(names)
        for name in names:
            self._mention("UNSUBSCRIBE", name)

    def rename(self, probe: str) -> None:
        """Probe by another name from now on."""
        old, self.probe = self.probe, probe
        self._mention("SUBSCRIBE", probe)
        if old:
            self._mention("UNSUBSCRIBE", old)

    def _mention(self, word: str, name: str) -> None:
        if self.link is not None:
            with contextlib.suppress(HubbubError):
                self._say(self.link, word, name).add_done_callback(retrieved)

    async def _begin(self, link: Link) -> None:
        self.taken.clear()
        await self._subscribe(link, [self.probe, *self.names])

    def _up(self, again: bool) -> None:
        self.ready = True
        link = self.link
        assert link is not None
        link.ended.add_done_callback(self._down)
        if again:
            self._owner.miss()

    def _down(self, ended: asyncio.Future[Broken]) -> None:
        self.ready = False
        self.detail = str(ended.result())
        self._owner.judge()

    async def _subscribe(self, link: Link, names: Collection[str]) -> None:
        """All of them, in few writes. Raises Broken when one may come through elsewhere, or later."""
        wanted = list(names)
        for begin in range(0, len(wanted), AT_ONCE):
            part = [
                name for name in wanted[begin : begin + AT_ONCE] if name in self.names or name == self.probe
            ]
            try:
                said = [self._say(link, "SUBSCRIBE", name) for name in part]
            except HubbubError as error:
                raise Broken("lost", error.message) from None
            for name, reply in zip(part, await asyncio.gather(*said, return_exceptions=True), strict=True):
                if isinstance(reply, RedisRefused):
                    self._refused(name, reply)
                elif isinstance(reply, BaseException):
                    raise Broken("lost", "the connection was lost")

    def _refused(self, name: str, refused: RedisRefused) -> None:
        self._metrics.engine_errors[NAME, refused.code.lower()] += 1
        if refused.code in MOVED:
            self._owner.stale()
            raise Broken("moved", "its channels are elsewhere")
        if name == self.probe:
            raise ConfigError("redis.url: the user may not listen to channels that begin with redis.prefix")
        log.error("a channel cannot be listened to", engine=NAME, code=refused.code)

    def _say(self, link: Link, word: str, name: str) -> asyncio.Future[Any]:
        word = "S" + word if self.sharded else word
        return link.send(pack((word, name)), (word.lower().encode(), name.encode()))

    def _pushed(self, push: Push) -> None:
        kind = push[0]
        if kind == b"message" or kind == b"smessage":
            name = push[1].decode()
            if name == self.probe:
                self._probed()
                return
            try:
                self._heard(name, push[2])
            except Exception:
                log.exception("what was heard could not be handled", engine=NAME)
                self._metrics.engine_errors[NAME, "heard"] += 1
            return
        ours = self.link is not None and self.link.confirm((kind, push[1]))
        if not ours and kind == b"sunsubscribe" and (name := push[1].decode()) in self.names:
            # Its slot went to another server, which this one says by ending the subscription.
            self.taken.add(name)
            self._owner.stale()
