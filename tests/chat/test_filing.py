from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.chat.later import pass_time, quiet
from tests.chat.sharing import chunks, content, file_row, shared, stored, usage
from tests.chat.world import World

from hubbub.attachments.base import unavailable
from hubbub.attachments.blobs import ObjectBlobs
from hubbub.attachments.examine import Examined, Thumbnail, examine
from hubbub.chat.attaching import FileRow
from hubbub.chat.filing import checking_for
from hubbub.chat.ledger import Actor
from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio
ADA = Actor("ada")


class Faulty(ObjectBlobs):
    """Refuses while `down`."""

    down = False

    async def put(self, key: str, content: Any) -> None:
        if self.down:
            raise unavailable()
        await super().put(key, content)

    async def drop(self, folder: str) -> None:
        if self.down:
            raise unavailable()
        await super().drop(folder)


def faulty(world: World) -> Faulty:
    blobs = Faulty(world.config.attachments)
    world.blobs = world.files.blobs = blobs
    return blobs


async def keys(world: World) -> list[str]:
    import obstore

    assert isinstance(world.blobs, ObjectBlobs)
    found = await obstore.list(await world.blobs._opened()).collect_async()
    return [each["path"] for each in found]


async def begun(world: World, size: int, name: str = "a.bin") -> FileRow:
    return await world.files.begin(ADA, name, size)


async def test_any_node_goes_on_with_an_upload(postgres_url: str) -> None:
    async with World(postgres_url) as one, World(postgres_url, beside=one) as two:
        await one.user("ada")
        row = await begun(one, 10)
        assert await one.files.receive(row, 0, chunks(b"hello")) == 5
        row = await two.files.upload(ADA, row.id)
        assert await two.files.receive(row, 5, chunks(b"wor")) == 8
        with pytest.raises(HubbubError) as failure:
            await one.files.receive(row, 5, chunks(b"xxx"))
        assert failure.value.code == ErrorCode.UPLOAD_CONFLICT
        row = await one.files.upload(ADA, row.id)
        assert await one.files.receive(row, 8, chunks(b"ld")) == 10
        assert await content(two, row.id) == b"helloworld"
        url = (await one.do("files.url", "ada", file=row.id)).url
        signed = dict(pair.split("=") for pair in url.partition("?")[2].split("&"))
        assert two.files.signer.allows(row.id, "content", **signed, download=False, now=two.clock.now()), (
            "all nodes sign alike"
        )


async def test_a_file_whose_node_died_while_it_was_looked_at_is_looked_at_again(chat: World) -> None:
    await chat.user("ada")
    looks = 0

    async def dies_once(path: Path, name: str, config: Any) -> Examined:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise asyncio.CancelledError
        return await examine(path, name, config)

    chat.files._examine = dies_once
    row = await begun(chat, 5)
    with pytest.raises(asyncio.CancelledError):
        await chat.files.receive(row, 0, chunks(b"hello"))
    assert (await chat.do("files.get", "ada", file=row.id)).state == "checking"
    await pass_time(chat, checking_for(chat.config.attachments) + 60.0)
    assert (await chat.do("files.get", "ada", file=row.id)).state == "ready"
    assert await content(chat, row.id) == b"hello"
    assert looks == 2


async def test_a_small_file_whose_node_died_goes(chat: World) -> None:
    await chat.user("ada")

    async def dies(path: Path, name: str, config: Any) -> Examined:
        raise asyncio.CancelledError

    chat.files._examine = dies
    with pytest.raises(asyncio.CancelledError):
        await stored(chat, "ada")
    assert (await usage(chat, "ada"))[0] == 1
    await pass_time(chat, checking_for(chat.config.attachments) + 60.0)
    assert await usage(chat, "ada") == (0, 0)
    assert (await chat.do("files.list", "ada")).files == ()


async def test_thumbnails_and_what_is_kept_instead(chat: World, tmp_path: Path) -> None:
    await chat.user("ada")
    stripped = tmp_path / "stripped"
    await asyncio.to_thread(stripped.write_bytes, b"less")

    async def finds(path: Path, name: str, config: Any) -> Examined:
        pictures = (Thumbnail(32, 16, "image/webp", b"small"), Thumbnail(96, 48, "image/webp", b"larger"))
        return Examined("image/png", "cat.png", 11, 640, 320, pictures, stripped)

    chat.files._examine = finds
    row = await stored(chat, "ada", b"with a place", "C:\\cat.png")
    assert (row.name, row.type, row.size) == ("cat.png", "image/png", 4)
    assert await content(chat, row.id) == b"less"
    assert await content(chat, row.id, "thumbnails/1") == b"larger"
    assert await usage(chat, "ada") == (1, 4)
    file = await chat.do("files.get", "ada", file=row.id)
    assert [(each.width, each.height) for each in file.thumbnails] == [(32, 16), (96, 48)]
    assert "thumbnails/1" in (await chat.do("files.url", "ada", file=row.id, thumbnail=1)).url
    group = await chat.group("ada", "bob")
    await shared(chat, "ada", group, row.id)
    assert (await chat.do("files.get", "bob", file=row.id)).width == 640
    await chat.do("files.delete", "", file=row.id)
    await quiet(chat)
    assert await keys(chat) == []


