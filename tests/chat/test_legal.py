"""Legal holds: whoever deletes what is under one, the archive has it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.chat.later import pass_time
from tests.chat.talk import text
from tests.chat.world import World

from hubbub.chat.legal import Archived
from hubbub.chat.model import Message
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def send(chat: World, id: str, words: str, user: str = "ada", **params: Any) -> Message:
    sent = await chat.do("messages.send", user, conversation=id, parts=text(words), **params)
    message: Message = sent.message
    return message


async def hold(chat: World, subject: str, id: str) -> None:
    await chat.do("retention.hold", "", subject=subject, id=id, reason="case 7")


async def kept(chat: World, id: str) -> list[tuple[int, int, str, str]]:
    """Seq, version, what it said, and why it was deleted."""
    page = await chat.do("retention.archive", "", conversation=id)
    return [(each.message, each.version, words(each), each.why) for each in page.archived]


def words(archived: Archived) -> str:
    return " ".join(msgspec.json.decode(part)["text"] for part in archived.parts)


async def test_what_is_deleted_in_a_held_conversation_is_kept_with_its_versions(chat: World) -> None:
    id, other = await chat.group("ada", "bob"), await chat.group("ada", "bob")
    message, elsewhere = await send(chat, id, "one"), await send(chat, other, "x")
    await hold(chat, "conversation", id)
    await chat.do("messages.edit", "ada", conversation=id, message=message.seq, parts=text("two"))
    await chat.do("messages.delete", "ada", conversation=id, message=message.seq)
    await chat.do("messages.delete", "ada", conversation=other, message=elsewhere.seq)
    assert await kept(chat, id) == [
        (message.seq, 1, "one", "deleted"),
        (message.seq, 2, "two", "deleted"),
    ]
    assert await kept(chat, other) == []
    found = await chat.do("messages.get", "bob", conversation=id, message=message.seq)
    assert found.parts == ()


async def test_what_a_held_user_wrote_is_kept_wherever_it_was(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await hold(chat, "user", "bob")
    mine, of_bob = await send(chat, id, "hers"), await send(chat, id, "his", user="bob")
    for message in (mine, of_bob):
        await chat.do("messages.delete", "ada", conversation=id, message=message.seq)
    assert await kept(chat, id) == [(of_bob.seq, 1, "his", "deleted")]


async def test_what_expires_and_what_retention_takes_is_kept_too(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await hold(chat, "conversation", id)
    short = await send(chat, id, "short", expires_in=60)
    long = await send(chat, id, "long")
    await pass_time(chat, 120.0)
    await chat.do("retention.update", "", conversation=id, retention=60.0)
    await pass_time(chat, 400.0)
    found = await kept(chat, id)
    assert (short.seq, 1, "short", "expired") in found
    assert (long.seq, 1, "long", "retention") in found
    assert len([each for each in found if each[0] in (short.seq, long.seq)]) == 2


async def test_after_its_release_nothing_more_is_kept(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await hold(chat, "conversation", id)
    first, second = await send(chat, id, "one"), await send(chat, id, "two")
    await chat.do("messages.delete", "ada", conversation=id, message=first.seq)
    await chat.do("retention.release", "", subject="conversation", id=id)
    await chat.do("messages.delete", "ada", conversation=id, message=second.seq)
    assert [seq for seq, *_ in await kept(chat, id)] == [first.seq]
    await chat.refused(ErrorCode.NOT_FOUND, "retention.release", "", subject="conversation", id=id)


async def test_holds_are_listed_page_by_page_and_may_come_before_what_they_are_of(chat: World) -> None:
    for id in ("a", "b", "c"):
        await hold(chat, "user", id)
    await chat.do("retention.hold", "", subject="user", id="b", reason="another reason")
    first = await chat.do("retention.holds", "", limit=2)
    rest = await chat.do("retention.holds", "", limit=2, cursor=first.next)
    assert [(each.id, each.reason) for each in (*first.holds, *rest.holds)] == [
        ("a", "case 7"),
        ("b", "another reason"),
        ("c", "case 7"),
    ]
    assert rest.next is None


async def test_the_archive_is_read_page_by_page_and_each_look_is_written_down(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await hold(chat, "conversation", id)
    sent = [await send(chat, id, str(number)) for number in range(3)]
    for message in sent:
        await chat.do("messages.delete", "ada", conversation=id, message=message.seq)
    first = await chat.do("retention.archive", "", conversation=id, limit=2)
    rest = await chat.do("retention.archive", "", conversation=id, limit=2, cursor=first.next)
    assert [each.message for each in (*first.archived, *rest.archived)] == [m.seq for m in sent]
    (one,) = (await chat.do("retention.archive", "", conversation=id, message=sent[1].seq)).archived
    assert words(one) == "1"
    acts = [entry.act for entry in (await chat.do("audit.list", "")).acts]
    assert acts.count("retention.archive") == 3


async def test_they_are_for_the_server_and_admins(chat: World) -> None:
    id = await chat.group("ada", "bob")
    tries: dict[str, dict[str, Any]] = {
        "retention.hold": {"subject": "user", "id": "bob", "reason": "x"},
        "retention.release": {"subject": "user", "id": "bob"},
        "retention.holds": {},
        "retention.archive": {"conversation": id},
    }
    for operation, params in tries.items():
        await chat.refused(ErrorCode.PERMISSION_DENIED, operation, "ada", **params)
    await chat.do("users.upsert", "", user="ada", office="admin")
    for operation, params in tries.items():
        await chat.do(operation, "ada", **params)


async def test_a_reason_has_its_limit(database: str) -> None:
    async with World(database, limits={"note_length": 5}) as chat:
        place: dict[str, Any] = {"subject": "user", "id": "x"}
        await chat.do("retention.hold", "", **place, reason="12345")
        await chat.refused(
            ErrorCode.LIMIT_EXCEEDED, "retention.hold", "", **place, reason="123456", at="reason"
        )
        assert chat.metrics.rejected["note_length"] == 1
