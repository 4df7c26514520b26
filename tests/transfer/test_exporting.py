"""What goes out comes in again as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from msgspec.structs import replace
from tests.chat.talk import say, text
from tests.chat.world import World
from tests.transfer.moving import bring, take

from hubbub.chat.events import State
from hubbub.chat.model import Message
from hubbub.storage.tables import messages
from hubbub.transfer import exporting
from hubbub.transfer.lines import End, Workspace, decode

pytestmark = pytest.mark.anyio


async def busy(world: World) -> tuple[str, str, str]:
    """A workspace in which things happen."""
    group = await world.group("ada", "bob", "cleo")
    topic = await world.topic("bob", "ada", topic="All that is new", custom={"a": [1]}, history="joined")
    direct = await world.direct("ada", "bob")
    await world.user("ada", name="Ada Lovelace", kind="person", custom={"x": 1})
    root = await say(world, group, "ada", "a root")
    for n in range(5):
        await say(world, group, "bob", f"reply {n}", thread=root.seq)
        await say(world, group, "cleo", f"words {n}", reply_to=root.seq)
    for user in ("cleo", "ada", "bob"):
        await world.do("reactions.add", user, conversation=group, message=root.seq, name="👍")
    await world.do("reactions.add", "bob", conversation=group, message=root.seq, name="eyes")
    edited = await say(world, group, "bob", "wrong", mentions={"users": ["ada"], "everyone": "all"})
    await world.do("messages.edit", "bob", conversation=group, message=edited.seq, parts=text("right"))
    gone = await say(world, group, "bob", "never said")
    await world.do("messages.delete", "bob", conversation=group, message=gone.seq)
    await say(world, topic, "bob", "before eve")
    await world.user("eve")
    await world.do("members.add", "bob", conversation=topic, users=["eve"])
    await say(world, topic, "bob", "after eve", silent=True)
    await say(world, direct, "ada", "between us")
    await world.do("members.remove", "ada", conversation=group, user="cleo")
    return group, topic, direct


def shape(state: State, at: dict[int, int]) -> list[Any]:
    """What must be the same on both sides, with seqs as `at` has them."""
    found: list[Any] = [
        replace(state.conversation, seq=0, last_message=None),
        sorted((each.user, each.role, each.state) for each in state.members.values()),
    ]
    said = sorted(state.messages.values(), key=lambda each: each.seq)
    return [*found, *(_shape(message, at) for message in said)]


def _shape(message: Message, at: dict[int, int]) -> Message:
    options = message.options and replace(message.options, imported=False)
    return replace(
        message,
        seq=at[message.seq],
        thread=None if message.thread is None else at[message.thread],
        reply_to=None if message.reply_to is None else at[message.reply_to],
        options=None if options is None or not msgspec.json.decode(msgspec.json.encode(options)) else options,
    )


def places(seqs: Sequence[int]) -> dict[int, int]:
    return {seq: place for place, seq in enumerate(sorted(seqs))}


@pytest.mark.parametrize("page", [2, 1000])
async def test_it_comes_in_as_it_went_out(
    chat: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(exporting, "PAGE", page)
    made = await busy(chat)
    path = await take(chat, tmp_path / "all.jsonl")
    async with World(f"sqlite:///{tmp_path / 'other.db'}") as other:
        moved = await bring(other, path)
        assert moved.refused == []
        assert moved.report.whole
        for id in made:
            old, new = await chat.state(id), await other.state(id)
            assert shape(new, places([*new.messages])) == shape(old, places([*old.messages]))
            for user in ("ada", "bob", "eve"):
                if user in old.members and old.members[user].state == "joined":
                    there = await chat.do("conversations.get", user, conversation=id)
                    here = await other.do("conversations.get", user, conversation=id)
                    assert here.membership.unread == there.membership.unread, user
                    assert here.membership.mentions == there.membership.mentions, user
        seen = await other.do("messages.list", "eve", conversation=made[1])
        assert len(seen.messages) == 1, "not what was said before it came"
        assert (await other.do("users.get", "bob", user="ada")).name == "Ada Lovelace"


async def test_it_can_be_brought_again_later_with_what_is_new(chat: World, tmp_path: Path) -> None:
    group, _, _ = await busy(chat)
    async with World(f"sqlite:///{tmp_path / 'other.db'}") as other:
        await bring(other, await take(chat, tmp_path / "one.jsonl"))
        await say(chat, group, "ada", "since then")
        moved = await bring(other, await take(chat, tmp_path / "two.jsonl"))
        assert (moved.counts.messages, moved.refused) == (1, [])


async def test_the_file_begins_and_ends_as_it_should(chat: World, tmp_path: Path) -> None:
    await busy(chat)
    raw = await asyncio.to_thread((await take(chat, tmp_path / "all.jsonl")).read_bytes)
    lines = [decode(each) for each in raw.splitlines()]
    assert isinstance(lines[0], Workspace)
    end = lines[-1]
    assert isinstance(end, End)
    assert end.counts["user"] == 4
    assert sum(end.counts.values()) == len(lines) - 1


async def test_what_began_here_is_not_brought_a_second_time(chat: World, tmp_path: Path) -> None:
    await busy(chat)
    path = await take(chat, tmp_path / "all.jsonl")
    raw = await asyncio.to_thread(path.read_bytes)
    # As a copy by `hubbub backup` would name itself.
    await asyncio.to_thread(path.write_bytes, raw.replace(chat.store.epoch.encode(), b"a-copy"))
    before = await chat.read(
        lambda view: view.execute(sa.select(sa.func.count()).select_from(messages)).scalar()
    )
    moved = await bring(chat, path)
    assert (moved.counts.messages, moved.counts.conversations, moved.counts.members) == (0, 0, 0)
    assert {why for _, why in moved.refused} == {"the conversation began in this database"}
    after = await chat.read(
        lambda view: view.execute(sa.select(sa.func.count()).select_from(messages)).scalar()
    )
    assert before == after


async def test_copies_of_one_database_are_one(chat: World, tmp_path: Path) -> None:
    await busy(chat)
    path = await take(chat, tmp_path / "all.jsonl")
    async with World(f"sqlite:///{tmp_path / 'other.db'}") as other:
        await bring(other, path)
        raw = await asyncio.to_thread(path.read_bytes)
        await asyncio.to_thread(path.write_bytes, raw.replace(chat.store.epoch.encode(), b"a-copy"))
        moved = await bring(other, path)
        assert (moved.counts.messages, moved.refused) == (0, [])