async def test_what_is_refused_is_not_kept_and_frees_the_quota(chat: World) -> None:
    await chat.user("ada")

    async def refuses(path: Path, name: str, config: Any) -> Examined:
        return Examined("image/png", name, 5, refused="it has too many pixels")

    chat.files._examine = refuses
    row = await begun(chat, 5)
    with pytest.raises(HubbubError, match="too many pixels") as failure:
        await chat.files.receive(row, 0, chunks(b"hello"))
    assert failure.value.code == ErrorCode.FILE_REFUSED
    assert await keys(chat) == []
    assert await usage(chat, "ada") == (0, 0)
    file = await chat.do("files.get", "ada", file=row.id)
    assert (file.state, file.reason) == ("refused", "it has too many pixels")
    await pass_time(chat, 3_700.0, step=600.0)
    assert await file_row(chat, row.id) is None


async def test_a_store_that_is_down_loses_nothing(chat: World) -> None:
    await chat.user("ada")
    blobs = faulty(chat)
    await blobs.start()
    row = await begun(chat, 10)
    await chat.files.receive(row, 0, chunks(b"hello"))
    blobs.down = True
    row = await chat.files.upload(ADA, row.id)
    with pytest.raises(HubbubError) as failure:
        await chat.files.receive(row, 5, chunks(b"world"))
    assert failure.value.code == ErrorCode.STORE_UNAVAILABLE
    blobs.down = False
    assert await chat.files.receive(row, 5, chunks(b"world")) == 10
    assert await content(chat, row.id) == b"helloworld"
    blobs.down = True
    await chat.do("files.delete", "ada", file=row.id)
    await pass_time(chat, 120.0, step=30.0)
    assert await keys(chat) != []
    blobs.down = False
    await pass_time(chat, 7_200.0, step=600.0)
    assert await keys(chat) == []
    assert await file_row(chat, row.id) is None


async def test_what_is_deleted_while_it_comes_leaves_nothing(chat: World) -> None:
    await chat.user("ada")
    row = await begun(chat, 10)

    async def slowly() -> Any:
        yield b"hello"
        await chat.do("files.delete", "ada", file=row.id)
        await quiet(chat)
        yield b"world"

    with pytest.raises(HubbubError) as failure:
        await chat.files.receive(row, 0, slowly())
    assert failure.value.code == ErrorCode.NOT_FOUND
    assert await keys(chat) == []


async def test_what_is_deleted_while_it_is_looked_at_leaves_nothing(chat: World) -> None:
    await chat.user("ada")
    row = await begun(chat, 5)

    async def deleted_meanwhile(path: Path, name: str, config: Any) -> Examined:
        await chat.do("files.delete", "ada", file=row.id)
        await quiet(chat)
        return await examine(path, name, config)

    chat.files._examine = deleted_meanwhile
    with pytest.raises(HubbubError) as failure:
        await chat.files.receive(row, 0, chunks(b"hello"))
    assert failure.value.code == ErrorCode.NOT_FOUND
    assert await keys(chat) == []


@pytest.mark.parametrize(
    ("types", "refused", "right"),
    [
        (("*/*",), (), True),
        (("text/*",), (), True),
        (("image/*",), (), False),
        (("*/*",), ("text/*",), False),
        ((), (), False),
    ],
)
async def test_types_are_taken_or_not_by_content(
    database: str, types: tuple[str, ...], refused: tuple[str, ...], right: bool
) -> None:
    async with World(database, attachments={"types": types, "refused_types": refused}) as chat:
        await chat.user("ada")
        if right:
            assert (await stored(chat, "ada", b"words", "image.png")).state == "ready"
        else:
            with pytest.raises(HubbubError) as failure:
                await stored(chat, "ada", b"words", "image.png")
            assert failure.value.code == ErrorCode.FILE_REFUSED
