"""Fetching what somebody has named, guarded: the one place where the server asks where a stranger says.

A name is resolved once for each request; if any of its addresses is not public it is refused, and otherwise the
connection goes to one of those addresses and nowhere else: an answer of DNS that is another one by then finds nobody.
Each redirect is judged like the first URL. Nothing is read from the environment (proxies, .netrc), nothing is sent but
what is asked for, and all of it has limits: seconds in all, bytes of heads and bodies, before and after inflating.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hubbub.config import PreviewsConfig
from hubbub.egress import urls
from hubbub.egress.addresses import Address, networks, parse, public
from hubbub.egress.response import Response
from hubbub.egress.urls import Target, refused
from hubbub.errors import ErrorCode, HubbubError

REDIRECTS = frozenset((301, 302, 303, 307, 308))
CHUNK = 65_536
TRIED = 3
"""Addresses of one name that are tried."""
PER_HOST = 2
"""Requests to one host at once: whoever writes links does not aim us at it."""
WAITING = 1_000
"""Fetches that may be under way or wait for their turn."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name. Raises OSError."""
Dial = Callable[
    [str, int, ssl.SSLContext | None, str], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
]
"""A connection to an address and a port, with TLS for a name. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was found. `url` is where, after redirects; `type` is the media type in lower case, without parameters;
    `cut`: there was more than the limit."""

    url: str
    type: str
    charset: str | None
    body: bytes
    cut: bool


async def dial(
    address: str, port: int, tls: ssl.SSLContext | None, name: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(
        address, port, ssl=tls, server_hostname=name if tls is not None else None, limit=CHUNK
    )


class _Turns:
    """Who asks one host."""

    __slots__ = ("room", "users")

    def __init__(self) -> None:
        self.room = asyncio.Semaphore(PER_HOST)
        self.users = 0


class Egress:
    """Fetches. `resolve`, `dial` and `tls` are for tests."""

    def __init__(
        self,
        config: PreviewsConfig,
        *,
        resolve: Resolve | None = None,
        dial: Dial = dial,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._config = config
        self._allowed = networks(config.allowed_networks)
        self._resolve = resolve or self._look_up
        self._dial = dial
        self._tls = tls
        # Of its own: who has a slow name server holds no thread that others need.
        self._threads = ThreadPoolExecutor(config.concurrency, "hubbub-egress")
        self._room = asyncio.Semaphore(config.concurrency)
        self._begun = 0
        self._hosts: dict[str, _Turns] = {}

    def stop(self) -> None:
        """Begin no look-up any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def fetch(self, url: str, types: Sequence[str], most: int, *, whole: bool = False) -> Fetched:
        """What is at `url`, of one of `types`: at most `most` bytes of it; `whole`: all of it or nothing.

        Raises EGRESS_REFUSED for what is not to be asked for, and for answers that are of no use; TIMEOUT; and
        OVERLOADED when too many wait.
        """
        target = urls.read(url)
        self._admit(target)  # before anything is waited for
        async with self._turn(target.host), self._room:
            try:
                async with asyncio.timeout(self._config.timeout):
                    return await self._fetch(target, types, most, whole)
            except TimeoutError:
                raise HubbubError(ErrorCode.TIMEOUT, "the page does not come, or too slowly") from None

    @contextlib.asynccontextmanager
    async def _turn(self, host: str) -> AsyncIterator[None]:
        """One's turn with a host. Raises OVERLOADED."""
        if self._begun >= WAITING:
            raise HubbubError(ErrorCode.OVERLOADED, "too much is being fetched")
        turns = self._hosts.get(host)
        if turns is None:
            turns = self._hosts[host] = _Turns()
        self._begun += 1
        turns.users += 1
        try:
            async with turns.room:
                yield
        finally:
            self._begun -= 1
            turns.users -= 1
            if not turns.users:
                del self._hosts[host]

    async def _fetch(self, target: Target, types: Sequence[str], most: int, whole: bool) -> Fetched:
        for _ in range(self._config.redirects + 1):
            response = await self._request(target, types, most)
            if response.status in REDIRECTS and (location := response.header("location")) is not None:
                target = urls.follow(target, location)
                self._admit(target)
                continue
            if response.status != 200:
                raise refused(f"the answer was {response.status}")
            if whole and response.cut:
                raise refused("it is too large")
            type, charset = response.type
            return Fetched(str(target), type, charset, bytes(response.body), response.cut)
        raise refused(f"redirected more than {self._config.redirects} times")

    def _admit(self, target: Target) -> None:
        """Raises EGRESS_REFUSED for what can be refused without asking anybody."""
        if target.port not in self._config.ports:
            raise refused("the URL has an unusual port")
        if urls.among(target.host, self._config.denied_hosts):
            raise refused("the settings deny this host")
        if target.address is not None and not public(target.address, self._allowed):
            raise refused("the URL leads to no public address")

    async def _addresses(self, target: Target) -> list[Address]:
        """Where to connect to. Raises EGRESS_REFUSED if any address of the host is not public: then none is trusted."""
        if target.address is not None:
            return [target.address]
        try:
            found = [parse(each) for each in await self._resolve(target.host, target.port)]
        except (OSError, ValueError, UnicodeError):
            raise refused("the host is not found") from None
        if not found:
            raise refused("the host is not found")
        if not all(public(each, self._allowed) for each in found):
            raise refused("the URL leads to no public address")
        return found[:TRIED]

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return list(dict.fromkeys(str(place[0]) for *_, place in found))

    async def _request(self, target: Target, types: Sequence[str], most: int) -> Response:
        try:
            reader, writer = await self._connect(target)
            try:
                writer.write(self._head(target, types))
                response = Response(types, most)
                while not response.done:
                    if data := await reader.read(CHUNK):
                        response.feed(data)
                    else:
                        response.end()
                return response
            finally:
                writer.transport.abort()  # there is nobody to be polite to
        except (OSError, EOFError):  # TLS's errors are OSErrors
            raise refused("the host does not answer as it should") from None

    async def _connect(self, target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        tls = await self._context() if target.scheme == "https" else None
        addresses = await self._addresses(target)
        share = self._config.timeout / (len(addresses) + 1)
        for place, address in enumerate(addresses, 1):
            try:
                async with asyncio.timeout(share if place < len(addresses) else None):
                    return await self._dial(str(address), target.port, tls, target.host)
            except (OSError, TimeoutError):
                if place == len(addresses):
                    raise
        raise AssertionError

    async def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        return self._tls

    def _head(self, target: Target, types: Sequence[str]) -> bytes:
        agent = "".join(each for each in self._config.user_agent if each.isascii() and each.isprintable())
        lines = (
            f"GET {target.path} HTTP/1.1",
            f"Host: {target.authority}",
            f"User-Agent: {agent}",
            f"Accept: {', '.join(types)}",
            "Accept-Encoding: gzip",
            "Connection: close",
        )
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
