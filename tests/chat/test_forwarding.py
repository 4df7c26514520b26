from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.chat.sharing import content, shared, stored
from tests.chat.talk import limited, say, text, words
from tests.chat.world import World

from hubbub.chat.model import Forwarded, Message, Options
from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio


async def forward(world: World, user: str, message: Message | int, *to: str, **params: Any) -> list[Message]:
    """Forward a message; what came of it."""
    if isinstance(message, Message):
        params |= {"conversation": message.conversation, "message": message.seq}
    else:
        params["message"] = message
    result = await world.do("messages.forward", user, to=to, **params)
    return [each.message for each in result.sent]


def origin(message: Message) -> Forwarded:
    assert message.options is not None
    assert message.options.forwarded is not None
    return message.options.forwarded


async def test_it_is_a_message_of_who_forwards_it(chat: World) -> None:
    source = await chat.group("ada", "bob")
    to = [await chat.group("bob", f"u{n}") for n in range(3)]
    told = await say(chat, source, "ada", "ship it", mentions={"users": ["bob"]})
    sent = await forward(chat, "bob", told, *to, to[0], silent=True)
    assert [each.conversation for each in sent] == to, "each once"
    for message in sent:
        assert (message.sender, message.mentions, words([message])) == ("bob", None, ["ship it"])
        assert message.options == Options(silent=True, forwarded=Forwarded("ada", told.created))
        assert (
            await chat.do("messages.get", "bob", conversation=message.conversation, message=message.seq)
        ) == message
    (hit,) = (await chat.do("search", "u1", query="ship")).hits
    assert hit.message == sent[1]
    await chat.do("messages.edit", "ada", conversation=source, message=told.seq, parts=text("no"))
    await chat.do("messages.delete", "ada", conversation=source, message=told.seq)
    assert words([await chat.do("messages.get", "u0", conversation=to[0], message=sent[0].seq)]) == [
        "ship it"
    ]


async def test_where_it_is_from_is_said_only_where_all_may_read_it(chat: World) -> None:
    group, other = await chat.group("ada", "bob"), await chat.group("bob", "carl")
    later = await chat.group("ada", "bob", history="joined")
    topic = await chat.topic("ada", "bob")
    closed = await chat.topic("ada", "bob", permissions={"read": "member"})
    hidden = Forwarded("ada", 0.0)
    for source, to, shown in (
        (group, other, False),
        (group, group, True),
        (later, later, False),
        (topic, other, True),
        (closed, other, False),
        (closed, closed, True),
    ):
        told = await say(chat, source, "ada", "hello")
        (sent,) = await forward(chat, "bob", told, to)
        expected = msgspec.structs.replace(hidden, created=told.created)
        if shown:
            expected = msgspec.structs.replace(expected, conversation=source, message=told.seq)
        assert origin(sent) == expected, (source, to)


async def test_what_is_forwarded_again_keeps_its_origin(chat: World) -> None:
    group, other, third = [await chat.group("ada", "bob") for _ in range(3)]
    topic = await chat.topic("ada", "bob")
    told = await say(chat, group, "ada", "hello")
    (copy,) = await forward(chat, "bob", told, group)
    assert origin(copy).conversation == group
    (second,) = await forward(chat, "bob", copy, other)
    assert origin(second) == Forwarded("ada", told.created)
    news = await say(chat, topic, "ada", "news")
    (copy,) = await forward(chat, "bob", news, other)
    (second,) = await forward(chat, "ada", copy, third)
    assert origin(second) == Forwarded("ada", news.created, topic, news.seq)
    await chat.do("conversations.update", "ada", conversation=topic, permissions={"read": "member"})
    (later,) = await forward(chat, "bob", second, third)
    assert origin(later) == Forwarded("ada", news.created)


async def test_to_all_or_to_none(chat: World) -> None:
    source, one, other, closed = [await chat.group("ada", "bob") for _ in range(4)]
    told = await say(chat, source, "ada", "hello")
    await chat.do("conversations.update", "ada", conversation=closed, closed=True)
    quiet = await chat.group("ada", "bob", permissions={"send": "owner"})
    foreign = await chat.group("eve")
    of = {"conversation": source, "message": told.seq}
    for wrong, code in (
        (closed, ErrorCode.CONVERSATION_CLOSED),
        (quiet, ErrorCode.PERMISSION_DENIED),
        (foreign, ErrorCode.NOT_FOUND),
        ("nowhere", ErrorCode.NOT_FOUND),
    ):
        to = [one, other, wrong, one]
        await chat.refused(code, "messages.forward", "bob", at="to[2]", **of, to=to)
    await chat.refused(ErrorCode.VALIDATION_FAILED, "messages.forward", "bob", at="to", **of, to=[])


async def test_what_cannot_be_forwarded(chat: World) -> None:
    source, to = await chat.group("ada", "bob", history="joined"), await chat.group("bob", "late")
    told = await say(chat, source, "ada", "hello")
    await chat.do("members.add", "ada", conversation=source, users=["late"])
    gone = await say(chat, source, "ada", "gone")
    await chat.do("messages.delete", "ada", conversation=source, message=gone.seq)
    params: dict[str, Any] = {"conversation": source, "to": [to]}
    do = "messages.forward"
    await chat.refused(ErrorCode.NOT_FOUND, do, "late", at="message", **params, message=told.seq)
    await chat.refused(ErrorCode.MESSAGE_DELETED, do, "bob", at="message", **params, message=gone.seq)
    page = await chat.do("messages.list", "ada", conversation=source)
    (system,) = [each.seq for each in page.messages if each.kind == "system"]
    await chat.refused(ErrorCode.PERMISSION_DENIED, do, "bob", at="message", **params, message=system)
    await chat.refused(
        ErrorCode.NOT_FOUND, do, "late", at="conversation", conversation="nowhere", message=1, to=[to]
    )


