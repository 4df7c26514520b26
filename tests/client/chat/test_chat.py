from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.client.places import chat_server, take, until

from hubbub.chat.events import MessageDeleted, Typing
from hubbub.client import Client, ErrorCode, HubbubError
from hubbub.client.chat import Missed, Synced, text_of
from hubbub.client.chat.chat import _Reader
from hubbub.client.chat.operations.conversations import ConversationsNewMember

pytestmark = pytest.mark.anyio


async def group(ada: Client, *others: str) -> str:
    """A conversation of Ada's; the others must be known."""
    made = await ada.chat.conversations.create(
        "group", name="Ops", members=[ConversationsNewMember(user) for user in others]
    )
    return made.conversation.id


async def test_two_people_talk(sqlite_url: str, tmp_path: Path) -> None:
    async with (
        chat_server(sqlite_url, tmp_path) as server,
        Client(server.url, server.token("ada")) as ada,
        Client(server.url, server.token("bob")) as bob,
    ):
        await asyncio.gather(ada.chat.start(), bob.chat.start())
        events = aiter(bob.chat)
        id = await group(ada, "bob")
        sent = await (await ada.chat.send(id, "Hello, *Bob*", markdown=True))
        await until(lambda: id in bob.chat.store.known and bob.chat.conversation(id).timeline())
        there = bob.chat.conversation(id)
        assert [text_of(each) for each in there.timeline()] == ["Hello, *Bob*"]
        assert (there.membership.unread, bob.chat.store.unread()) == (1, (1, 0, 1))
        assert [type(each).__name__ for each in await take(events, 2)] == [
            "ConversationAdded",
            "MessageCreated",
        ]
        # Receipts.
        receipts = ada.chat.conversation(id).receipts
        await until(lambda: "bob" in receipts and receipts["bob"].delivered == sent.seq)
        await bob.chat.mark_read(id)
        assert there.membership.unread == 0
        await until(lambda: receipts["bob"].read == sent.seq)
        # Threads, edits, reactions.
        await (await bob.chat.send(id, "In a thread", thread=sent.seq))
        await ada.chat.messages.edit(id, sent.seq, [{"type": "text", "text": "Hello, Bob"}])
        await bob.chat.reactions.add(id, sent.seq, "wave")
        await until(lambda: ada.chat.conversation(id).timeline()[0].reactions)
        (root,) = ada.chat.conversation(id).timeline()
        assert (text_of(root), root.replies, root.version) == ("Hello, Bob", 1, 2)
        assert [text_of(each) for each in ada.chat.conversation(id).thread(root.seq)] == ["In a thread"]
        await until(lambda: ada.chat.store.threads)
        # Typing, presence, drafts.
        await ada.chat.start_typing(id)
        await until(lambda: bob.chat.typists(id) == ["ada"])
        await ada.chat.stop_typing(id)
        await until(lambda: bob.chat.typists(id) == [])
        assert (await bob.chat.watch("ada"))["ada"].availability == "online"
        await ada.chat.presence.set(True)
        await until(lambda: bob.chat.store.presence["ada"].availability == "away")
        await bob.chat.unwatch("ada")
        await ada.chat.drafts.set(id, parts=[{"type": "text", "text": "So"}])
        await until(lambda: (id, None) in ada.chat.store.drafts)
        # Profiles, members, search.
        assert (await bob.chat.user("ada")).id == "ada"
        members = await bob.chat.load_members(id)
        assert {user: each.role for user, each in members.items()} == {"ada": "owner", "bob": "member"}
        assert (await bob.chat.search("hello")).hits[0].message.seq == sent.seq
        # Others' notifications.
        unread = await (await ada.chat.send(id, "Oops"))
        await until(lambda: there.membership.unread == 1)
        await ada.chat.call("messages.delete", {"conversation": id, "message": unread.seq, "for": "all"})
        await until(lambda: there.membership.unread == 0)
        told = []
        async for event in events:
            told.append(event)
            if isinstance(event, MessageDeleted):
                break
        assert any(isinstance(each, Typing) for each in told)
        # Leaving.
        await bob.chat.members.leave(id)
        await until(lambda: id not in bob.chat.store.known)
        assert (await bob.chat.direct("ada")).peer == "ada"


