from __future__ import annotations

import msgspec
import pytest
from tests.attachments.pictures import png
from tests.chat.later import pass_time, quiet
from tests.chat.sharing import content, file_row, shared, stored, usage
from tests.chat.world import World

from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio


async def gone(chat: World, file: str) -> bool:
    await quiet(chat)
    with pytest.raises(HubbubError) as failure:
        await content(chat, file)
    assert failure.value.code == ErrorCode.NOT_FOUND
    return await file_row(chat, file) is None


async def test_the_server_says_what_a_file_is(chat: World) -> None:
    id = await chat.group("ada", "bob")
    row = await stored(chat, "ada", png(), "cat.png")
    lies = {"media_type": "text/html", "size": 1, "name": "dog.png", "width": 7}
    seq = await shared(chat, "ada", id, row.id, caption="our cat", **lies)
    message = await chat.do("messages.get", "bob", conversation=id, message=seq)
    part = msgspec.json.decode(message.parts[0])
    assert part["name"] == row.name
    assert part["size"] == row.size
    assert part["media_type"] == row.type
    assert part["caption"] == "our cat"
    assert part["file"] == row.id


async def test_what_a_file_is_called_and_what_is_said_of_it_is_found(chat: World) -> None:
    id = await chat.group("ada", "bob")
    seq = await shared(
        chat, "ada", id, (await stored(chat, "ada", name="budget.txt")).id, caption="quarterly"
    )
    for word in ("budget", "quarterly"):
        found = (await chat.do("search", "bob", query=word)).hits
        assert [hit.message.seq for hit in found] == [seq], word
    await chat.do("messages.delete", "ada", conversation=id, message=seq)
    assert (await chat.do("search", "bob", query="budget")).hits == ()


async def test_only_ones_own_files_can_be_sent(chat: World) -> None:
    id = await chat.group("ada", "bob")
    file = (await stored(chat, "ada")).id
    refusals = set()
    for named in (file, "0" * 32):
        parts = [{"type": "file", "file": named}]
        refused = await chat.refused(
            ErrorCode.NOT_FOUND, "messages.send", "bob", conversation=id, parts=parts
        )
        refusals.add(refused.message)
    assert len(refusals) == 1
    await shared(chat, "", id, file)


async def test_reading_a_file_is_no_right_to_send_it(chat: World) -> None:
    id = await chat.group("ada", "bob")
    other = await chat.group("bob", "eve")
    file = (await stored(chat, "ada")).id
    await shared(chat, "ada", id, file)
    parts = [{"type": "file", "file": file}]
    await chat.refused(ErrorCode.NOT_FOUND, "messages.send", "bob", conversation=other, parts=parts)


async def test_an_upload_that_has_not_come_cannot_be_sent(chat: World) -> None:
    id = await chat.group("ada", "bob")
    file = (await chat.do("files.create", "ada", name="x", size=5)).file.id
    parts = [{"type": "file", "file": file}]
    await chat.refused(ErrorCode.CONFLICT, "messages.send", "ada", conversation=id, parts=parts)
    await chat.do("files.delete", "ada", file=file)
    await quiet(chat)
    await chat.refused(ErrorCode.NOT_FOUND, "messages.send", "ada", conversation=id, parts=parts)


async def test_to_attach_takes_the_permission(chat: World) -> None:
    id = await chat.group("ada", "bob", permissions={"attach": "moderator"})
    file = (await stored(chat, "bob")).id
    parts = [{"type": "file", "file": file}]
    await chat.refused(ErrorCode.PERMISSION_DENIED, "messages.send", "bob", conversation=id, parts=parts)
    await shared(chat, "ada", id, (await stored(chat, "ada")).id)


@pytest.mark.parametrize(("count", "right"), [(2, True), (3, False)])
async def test_a_message_has_so_many_files(database: str, count: int, right: bool) -> None:
    async with World(database, attachments={"per_message": 2}) as chat:
        id = await chat.group("ada", "bob")
        files = [(await stored(chat, "ada")).id for _ in range(count)]
        parts = [{"type": "file", "file": file} for file in files]
        if right:
            await chat.do("messages.send", "ada", conversation=id, parts=parts)
        else:
            await chat.refused(ErrorCode.LIMIT_EXCEEDED, "messages.send", "ada", conversation=id, parts=parts)


async def test_a_file_goes_with_its_last_message(chat: World) -> None:
    id = await chat.group("ada", "bob")
    other = await chat.group("ada", "bob")
    file = (await stored(chat, "ada")).id
    first = await shared(chat, "ada", id, file)
    second = await shared(chat, "ada", other, file)
    await pass_time(chat, 90_000.0, step=9_000.0)
    assert await content(chat, file) == b"hello"
    await chat.do("messages.delete", "ada", conversation=id, message=first)
    assert (await chat.do("files.get", "bob", file=file)).id == file
    assert await usage(chat, "ada") == (1, 5)
    await chat.do("messages.delete", "ada", conversation=other, message=second)
    await quiet(chat)
    await chat.refused(ErrorCode.NOT_FOUND, "files.get", "bob", file=file)
    await chat.refused(ErrorCode.NOT_FOUND, "files.get", "ada", file=file)
    assert await usage(chat, "ada") == (0, 0)
    assert await gone(chat, file)


async def test_the_same_message_twice_by_its_key_shows_it_once(chat: World) -> None:
    id = await chat.group("ada", "bob")
    file = (await stored(chat, "ada")).id
    params = {"conversation": id, "parts": [{"type": "file", "file": file}]}
    first = await chat.do("messages.send", "ada", idempotency_key="k", **params)
    again = await chat.do("messages.send", "ada", idempotency_key="k", **params)
    assert again.duplicate
    assert again.message.seq == first.message.seq


async def test_an_edit_may_add_files_and_keeps_those_it_had(chat: World) -> None:
    id = await chat.group("ada", "bob")
    old, new = (await stored(chat, "ada")).id, (await stored(chat, "ada", name="new.txt")).id
    seq = await shared(chat, "ada", id, old)
    message = await chat.do("messages.get", "ada", conversation=id, message=seq)
    parts = [msgspec.json.decode(message.parts[0]), {"type": "file", "file": new}]
    await chat.do("messages.edit", "ada", conversation=id, message=seq, parts=parts)
    assert (await chat.do("files.get", "bob", file=new)).name == "new.txt"
    await chat.do(
        "messages.edit", "ada", conversation=id, message=seq, parts=[{"type": "text", "text": "no files"}]
    )
    assert (await chat.do("files.get", "bob", file=old)).id == old  # for what it said before can be read
    await chat.do("messages.delete", "ada", conversation=id, message=seq)
    assert await gone(chat, old)
    assert await gone(chat, new)


async def test_an_edit_takes_nobody_elses_files(chat: World) -> None:
    id = await chat.group("ada", "bob")
    seq = await shared(chat, "ada", id, (await stored(chat, "ada")).id)
    theirs = (await stored(chat, "bob")).id
    await chat.refused(
        ErrorCode.NOT_FOUND,
        "messages.edit",
        "ada",
        conversation=id,
        message=seq,
        parts=[{"type": "file", "file": theirs}],
    )


async def test_a_message_that_expires_takes_its_file_along(chat: World) -> None:
    id = await chat.group("ada", "bob")
    file = (await stored(chat, "ada")).id
    parts = [{"type": "file", "file": file}]
    await chat.do("messages.send", "ada", conversation=id, parts=parts, expires_in=100)
    await pass_time(chat, 200.0)
    assert await gone(chat, file)
