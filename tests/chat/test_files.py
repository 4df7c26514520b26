from __future__ import annotations

import asyncio

import pytest
from tests.chat.later import pass_time, quiet
from tests.chat.sharing import HELLO, content, file_row, shared, stored, usage
from tests.chat.world import World

from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio


async def test_an_upload_is_begun_listed_and_given_up(chat: World) -> None:
    await chat.user("ada")
    made = await chat.do("files.create", "ada", name="  report.pdf ", size=100)
    file = made.file
    assert made.upload == f"/v1/uploads/{file.id}"
    assert (file.name, file.size, file.state, file.received, file.owner) == (
        "report.pdf",
        100,
        "uploading",
        0,
        "ada",
    )
    assert file.expires == pytest.approx(chat.clock.now() + 86_400, abs=1)
    assert (await chat.do("files.list", "ada")).files == (file,)
    assert await usage(chat, "ada") == (1, 100)
    await chat.do("files.delete", "ada", file=file.id)
    assert (await chat.do("files.list", "ada")).files == ()
    assert await usage(chat, "ada") == (0, 0)
    await quiet(chat)
    await chat.refused(ErrorCode.NOT_FOUND, "files.delete", "ada", file=file.id)


async def test_pages_go_from_the_newest(chat: World) -> None:
    await chat.user("ada")
    made = [(await chat.do("files.create", "ada", name=str(n), size=1)).file.id for n in range(5)]
    first = await chat.do("files.list", "ada", limit=2)
    second = await chat.do("files.list", "ada", limit=2, cursor=first.next)
    third = await chat.do("files.list", "ada", limit=2, cursor=second.next)
    assert [file.id for page in (first, second, third) for file in page.files] == made[::-1]
    assert third.next is None


@pytest.mark.parametrize(
    ("size", "code"), [(1_000, None), (1_001, ErrorCode.MESSAGE_TOO_LARGE), (0, ErrorCode.VALIDATION_FAILED)]
)
async def test_a_file_has_a_largest_size(database: str, size: int, code: ErrorCode | None) -> None:
    async with World(database, attachments={"file_bytes": 1_000}) as chat:
        await chat.user("ada")
        if code is None:
            await chat.do("files.create", "ada", name="x", size=size)
        else:
            await chat.refused(code, "files.create", "ada", name="x", size=size, at="size")


@pytest.mark.parametrize(("name", "right"), [("x" * 200, True), ("x" * 201, False), ("  ", False)])
async def test_a_name_has_a_length(chat: World, name: str, right: bool) -> None:
    await chat.user("ada")
    if right:
        assert (await chat.do("files.create", "ada", name=name, size=1)).file.name == name
    else:
        await chat.refused(ErrorCode.VALIDATION_FAILED, "files.create", "ada", name=name, size=1, at="name")


async def test_so_many_uploads_may_be_unfinished(database: str) -> None:
    async with World(database, attachments={"uploads": 2}) as chat:
        await chat.users("ada", "bob")
        made = [await chat.do("files.create", "ada", name="x", size=1) for _ in range(2)]
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "files.create", "ada", name="x", size=1)
        await chat.do("files.create", "bob", name="x", size=1)
        await chat.do("files.delete", "ada", file=made[0].file.id)
        await chat.do("files.create", "ada", name="x", size=1)


async def test_of_a_hundred_at_once_only_those_come_in_for_whom_there_is_room(database: str) -> None:
    async with World(database, attachments={"quota_bytes": 1_000, "uploads": 1_000}) as chat:
        await chat.user("ada")
        answers = await asyncio.gather(
            *(chat.do("files.create", "ada", name=str(n), size=30) for n in range(100)),
            return_exceptions=True,
        )
        refused = [each for each in answers if isinstance(each, BaseException)]
        assert len(refused) == 100 - 1_000 // 30
        assert all(
            isinstance(each, HubbubError) and each.code == ErrorCode.QUOTA_EXCEEDED for each in refused
        )
        assert await usage(chat, "ada") == (33, 990)
        await chat.do("files.create", "ada", name="fits", size=10)
        await chat.refused(ErrorCode.QUOTA_EXCEEDED, "files.create", "ada", name="x", size=1)


async def test_there_is_a_quota_of_files_too_but_none_for_the_server(database: str) -> None:
    async with World(database, attachments={"quota_files": 2, "quota_bytes": 0, "uploads": 50}) as chat:
        await chat.user("ada")
        for _ in range(2):
            await chat.do("files.create", "ada", name="x", size=10**6)
        await chat.refused(ErrorCode.QUOTA_EXCEEDED, "files.create", "ada", name="x", size=1)
        for _ in range(4):
            await chat.do("files.create", "", name="x", size=10**6)
        assert (await chat.do("files.list", "")).files[0].owner is None