async def test_once_with_a_key(chat: World) -> None:
    source, one, other = [await chat.group("ada", "bob") for _ in range(3)]
    told = [await say(chat, source, "ada", f"m{n}") for n in range(2)]
    of: dict[str, Any] = {"conversation": source, "message": told[0].seq}
    do = "messages.forward"
    first = await chat.do(do, "bob", **of, to=[one], idempotency_key="k")
    await chat.do("messages.edit", "ada", **of, parts=text("edited"))
    again = await chat.do(do, "bob", **of, to=[one, other], idempotency_key="k")
    assert [each.duplicate for each in again.sent] == [True, False]
    assert again.sent[0].message == first.sent[0].message
    assert words([again.sent[1].message]) == ["edited"]
    with pytest.raises(HubbubError) as failure:
        await chat.do(do, "bob", **{**of, "message": told[1].seq}, to=[other], idempotency_key="k")
    assert (failure.value.code, failure.value.field) == (ErrorCode.IDEMPOTENCY_CONFLICT, "to[0]")


async def test_files_go_along(chat: World) -> None:
    source, to = await chat.group("ada", "bob"), await chat.group("bob", "carl")
    row = await stored(chat, "ada")
    seq = await shared(chat, "ada", source, row.id, caption="plan")
    (sent,) = await forward(chat, "bob", seq, to, conversation=source)
    part = msgspec.json.decode(sent.parts[0])
    assert (part["file"], part["caption"], part["size"]) == (row.id, "plan", row.size)
    assert (await chat.do("files.get", "carl", file=row.id)).id == row.id
    await chat.do("messages.delete", "ada", conversation=source, message=seq)
    assert (await chat.do("files.get", "carl", file=row.id)).id == row.id
    assert await content(chat, row.id)
    await chat.do("messages.delete", "bob", conversation=to, message=sent.seq)
    with pytest.raises(HubbubError):
        await chat.do("files.get", "carl", file=row.id)
    other = await stored(chat, "ada", b"other")
    part = {"type": "file", "file": other.id}
    with pytest.raises(HubbubError) as failure:
        await chat.do("messages.send", "bob", conversation=to, parts=[part])
    assert failure.value.code == ErrorCode.NOT_FOUND


async def test_the_permissions_of_where_it_goes_hold(chat: World) -> None:
    source = await chat.group("ada", "bob")
    to = await chat.group("ada", "bob", permissions={"poll": "admin", "attach": "admin"})
    poll = {"type": "poll", "question": "Ready?", "options": [{"text": "Yes"}, {"text": "No"}]}
    sent = await chat.do("messages.send", "ada", conversation=source, parts=[poll])
    of = {"conversation": source, "message": sent.message.seq}
    await chat.do("polls.vote", "bob", **of, options=["1"])
    await chat.refused(ErrorCode.PERMISSION_DENIED, "messages.forward", "bob", at="to[0]", **of, to=[to])
    (copy,) = await forward(chat, "ada", sent.message, to)
    assert copy.annotations is not None
    assert copy.annotations.poll is not None
    assert copy.annotations.poll.voters == 0, "it begins anew"
    seq = await shared(chat, "ada", source, (await stored(chat, "ada")).id)
    file = {"conversation": source, "message": seq}
    await chat.refused(ErrorCode.PERMISSION_DENIED, "messages.forward", "bob", at="to[0]", **file, to=[to])
    await chat.do("restrictions.set", "", conversation=source, user="bob", kind="mute")
    other = await chat.group("bob")
    await forward(chat, "bob", sent.message, other)
    await chat.do("restrictions.set", "", conversation=other, user="bob", kind="mute")
    await chat.refused(ErrorCode.RESTRICTED, "messages.forward", "bob", at="to[0]", **of, to=[other])


async def test_what_expires_expires_there_too(chat: World) -> None:
    source, to = await chat.group("ada", "bob"), await chat.group("bob")
    told = await say(chat, source, "ada", "hello", expires_in=60)
    (sent,) = await forward(chat, "bob", told, to)
    assert sent.options is not None
    assert sent.options.expires == told.options.expires  # type: ignore[union-attr]


async def test_the_server_forwards_in_its_own_name(chat: World) -> None:
    source, to = await chat.group("ada"), await chat.group("bob")
    told = await say(chat, source, "ada", "hello")
    (sent,) = await forward(chat, "", told, to)
    assert (sent.sender, origin(sent).sender) == (None, "ada")
    (again,) = await forward(chat, "bob", sent, to)
    assert origin(again).sender == "ada"


async def test_the_limit(database: str) -> None:
    async with limited(database, limits={"forwards": 2}) as chat:
        ids = [await chat.group("ada") for _ in range(3)]
        told = await say(chat, ids[0], "ada", "hello")
        await forward(chat, "ada", told, *ids[:2], ids[0])
        of = {"conversation": ids[0], "message": told.seq}
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "messages.forward", "ada", at="to", **of, to=ids)
        assert chat.metrics.rejected["forwards"] == 1