async def test_every_operation_is_reached_by_its_name(sqlite_url: str, tmp_path: Path) -> None:
    async with chat_server(sqlite_url, tmp_path) as server, Client(server.url, server.token()) as client:
        assert (await client.chat.call("me.get")).user.id == "ada"
        assert (await client.chat.call("chat.me.get")).user.id == "ada"
        with pytest.raises(HubbubError) as unknown:
            await client.chat.call("of.tomorrow")
        assert unknown.value.code == ErrorCode.METHOD_NOT_FOUND
        for number in range(5):
            await client.chat.conversations.create("group", name=f"G{number}")
        pages = client.chat.pages(client.chat.conversations.list, "conversations", limit=2)
        assert len([each async for each in pages]) == 5


async def test_pages_of_older_messages(sqlite_url: str, tmp_path: Path) -> None:
    async with chat_server(sqlite_url, tmp_path, chat={"sync_messages": 10}) as server:
        async with Client(server.url, server.token()) as writer:
            id = await group(writer)
            sendings = [await writer.chat.send(id, f"n{number}") for number in range(35)]
            await sendings[-1]
        async with Client(server.url, server.token()) as client:
            await client.chat.start()
            known = client.chat.conversation(id)
            assert [text_of(each) for each in known.timeline()] == [f"n{number}" for number in range(25, 35)]
            lengths = []
            while page := await client.chat.load_before(id, limit=10):
                lengths.append(len(page))
            assert lengths == [10, 10, 5]
            assert [text_of(each) for each in known.timeline()] == [f"n{number}" for number in range(35)]
            assert known.oldest == 0


async def test_what_waits_in_the_outbox_is_shown(sqlite_url: str, tmp_path: Path) -> None:
    async with chat_server(sqlite_url, tmp_path) as server, Client(server.url, server.token()) as client:
        await client.chat.start()
        id = await group(client)
        await until(lambda: id in client.chat.store.known)
        client.session.ready.clear()  # as while the link is lost
        first = await client.chat.send(id, "one")
        await client.chat.send(id, parts=[])
        shown = client.chat.timeline(id)
        assert [(text_of(each.message), each.status, each.message.sender) for each in shown] == [
            ("one", "queued", "ada"),
            ("", "queued", "ada"),
        ]
        client.session.ready.set()
        assert (await first).seq > 0
        await client.outbox.empty()
        shown = client.chat.timeline(id)
        assert [(text_of(each.message), each.status) for each in shown] == [("one", "sent"), ("", "failed")]
        assert shown[1].entry is not None
        await client.outbox.discard(shown[1].entry.id)
        assert len(client.chat.timeline(id)) == 1


async def test_a_message_of_everything(sqlite_url: str, tmp_path: Path) -> None:
    async with chat_server(sqlite_url, tmp_path) as server, Client(server.url, server.token()) as client:
        id = await group(client)
        file = await client.chat.upload(b"report", name="r.txt")
        sending = await client.chat.send(
            id,
            "See",
            parts=[{"type": "x.y", "n": 1}],
            files=[file],
            silent=True,
            previews=False,
            expires_in=3600.0,
            key="k",
        )
        sent = await sending.sent()
        assert [part["type"] for part in _parts(sent.message)] == ["text", "x.y", "file"]
        options = sent.message.options
        assert options is not None
        assert (options.silent, options.previews, options.expires is not None) == (True, False, True)
        assert (await (await client.chat.send(id, "See", key="k2")).sent()).duplicate is False


def _parts(message: Any) -> list[Any]:
    from hubbub.client.chat import parts_of

    return parts_of(message)


async def test_who_reads_too_slowly_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.client.chat.chat.WAITING", 3)
    reader = _Reader()
    for _ in range(10):
        reader.give(Synced(()))
    assert await take(reader, 2) == [Missed(9), Synced(())]
    reader.give(Synced(("c",)))
    reader.end()
    assert [each async for each in reader] == [Synced(("c",))]


async def test_a_server_without_conversations() -> None:
    from hubbub.testing.server import running_server

    async with (
        running_server(chat={"enabled": False}) as server,
        Client(server.url, server.token()) as client,
    ):
        with pytest.raises(HubbubError) as off:
            await client.chat.start()
        assert off.value.code == ErrorCode.METHOD_NOT_FOUND


async def test_iterating_ends_with_the_client(sqlite_url: str, tmp_path: Path) -> None:
    async with chat_server(sqlite_url, tmp_path) as server:
        async with Client(server.url, server.token()) as client:
            await client.chat.start()
            events = aiter(client.chat)
        assert [each async for each in events if not isinstance(each, Synced)] == []
