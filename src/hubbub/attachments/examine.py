"""What a file is: found by looking into it, never by what somebody says of it."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from hubbub.attachments import names, sniff
from hubbub.attachments.duration import lasting
from hubbub.attachments.images import FORMATS, THUMBNAIL, UNREAD, Picture, Task
from hubbub.config import AttachmentsConfig
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.attachments")

COMMAND = (sys.executable, "-P", "-s", "-m", "hubbub.attachments.images")
REPLY_BYTES = 16_777_216
"""Of what the process that looks at an image may say."""
PASSED = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
"""What of the environment it gets, so that Python starts. No secrets of ours are there."""
UNREADABLE = "the image cannot be read"


class Thumbnail(Struct, frozen=True):
    """A smaller picture of an image, as bytes. Sides in pixels."""

    width: int
    height: int
    type: str
    bytes: bytes


class Examined(Struct, frozen=True):
    """What was found. `replaced` is a file that is to be kept instead, for it tells less (no place, no camera), and
    then to be deleted; `refused` is why the file is not to be kept at all. `duration` in seconds."""

    type: str
    name: str
    size: int
    width: int | None = None
    height: int | None = None
    thumbnails: tuple[Thumbnail, ...] = ()
    replaced: Path | None = None
    refused: str | None = None
    duration: float | None = None


Look = Callable[[Task, float], Awaitable[Picture]]


class Examiner:
    """Looks into files, at `workers` images at once."""

    def __init__(self, workers: int = 1, look: Look | None = None) -> None:
        self._room = asyncio.Semaphore(workers)
        self._look = look or in_process

    async def __call__(self, path: Path, name: str, config: AttachmentsConfig) -> Examined:
        """Look into the file at `path`, which somebody calls `name`."""
        size, type, seconds = await asyncio.to_thread(_sniffed, path)
        found = Examined(type, names.safe(name, type, config.name_length), size, duration=seconds)
        if type not in FORMATS and type not in UNREAD:
            return found
        kept = path.with_name(f"{path.name}.kept")
        within = config.image_timeout
        task = Task(str(path), str(kept), type, config.image_pixels, config.thumbnails, math.ceil(within) + 1)
        picture = Picture()
        try:
            async with self._room:
                picture = await self._look(task, within)
        finally:
            if not picture.replaced:  # also what a process that was ended has begun
                await asyncio.to_thread(kept.unlink, missing_ok=True)
        thumbnails = tuple(
            Thumbnail(each.width, each.height, THUMBNAIL, each.content) for each in picture.thumbnails
        )
        return msgspec.structs.replace(
            found,
            width=picture.width,
            height=picture.height,
            thumbnails=thumbnails,
            replaced=kept if picture.replaced else None,
            refused=picture.refused,
        )


async def examine(path: Path, name: str, config: AttachmentsConfig) -> Examined:
    """Look into one file, whatever others are looked at. See `Examiner`."""
    return await Examiner()(path, name, config)


def _sniffed(path: Path) -> tuple[int, str, float | None]:
    """Size, type and duration."""
    size = path.stat().st_size
    with path.open("rb") as file:
        type = sniff.sniff(file.read(sniff.HEAD), size)
        return size, type, lasting(file, type, size)


async def in_process(task: Task, seconds: float, command: tuple[str, ...] = COMMAND) -> Picture:
    """Have a process of its own look at an image. One that dies, hangs or talks nonsense refuses this image, and no
    other."""
    process = await asyncio.to_thread(_start, command)
    try:
        async with asyncio.timeout(seconds):
            reply = await asyncio.to_thread(_ask, process, msgspec.msgpack.encode(task))
    except TimeoutError:
        log.warning("looking at an image took too long", type=task.type, seconds=seconds)
        return Picture(refused="it takes too long to look at the image (attachments.image_timeout)")
    finally:
        process.kill()  # which ends the thread that asks, too
        await asyncio.shield(asyncio.to_thread(_end, process))
    try:
        return msgspec.msgpack.decode(reply, type=Picture)
    except msgspec.DecodeError:
        log.warning("a process that looked at an image has died", type=task.type, status=process.returncode)
        return Picture(refused=UNREADABLE)


def _start(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in PASSED if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )


def _ask(process: subprocess.Popen[bytes], task: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(task)
        process.stdin.close()
    return process.stdout.read(REPLY_BYTES)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError, ValueError):
                pipe.close()
