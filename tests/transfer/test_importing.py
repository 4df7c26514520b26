"""What comes from a file is as if it had been said here, and hostile files hurt nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.chat.talk import text, words
from tests.chat.world import World
from tests.transfer.moving import ADA, BOB, END, HEAD, INSIDE, ROOM, START, bring, file_of, message

from hubbub.chat.ledger import View
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import imports
from hubbub.transfer import importing
from hubbub.transfer.lines import LONGEST
from hubbub.transfer.reading import Unreadable

pytestmark = pytest.mark.anyio
DEEP = b'{"type":"message","conversation":"c1","id":"d","sender":"ada","created":1,"parts":[' + b"[" * 50_000


async def timeline(chat: World, user: str = "ada") -> list[str]:
    return words((await chat.do("messages.list", user, conversation="c1")).messages)


def states(view: View) -> list[str]:
    return list(view.execute(sa.select(imports.c.state)).scalars())


async def test_messages_with_all_that_is_on_them(chat: World, tmp_path: Path) -> None:
    path = file_of(
        tmp_path / "all.jsonl",
        *HEAD,
        message("1", "the root", created=100.0, reactions=[{"name": "👍", "users": ["bob", "ada"]}]),
        message("2", "a reply", "bob", created=101.0, thread="1"),
        message("3", "and @ada", "bob", created=102.0, reply_to="1", mentions={"users": ["ada", "nobody"]}),
        message("4", "was edited", created=103.0, version=3, edited=104.0),
        message("5", created=105.0, deleted=106.0),
        message(
            "6", created=107.0, parts=[{"type": "file", "file": "f1", "name": "plan.pdf", "caption": "see"}]
        ),
        {"type": "cursor", "conversation": "c1", "user": "ada", "read": 1, "delivered": 2},
        END,
    )
    moved = await bring(chat, path)
    assert moved.refused == []
    assert (moved.report.whole, moved.counts.messages, moved.counts.members, moved.counts.users) == (
        True,
        6,
        2,
        2,
    )
    page = await chat.do("messages.list", "ada", conversation="c1")
    root, naming, edited, gone, filed = page.messages
    assert words(page.messages) == ["the root", "and @ada", "was edited", "", "see\n[plan.pdf]"]
    assert (root.created, root.sender, root.replies, root.last_reply) == (100.0, "ada", 1, 101.0)
    assert [(each.name, each.count, each.users) for each in root.reactions] == [("👍", 2, ("bob", "ada"))]
    assert all(each.options.imported for each in page.messages)
    assert (naming.reply_to, naming.mentions.users) == (root.seq, ("ada",))
    assert (edited.version, edited.edited, gone.deleted) == (3, 104.0, 106.0)
    replies = await chat.do("messages.list", "ada", conversation="c1", thread=root.seq)
    assert words(replies.messages) == ["a reply"]
    found = await chat.do("search", "bob", query="edited")
    assert [hit.message.seq for hit in found.hits] == [edited.seq]
    mine = await chat.do("conversations.get", "bob", conversation="c1")
    assert mine.membership.unread == 2, "what came after bob's own"
    await chat.do("messages.send", "bob", conversation="c1", parts=text("and on"), reply_to=filed.seq)
    assert (await timeline(chat))[-1] == "and on"
    assert await chat.inbox("bob") == [], "nobody is woken for what is old"


async def test_twice_is_once(chat: World, tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.jsonl", *HEAD, message("1"), message("1", "again"), message("2"), END)
    assert (await bring(chat, path)).counts.messages == 2
    assert (await bring(chat, path)).report.again
    more = file_of(
        tmp_path / "b.jsonl",
        START | {"created": 2.0},
        *HEAD[1:],
        message("1"),
        message("3", "late", thread="1", sender="bob"),
        message("1", "of the server", None),
        END,
    )
    moved = await bring(chat, more)
    assert (moved.counts.messages, moved.counts.known, moved.refused) == (1, 7, [])
    assert await timeline(chat) == ["hello", "hello"]


async def test_it_goes_on_where_it_was_stopped(
    chat: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 4)
    monkeypatch.setattr(importing, "REMEMBERED", 3)
    lines = [message(str(n), f"words {n}", created=100.0 + n) for n in range(20)]
    lines += [message(f"r{n}", "a reply", "bob", created=200.0 + n, thread=str(n)) for n in range(20)]
    begun = file_of(tmp_path / "a.jsonl", *HEAD, *lines[:17])
    first = await bring(chat, begun)
    assert (first.report.whole, await chat.read(states)) == (False, ["running"])
    whole = file_of(tmp_path / "a.jsonl", *HEAD, *lines, END)
    moved = await bring(chat, whole, resume=True)
    assert (moved.counts.messages, moved.counts.known, moved.refused) == (40, 0, [])
    assert await chat.read(states) == ["done"]
    assert await timeline(chat) == [f"words {n}" for n in range(20)]
    assert moved.counts.number == len(HEAD) + 41


async def test_what_was_begun_can_be_begun_anew(chat: World, tmp_path: Path) -> None:
    await bring(chat, file_of(tmp_path / "a.jsonl", *HEAD, message("1")))
    moved = await bring(chat, file_of(tmp_path / "a.jsonl", *HEAD, message("1"), message("2"), END))
    assert (moved.counts.messages, await timeline(chat)) == (1, ["hello", "hello"])


async def test_bad_lines_are_named_and_passed_over(chat: World, tmp_path: Path) -> None:
    path = file_of(
        tmp_path / "bad.jsonl",
        *HEAD,
        b"nonsense",  # 7
        b'{"type":"spaceship"}',
        b"\xff\xfe",
        DEEP,
        b'{"type":"message","pad":"' + b"x" * (2 * LONGEST) + b'"}',
        {"type": "member", "conversation": "c1", "user": "nobody"},
        {"type": "member", "conversation": "nowhere", "user": "ada"},
        message("1", sender="nobody"),
        message("2", conversation="nowhere"),
        message("3", thread="none"),
        message("4", parts=[]),
        message("5", parts=[{"type": "system", "event": "member.joined"}]),
        message("6", reactions=[{"name": "x", "users": ["nobody"]}]),
        message("7", "x" * 100_000),
        ROOM | {"kind": "topic"},
        ROOM | {"id": "c2", "kind": "direct", "users": ["ada", "bob", "eve"]},
        {"type": "user", "id": "eve", "name": "\u202e"},
        {"type": "cursor", "conversation": "c1", "user": "eve"},
        {"type": "user", "id": "eve", "avatar": "javascript:alert(1)"},
        message("8", kind="system", sender=None),
        message("9", "the only one"),
        END,
        message("10", "behind it"),
    )
    moved = await bring(chat, path)
    assert sorted(number for number, _ in moved.refused) == [*range(7, 27), 29]
    assert moved.counts.faults == 20 or moved.counts.faults == 21
    assert all(why for _, why in moved.refused)
    assert await timeline(chat) == ["the only one"]


async def test_strict_stops_at_the_first(chat: World, tmp_path: Path) -> None:
    for bad in (b"nonsense", message("2", sender="nobody")):
        path = file_of(tmp_path / "bad.jsonl", *HEAD, message("1"), bad, message("3"), END)
        with pytest.raises(HubbubError) as failure:
            await bring(chat, path, strict=True)
        assert failure.value.code == ErrorCode.VALIDATION_FAILED
        assert "line 8: " in str(failure.value)
        assert await chat.read(states) == []


async def test_the_end_must_be_as_it_says(chat: World, tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.jsonl", *HEAD, message("1"), END | {"counts": {"message": 2}})
    moved = await bring(chat, path)
    assert moved.refused == [(8, "there should be 2 lines of the type message, not 1")]


async def test_what_is_no_workspace_is_not_begun_with(chat: World, tmp_path: Path) -> None:
    starts: list[list[Any]] = [[], [ADA], [b"x" * (LONGEST + 9)], [START | {"version": 2}]]
    for lines in starts:
        with pytest.raises(Unreadable):
            await bring(chat, file_of(tmp_path / "no.jsonl", *lines))
    with pytest.raises(Unreadable, match="from this database"):
        await bring(chat, file_of(tmp_path / "own.jsonl", START | {"source": chat.store.epoch}, END))


async def test_another_file_is_not_gone_on_with(chat: World, tmp_path: Path) -> None:
    await bring(chat, file_of(tmp_path / "a.jsonl", *HEAD))
    with pytest.raises(Unreadable, match="begun with"):
        await bring(
            chat, file_of(tmp_path / "a.jsonl", START, BOB | {"name": "B" * 90}, *INSIDE, END), resume=True
        )


async def test_who_may_not_see_the_past_sees_nothing_meanwhile(chat: World, tmp_path: Path) -> None:
    hidden = [INSIDE[0], INSIDE[1] | {"hidden": True}]
    lines: list[Any] = [
        START,
        ADA,
        BOB,
        ROOM | {"history": "joined"},
        *hidden,
        message("1", "a secret"),
        message("2", "open"),
    ]
    await bring(chat, file_of(tmp_path / "a.jsonl", *lines))
    assert await timeline(chat, "bob") == []
    cursor = {"type": "cursor", "conversation": "c1", "user": "bob", "unseen": 1, "read": 1}
    await bring(chat, file_of(tmp_path / "a.jsonl", *lines, cursor, END), resume=True)
    assert await timeline(chat, "bob") == ["open"]
    assert await timeline(chat, "ada") == ["a secret", "open"]
