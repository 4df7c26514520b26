"""Files in an object store: a folder of this machine, S3 and what speaks like it, Google's, Azure's; by obstore.

obstore works in threads of its own, so nothing here blocks the loop. It is imported at the start, not before.
"""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from hubbub.attachments.base import unavailable
from hubbub.config import AttachmentsConfig
from hubbub.errors import ConfigError, ErrorCode, HubbubError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

P = ParamSpec("P")
T = TypeVar("T")

CHUNK = 262_144
"""Bytes that are read from the store at once."""
PATIENCE = timedelta(seconds=20)
"""For one request to a store by network, and for all tries of it together."""
RETRIES = 3
FILE, MEMORY = "file:", "memory:"


def _answering(
    function: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Says in our words what goes wrong in the store. Its own words name hosts and paths: they are the cause."""

    @functools.wraps(function)
    async def asked(*args: P.args, **kwargs: P.kwargs) -> T:
        from obstore.exceptions import BaseError

        try:
            return await function(*args, **kwargs)
        except FileNotFoundError:
            raise HubbubError(ErrorCode.NOT_FOUND, "there is no such file") from None
        except (BaseError, OSError) as error:
            raise unavailable(type(error).__name__) from error

    return asked


class ObjectBlobs:
    """See `Blobs`."""

    def __init__(self, config: AttachmentsConfig) -> None:
        self._config = config
        self._store: ObjectStore | None = None
        self._serving = False
        url = config.url.get_secret_value()
        self._folder = Path(url.removeprefix(FILE)) if url.startswith(FILE) else None

    async def start(self) -> None:
        if self._folder is None:
            self._store = _opened(self._config)
        else:  # which is made when there is something to put into it
            self._folder = await asyncio.to_thread(self._folder.absolute)  # whatever becomes of where we are
            await asyncio.to_thread(_check_writable, self._folder)
        self._serving = True

    async def stop(self) -> None:
        self._store = None
        self._serving = False

    async def _opened(self) -> ObjectStore:
        if not self._serving:
            raise unavailable("it is closed")
        if self._store is None:
            self._store = await asyncio.to_thread(_local, self._folder)
        return self._store

    @_answering
    async def put(self, key: str, content: bytes | Path) -> None:
        import obstore

        await obstore.put_async(await self._opened(), key, content, max_concurrency=2)

    @_answering
    async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        import obstore

        if start or end is not None:
            part: Any = {"offset": start} if end is None else (start, end)
            found = await obstore.get_async(await self._opened(), key, options={"range": part})
        else:
            found = await obstore.get_async(await self._opened(), key)
        return _pieces(found.stream(min_chunk_size=CHUNK))

    @_answering
    async def drop(self, folder: str) -> None:
        import obstore

        store = await self._opened()
        if self._folder is not None:
            # With what a killed process has half written, which no listing shows.
            await asyncio.to_thread(shutil.rmtree, self._folder / folder, ignore_errors=True)
            return
        async for page in obstore.list(store, f"{folder}/", chunk_size=200):
            for found in page:
                await _delete(store, found["path"])

    @_answering
    async def delete(self, key: str) -> None:
        await _delete(await self._opened(), key)


async def _delete(store: ObjectStore, key: str) -> None:
    import obstore

    try:
        await obstore.delete_async(store, key)
    except FileNotFoundError:
        return  # another node was faster


async def _pieces(stream: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    from obstore.exceptions import BaseError

    while True:
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                chunk = await anext(stream, None)
        except (BaseError, OSError, TimeoutError) as error:
            raise unavailable(type(error).__name__) from error
        if chunk is None:
            return
        view = memoryview(chunk)
        for begin in range(0, len(view), CHUNK):
            yield bytes(view[begin : begin + CHUNK])


def _local(folder: Path | None) -> ObjectStore:
    from obstore.store import LocalStore

    return LocalStore(folder, mkdir=True, automatic_cleanup=True)


def _check_writable(folder: Path) -> None:
    """Raises ConfigError where no folder can be made, or written to."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"attachments.url: files cannot be written in {there}")


def _opened(config: AttachmentsConfig) -> ObjectStore:
    """Raises ConfigError."""
    from obstore.exceptions import BaseError
    from obstore.store import MemoryStore, from_url

    url = config.url.get_secret_value()
    try:
        if url.startswith(MEMORY):
            return MemoryStore()
        options = {name: value.get_secret_value() for name, value in config.options.items()}
        client: Any = {"timeout": PATIENCE, "connect_timeout": timedelta(seconds=5)}
        if options.pop("allow_http", options.pop("aws_allow_http", "")).lower() == "true":
            client["allow_http"] = True
        retry: Any = {"max_retries": RETRIES, "retry_timeout": PATIENCE}
        given: dict[str, Any] = {"config": options, "client_options": client, "retry_config": retry}
        store: ObjectStore = from_url(url, **given)
        return store
    except (BaseError, OSError, ValueError, TypeError) as error:
        what = str(error).partition("\n")[0]
        raise ConfigError(f"attachments.url or attachments.options: {what}") from error
