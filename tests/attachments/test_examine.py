from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.attachments.pictures import PLACE, image, png, saved, telling
from tests.attachments.test_duration import wav
from tests.waiting import until

from hubbub.attachments.examine import UNREADABLE, Examined, Examiner, Thumbnail, examine, in_process
from hubbub.attachments.images import Picture, Task
from hubbub.config import AttachmentsConfig

pytestmark = pytest.mark.anyio
CONFIG = AttachmentsConfig(thumbnails=(16,))
MODULE = "import os, sys, time, msgspec; from hubbub.attachments import images; "


def script(code: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-s", "-c", MODULE + code)


def worker(look: str) -> tuple[str, ...]:
    """The true process, that looks in another way."""
    return script(f"images.look = lambda task: {look}; images.main()")


def task(path: Path, seconds: int = 60) -> Task:
    return Task(str(path), str(path.with_name("kept")), "image/png", 100, (), seconds)


async def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "file"
    await asyncio.to_thread(path.write_bytes, data)
    return path


async def test_an_image_is_looked_at_in_a_process_of_its_own(tmp_path: Path) -> None:
    path = await written(tmp_path, telling("JPEG", 6))
    found = await examine(path, "../cat.html", CONFIG)
    assert (found.type, found.name, found.width, found.height) == ("image/jpeg", "cat.html.jpg", 30, 40)
    assert [(type(each), each.width, each.height, each.type) for each in found.thumbnails] == [
        (Thumbnail, 12, 16, "image/webp")
    ]
    assert found.replaced is not None
    assert PLACE not in await asyncio.to_thread(found.replaced.read_bytes)


def test_the_server_itself_loads_no_decoder() -> None:
    code = "import sys, hubbub.app, hubbub.attachments.examine; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_other_files_need_no_process(tmp_path: Path) -> None:
    async def never(task: Task, seconds: float) -> Picture:
        raise AssertionError

    path = await written(tmp_path, b"words")
    assert await Examiner(look=never)(path, "a\0.txt", CONFIG) == Examined("text/plain", "a.txt", 5)
    path = await written(tmp_path, wav(1.5))
    sound = await Examiner(look=never)(path, "a", CONFIG)
    assert (sound.type, sound.name, sound.duration) == ("audio/wav", "a.wav", 1.5)
    path = await written(tmp_path, b"<svg>")
    assert (await Examiner(look=never)(path, "a.png", CONFIG)).type == "image/svg+xml"


@pytest.mark.parametrize(
    "code",
    [
        "os.kill(os.getpid(), 9)",
        "os.abort()",
        "sys.exit(1)",
        "print('nonsense')",
        "sys.stdout.buffer.write(msgspec.msgpack.encode({'width': 'wide'}))",
        "sys.stdin.close(); sys.stdout.close()",
    ],
)
async def test_a_process_that_dies_or_talks_nonsense_refuses_its_image(tmp_path: Path, code: str) -> None:
    found = await in_process(task(await written(tmp_path, png())), 60.0, script(code))
    assert found == Picture(refused=UNREADABLE)


async def test_a_process_that_talks_without_end_is_ended(tmp_path: Path) -> None:
    endless = script("[sys.stdout.buffer.write(bytes(65536)) for _ in iter(int, 1)]")
    found = await in_process(task(await written(tmp_path, png())), 60.0, endless)
    assert found == Picture(refused=UNREADABLE)


@pytest.mark.parametrize(
    "look",
    [
        "bytearray(10**10)",
        "open(task.kept, 'wb').write(bytes(10**8))",
        "sum(iter(lambda: 1, 2))",
    ],
    ids=["memory", "disk", "time"],
)
async def test_a_process_has_no_more_than_an_image_needs(tmp_path: Path, look: str) -> None:
    found = await in_process(task(await written(tmp_path, png()), seconds=1), 100.0, worker(look))
    assert found == Picture(refused=UNREADABLE)


async def test_a_process_has_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_AUTH__HMAC_SECRET", "the secret")
    given = worker("images.Picture(refused=repr(dict(os.environ)))")
    found = await in_process(task(await written(tmp_path, png())), 60.0, given)
    assert found.refused is not None
    assert "PYTHONPATH" in found.refused
    assert "the secret" not in found.refused


async def test_a_process_that_hangs_is_ended_and_holds_up_no_other(tmp_path: Path) -> None:
    waits = iter((0.5, 0.0))

    async def once(task: Task, seconds: float) -> Picture:
        if patience := next(waits):
            return await in_process(task, patience, worker("time.sleep(1000)"))
        return await in_process(task, seconds)

    examiner = Examiner(1, once)
    path = await written(tmp_path, saved(image(), "PNG"))
    both = await asyncio.gather(examiner(path, "a.png", CONFIG), examiner(path, "a.png", CONFIG))
    looked, ended = sorted(both, key=lambda each: each.refused or "")
    assert ended.refused is not None
    assert "attachments.image_timeout" in ended.refused
    assert (looked.refused, looked.width) == (None, 40)


async def test_who_is_not_waited_for_any_more_is_ended(tmp_path: Path) -> None:
    path = await written(tmp_path, png())
    pid = tmp_path / "pid"
    hanging = worker(f"(open({str(pid)!r}, 'w').write(str(os.getpid())), time.sleep(1000))")
    looking = asyncio.create_task(in_process(task(path), 100.0, hanging))
    await until(lambda: pid.exists() and pid.read_text())
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    with pytest.raises(ProcessLookupError):
        os.kill(int(await asyncio.to_thread(pid.read_text)), 0)


async def test_what_a_process_has_begun_to_write_is_deleted(tmp_path: Path) -> None:
    path = await written(tmp_path, png())

    async def dies(task: Task, seconds: float) -> Picture:
        await asyncio.to_thread(Path(task.kept).write_bytes, b"half")
        return Picture(refused=UNREADABLE)

    found = await Examiner(look=dies)(path, "a.png", CONFIG)
    assert (found.refused, found.replaced) == (UNREADABLE, None)
    assert await asyncio.to_thread(lambda: [each.name for each in tmp_path.iterdir()]) == ["file"]