async def test_a_file_is_its_owners_alone_until_a_message_shows_it(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await chat.user("eve")
    file = (await stored(chat, "ada")).id
    for operation in ("files.get", "files.url", "files.delete"):
        there = await chat.refused(ErrorCode.NOT_FOUND, operation, "bob", file=file)
        missing = await chat.refused(ErrorCode.NOT_FOUND, operation, "bob", file="0" * 32)
        assert there.message == missing.message
    assert (await chat.do("files.urls", "bob", files=[{"file": file}])).urls == (None,)
    await shared(chat, "ada", id, file)
    got = await chat.do("files.get", "bob", file=file)
    assert (got.state, got.owner, got.expires, got.size) == ("ready", "ada", None, 5)
    assert (await chat.do("files.url", "bob", file=file)).url.startswith(f"/v1/files/{file}/content?expires=")
    await chat.refused(ErrorCode.NOT_FOUND, "files.get", "eve", file=file)
    await chat.refused(ErrorCode.NOT_FOUND, "files.delete", "bob", file=file)


async def test_who_has_left_reads_no_more_files(chat: World) -> None:
    id = await chat.group("ada", "bob")
    file = (await stored(chat, "ada")).id
    await shared(chat, "ada", id, file)
    await chat.do("files.get", "bob", file=file)
    await chat.do("members.leave", "bob", conversation=id)
    await chat.refused(ErrorCode.NOT_FOUND, "files.get", "bob", file=file)


async def test_who_came_later_reads_what_came_later(chat: World) -> None:
    id = await chat.group("ada", "bob", history="joined")
    before, after = (await stored(chat, "ada")).id, (await stored(chat, "ada")).id
    await shared(chat, "ada", id, before)
    await chat.user("late")
    await chat.do("members.add", "ada", conversation=id, users=["late"])
    await shared(chat, "ada", id, after)
    await chat.refused(ErrorCode.NOT_FOUND, "files.get", "late", file=before)
    assert (await chat.do("files.get", "late", file=after)).id == after


async def test_guests_of_a_topic_may_read_its_files(chat: World) -> None:
    topic = await chat.topic("ada")
    await chat.user("guest")
    file = (await stored(chat, "ada")).id
    await shared(chat, "ada", topic, file)
    assert (await chat.do("files.get", "guest", file=file)).id == file


async def test_what_somebody_has_hidden_for_itself_shows_it_nothing(chat: World) -> None:
    id = await chat.group("ada", "bob")
    file = (await stored(chat, "ada")).id
    seq = await shared(chat, "ada", id, file)
    await chat.do("messages.delete", "bob", conversation=id, message=seq, **{"for": "me"})
    await chat.refused(ErrorCode.NOT_FOUND, "files.get", "bob", file=file)


async def test_a_shown_file_is_not_deleted_but_by_the_server(chat: World) -> None:
    id = await chat.group("ada", "bob")
    file = (await stored(chat, "ada")).id
    await shared(chat, "ada", id, file)
    await chat.refused(ErrorCode.CONFLICT, "files.delete", "ada", file=file)
    await chat.do("files.delete", "", file=file)
    await quiet(chat)
    await chat.refused(ErrorCode.NOT_FOUND, "files.get", "bob", file=file)
    with pytest.raises(HubbubError):
        await content(chat, file)


async def test_a_url_is_for_a_time_and_for_one_file(chat: World) -> None:
    await chat.user("ada")
    file = (await stored(chat, "ada")).id
    signed = await chat.do("files.url", "ada", file=file)
    assert signed.expires == pytest.approx(chat.clock.now() + 900, abs=1.5)
    saved = await chat.do("files.url", "ada", file=file, download=True)
    assert "download=1" in saved.url
    await chat.refused(ErrorCode.NOT_FOUND, "files.url", "ada", file=file, thumbnail=0)


async def test_a_file_that_nothing_shows_goes_after_a_while(chat: World) -> None:
    await chat.user("ada")
    file = (await stored(chat, "ada")).id
    assert await content(chat, file) == HELLO
    await pass_time(chat, 86_300.0, step=3_600.0)
    assert await file_row(chat, file) is not None
    await pass_time(chat, 3_600.0)
    assert await file_row(chat, file) is None
    assert await usage(chat, "ada") == (0, 0)
    with pytest.raises(HubbubError):
        await content(chat, file)


async def test_a_key_makes_one_upload(chat: World) -> None:
    await chat.user("ada")
    first = await chat.do("files.create", "ada", idempotency_key="k", name="x", size=1)
    again = await chat.do("files.create", "ada", idempotency_key="k", name="x", size=1)
    assert again == first
    assert len((await chat.do("files.list", "ada")).files) == 1
