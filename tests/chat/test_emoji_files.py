"""Custom emoji whose image is a file: everybody reads it, and it stays as long as the emoji does."""

from __future__ import annotations

import pytest
from tests.attachments.pictures import png
from tests.chat.later import leap, quiet
from tests.chat.sharing import content, file_row, shared, stored, usage
from tests.chat.test_attaching import gone
from tests.chat.world import World

from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio
DAYS = 40 * 86_400.0


async def parrot(chat: World, by: str = "mo", name: str = "parrot") -> str:
    """Add an emoji; its file."""
    await chat.user("mo", office="moderator")
    file = (await stored(chat, by, png(), "parrot.png")).id
    made = await chat.do("emoji.add", by, name=name, file=file)
    assert (made.file, made.url) == (file, None)
    return file


@pytest.mark.parametrize("by", ["mo", ""])
async def test_everybody_reads_the_file(chat: World, by: str) -> None:
    await chat.users("bob")
    file = await parrot(chat, by)
    (listed,) = (await chat.do("emoji.list", "bob")).emoji
    assert listed.file == file
    assert (await chat.do("files.get", "bob", file=file)).type == "image/png"
    assert file in (await chat.do("files.url", "bob", file=file)).url
    await chat.do("emoji.add", "", name="bird", alias="parrot")
    await chat.do("emoji.remove", "", name="bird")
    assert file in (await chat.do("files.url", "bob", file=file)).url


async def test_it_stays_as_long_as_the_emoji_does(chat: World) -> None:
    file = await parrot(chat)
    await leap(chat, DAYS)
    assert await content(chat, file)
    await chat.refused(ErrorCode.CONFLICT, "files.delete", "mo", file=file)
    assert (await usage(chat, "mo"))[0] == 1
    await chat.do("emoji.remove", "mo", name="parrot")
    await quiet(chat)
    await chat.refused(ErrorCode.NOT_FOUND, "files.url", "mo", file=file)
    assert await gone(chat, file)
    assert await usage(chat, "mo") == (0, 0)


async def test_another_image_replaces_it(chat: World) -> None:
    first = await parrot(chat)
    second = await parrot(chat)
    assert await gone(chat, first)
    assert await content(chat, second)
    await chat.do("emoji.add", "mo", name="parrot", file=second)
    assert await file_row(chat, second) is not None, "the same again takes nothing away"
    await chat.do("emoji.add", "mo", name="parrot", url="https://example.org/parrot.gif")
    assert await gone(chat, second)


async def test_a_file_in_messages_and_emoji_goes_with_the_last_of_them(chat: World) -> None:
    file = await parrot(chat)
    await chat.do("emoji.add", "mo", name="twin", file=file)
    id = await chat.group("mo", "bob")
    seq = await shared(chat, "mo", id, file)
    await chat.do("emoji.remove", "mo", name="parrot")
    await chat.do("messages.delete", "mo", conversation=id, message=seq)
    assert file in (await chat.do("files.url", "bob", file=file)).url
    await chat.do("emoji.remove", "mo", name="twin")
    assert await gone(chat, file)


async def test_which_files_are_no_emoji(chat: World) -> None:
    await chat.user("mo", office="moderator")
    await chat.users("bob")
    text, others = (await stored(chat, "mo")).id, (await stored(chat, "bob", png(), "cat.png")).id
    add = ("emoji.add", "mo")
    await chat.refused(ErrorCode.VALIDATION_FAILED, *add, at="file", name="a", file=text)
    await chat.refused(ErrorCode.NOT_FOUND, *add, at="file", name="a", file=others)
    await chat.refused(ErrorCode.NOT_FOUND, *add, at="file", name="a", file="0" * 32)
    coming = (await chat.do("files.create", "mo", name="b.png", size=9)).file.id
    await chat.refused(ErrorCode.CONFLICT, *add, at="file", name="a", file=coming)
    await chat.do("emoji.add", "", name="a", file=others)  # the server may give it any
