from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from tests.chat.talk import limited, say, text, words
from tests.chat.world import World

from hubbub.chat.events import BookmarkChanged
from hubbub.chat.model import Bookmark
from hubbub.errors import ErrorCode
from hubbub.storage.tables import bookmarks

pytestmark = pytest.mark.anyio


async def kept(world: World, user: str, **params: Any) -> list[tuple[str, str]]:
    """Notes and messages."""
    page = await world.do("bookmarks.list", user, **params)
    return [
        (each.bookmark.note, "" if each.message is None else words([each.message])[0])
        for each in page.bookmarks
    ]


async def marked(world: World, user: str, conversation: str, words: str, note: str = "") -> int:
    """A message of ada's that a user bookmarks; its seq."""
    seq = (await say(world, conversation, "ada", words)).seq
    await world.do("bookmarks.add", user, conversation=conversation, message=seq, note=note)
    return seq


async def test_a_bookmark_is_its_users(chat: World) -> None:
    id = await chat.group("ada", "bob")
    first = await say(chat, id, "ada", "first")
    of: dict[str, Any] = {"conversation": id, "message": first.seq}
    made = await chat.do("bookmarks.add", "bob", **of, note="  Read again\r\n")
    assert made == Bookmark(id, first.seq, chat.clock.now(), "  Read again\r\n")
    event = (await chat.inbox("bob"))[-1]
    assert isinstance(event, BookmarkChanged)
    assert event.bookmark == made
    assert await chat.do("bookmarks.add", "bob", **of) == made, "nothing is said of the note"
    assert (await chat.inbox("bob"))[-1] == event
    changed = await chat.do("bookmarks.add", "bob", **of, note="")
    assert changed == Bookmark(id, first.seq, made.created)
    await marked(chat, "bob", id, "second", "later")
    assert await kept(chat, "bob") == [("later", "second"), ("", "first")]
    assert await kept(chat, "ada") == []
    assert not any(isinstance(each, BookmarkChanged) for each in await chat.inbox("ada"))
    for _ in range(2):
        await chat.do("bookmarks.remove", "bob", **of)
        last = (await chat.inbox("bob"))[-1]
        assert isinstance(last, BookmarkChanged)
        assert last.bookmark == Bookmark(id, first.seq, made.created, removed=True)
    assert await kept(chat, "bob") == [("later", "second")]
    again = await chat.do("bookmarks.add", "bob", **of, note="anew")
    assert again == Bookmark(id, first.seq, chat.clock.now(), "anew")
    assert await kept(chat, "bob") == [("anew", "first"), ("later", "second")]


async def test_pages_and_single_conversations(chat: World) -> None:
    ids = [await chat.group("ada", "bob") for _ in range(2)]
    for n in range(5):
        await marked(chat, "bob", ids[n % 2], f"m{n}")
    found: list[str] = []
    cursor = None
    while True:
        params: dict[str, Any] = {} if cursor is None else {"cursor": cursor}
        page = await chat.do("bookmarks.list", "bob", limit=2, **params)
        found += words([each.message for each in page.bookmarks])
        if (cursor := page.next) is None:
            break
    assert found == ["m4", "m3", "m2", "m1", "m0"]
    assert [said for _, said in await kept(chat, "bob", conversation=ids[0])] == ["m4", "m2", "m0"]
    await chat.refused(ErrorCode.VALIDATION_FAILED, "bookmarks.list", "bob", at="cursor", cursor="nonsense")


async def test_the_message_is_as_it_stands_now(chat: World) -> None:
    id = await chat.group("ada", "bob")
    edited, deleted, hidden = [await marked(chat, "bob", id, f"m{n}", f"n{n}") for n in range(3)]
    await chat.do("messages.edit", "ada", conversation=id, message=edited, parts=text("better"))
    await chat.do("messages.delete", "ada", conversation=id, message=deleted)
    await chat.do("messages.delete", "bob", conversation=id, message=hidden, **{"for": "me"})
    page = await chat.do("bookmarks.list", "bob")
    gone, tombstone, now = page.bookmarks
    assert (gone.message, tombstone.message.deleted is None) == (None, False)
    assert words([now.message]) == ["better"]
    of: dict[str, Any] = {"conversation": id, "message": deleted}
    await chat.do("bookmarks.add", "bob", **of, note="it was good")
    await chat.do("bookmarks.remove", "bob", **of)
    await chat.refused(ErrorCode.MESSAGE_DELETED, "bookmarks.add", "bob", at="message", **of)
    await chat.do("conversations.update", "ada", conversation=id, permissions={"read": "moderator"})
    assert await kept(chat, "bob") == [("n2", ""), ("n0", "")]


async def test_they_go_when_one_leaves(chat: World) -> None:
    left, stayed = [await chat.group("ada", "bob") for _ in range(2)]
    await marked(chat, "bob", left, "secret", "my note")
    await marked(chat, "ada", left, "hers")
    await marked(chat, "bob", stayed, "open")
    await chat.do("members.remove", "ada", conversation=left, user="bob")
    assert await kept(chat, "bob") == [("", "open")]
    assert await kept(chat, "ada") == [("", "hers")]
    notes = await chat.read(lambda view: list(view.execute(sa.select(bookmarks.c.note)).scalars()))
    assert notes == ["", "", ""]
    await chat.do("members.add", "ada", conversation=left, users=["bob"])
    assert await kept(chat, "bob") == [("", "open")]


@pytest.mark.parametrize("operation", ["bookmarks.add", "bookmarks.remove"])
async def test_refusals(chat: World, operation: str) -> None:
    topic = await chat.topic("ada")
    of: dict[str, Any] = {"conversation": topic, "message": (await say(chat, topic, "ada", "hello")).seq}
    await chat.users("guest")
    await chat.refused(ErrorCode.PERMISSION_DENIED, operation, "guest", at="conversation", **of)
    await chat.refused(ErrorCode.BAD_REQUEST, operation, "", **of)
    await chat.refused(ErrorCode.NOT_FOUND, operation, "nobody", **of)
    none: dict[str, Any] = {"conversation": topic, "message": of["message"] + 1}
    await chat.refused(ErrorCode.NOT_FOUND, operation, "ada", at="message", **none)
    await chat.refused(ErrorCode.NOT_FOUND, operation, "ada", at="conversation", conversation="x", message=1)
    if operation == "bookmarks.add":
        for note in ("a\0b", "\x1b[31m"):
            await chat.refused(ErrorCode.VALIDATION_FAILED, operation, "ada", at="note", **of, note=note)


async def test_limits(database: str) -> None:
    async with limited(database, limits={"bookmarks": 2, "note_length": 3, "page": 10}) as chat:
        id = await chat.group("ada", "bob")
        seqs = [await marked(chat, "ada", id, f"m{n}", "abc") for n in range(2)]
        third: dict[str, Any] = {"conversation": id, "message": (await say(chat, id, "ada", "m2")).seq}
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "bookmarks.add", "ada", at="message", **third)
        first: dict[str, Any] = {"conversation": id, "message": seqs[0]}
        await chat.do("bookmarks.add", "ada", **first, note="ab\u00e9")
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "bookmarks.add", "ada", at="note", **first, note="abcd")
        assert (chat.metrics.rejected["bookmarks"], chat.metrics.rejected["note_length"]) == (1, 1)
        await chat.do("bookmarks.add", "bob", **third)
        await chat.do("bookmarks.remove", "ada", **first)
        await chat.do("bookmarks.add", "ada", **third)
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "bookmarks.list", "ada", at="limit", limit=11)
