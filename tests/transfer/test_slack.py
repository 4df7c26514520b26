"""A Slack export comes in as conversations; one that was made to hurt does not."""

from __future__ import annotations

import asyncio
import json
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.chat.talk import words
from tests.chat.world import World
from tests.transfer.moving import bring

from hubbub.transfer import slack
from hubbub.transfer.reading import Unreadable
from hubbub.transfer.slack import SlackExport

pytestmark = pytest.mark.anyio
USERS = [
    {"id": "U1", "name": "ada", "profile": {"display_name": "Ada", "image_192": "https://example.com/a.png"}},
    {"id": "U2", "name": "bob", "profile": {"real_name": "Bob B."}},
    {"id": "U3", "name": "helper", "is_bot": True},
]
CHANNELS = [{"id": "C1", "name": "general", "created": 100, "creator": "U1", "members": ["U1", "U2"]}]
DMS = [{"id": "D1", "created": 100, "members": ["U1", "U2"]}]


def said(ts: str, text: str, user: str | None = "U1", **more: Any) -> dict[str, Any]:
    return {"type": "message", "ts": ts, "user": user, "text": text, **more}


DAY = [
    said("1000.000300", "third: <https://example.com|a page> &amp; *bold* ~gone~ `*code*`"),
    said(
        "1000.000100",
        "hello <@U2> and <!channel> in <#C1|general>",
        reactions=[{"name": "+1", "users": ["U2", "U9"]}],
    ),
    said("1000.000200", "<@U2> has joined", "U2", subtype="channel_join"),
    said("1000.000400", "a reply", "U2", thread_ts="1000.000100"),
    said("1000.000500", "of nobody's thread", "U2", thread_ts="1.000100"),
    said(
        "1000.000600",
        "",
        None,
        subtype="bot_message",
        bot_id="B1",
        username="build",
        attachments=[{"fallback": "it is red"}],
    ),
    said(
        "1000.000700",
        "see",
        "U9",
        files=[
            {"name": "plan.pdf", "permalink": "https://example.com/p"},
            {"name": "x", "url_private": "javascript:x"},
        ],
    ),
    said("1000.000800", "was edited", edited={"user": "U1", "ts": "1001.0"}),
    {"type": "message", "ts": "soon", "text": "no time"},
    {"type": "message", "ts": "nan", "text": "no number"},
]


def packed(path: Path, **more: Any) -> Path:
    """An export, made up. Called in a thread."""
    files: dict[str, Any] = {"users.json": USERS, "channels.json": CHANNELS, "dms.json": DMS}
    files |= {"general/2026-01-01.json": DAY[5:], "general/2026-01-00.json": DAY[:5]}
    files |= {"D1/2026-01-01.json": [said("1002.0", "between us", "U2")], **more.pop("files", {})}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content if isinstance(content, bytes) else json.dumps(content))
    return path


async def export(path: Path, **more: Any) -> SlackExport:
    return await asyncio.to_thread(lambda: SlackExport(packed(path, **more)))


async def test_all_that_slack_has(chat: World, tmp_path: Path) -> None:
    moved = await bring(chat, await export(tmp_path / "slack.zip"))
    assert len(moved.refused) == 2, moved.refused
    page = await chat.do("messages.list", "U1", conversation="C1")
    hello, styled, alone, bot, filed, edited = page.messages
    assert words(page.messages) == [
        "hello @Bob B. and @channel in #general",
        "third: [a page](https://example.com) & **bold** ~~gone~~ `*code*`",
        "of nobody's thread",
        "it is red",
        "see",
        "was edited",
    ]
    assert (hello.mentions.users, hello.mentions.everyone, hello.replies) == (("U2",), "all", 1)
    assert [(each.name, each.users) for each in hello.reactions] == [(":+1:", ("U2",))]
    assert (styled.created, alone.sender, alone.thread) == (1000.0003, "U2", None)
    assert (bot.sender, (await chat.do("users.get", "U1", user="B1")).kind) == ("B1", "service")
    assert [msgspec.json.decode(part) for part in filed.parts[1:]] == [
        {"type": "embed", "url": "https://example.com/p", "title": "plan.pdf"},
        {"type": "text", "text": "[x]"},
    ]
    assert (edited.version, edited.edited) == (2, 1001.0)
    mine = await chat.do("conversations.get", "U2", conversation="C1")
    assert (mine.conversation.kind, mine.conversation.name, mine.membership.unread) == ("topic", "general", 0)
    direct = await chat.do("conversations.direct", "U1", user="U2")
    assert direct.conversation.conversation.id == "D1"
    assert (await chat.do("users.get", "U2", user="U1")).avatar == "https://example.com/a.png"


async def test_a_later_export_brings_what_is_new(chat: World, tmp_path: Path) -> None:
    await bring(chat, await export(tmp_path / "one.zip"))
    later = {"general/2026-02-01.json": [said("2000.1", "in spring", thread_ts="1000.000100")]}
    moved = await bring(chat, await export(tmp_path / "two.zip", files=later))
    assert moved.counts.messages == 1
    again = await bring(chat, await export(tmp_path / "two.zip", files=later))
    assert again.report.again


@pytest.mark.parametrize(
    "name", ["../users.json", "/etc/passwd", "general/../../x.json", "C:/x.json", "a\\b.json"]
)
async def test_files_that_would_lie_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(Unreadable, match="outside"):
        await export(tmp_path / "slack.zip", files={name: []})


async def test_bombs(chat: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unreadable, match="too well"):
        await export(tmp_path / "slack.zip", files={"general/2026-03-01.json": b" " * 4_000_000})
    monkeypatch.setattr(slack, "LARGEST_FILE", 2000)
    with pytest.raises(Unreadable, match="more than"):
        await export(tmp_path / "slack.zip", files={"general/2026-03-01.json": b" " * 3_000})


@pytest.mark.parametrize(
    "files",
    [
        {"users.json": b"{}"},
        {"users.json": b"\xff"},
        {"channels.json": b"[" * 100_000},
        {"general/2026-01-00.json": b"[1, 2"},
    ],
)
async def test_what_is_no_export(chat: World, tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(Unreadable):
        await bring(chat, await export(tmp_path / "slack.zip", files=files))


async def test_what_is_no_zip(tmp_path: Path) -> None:
    def made() -> Path:
        path = tmp_path / "slack.zip"
        path.write_bytes(b"PK no zip")
        return path

    with pytest.raises(Unreadable, match="no zip"):
        await asyncio.to_thread(lambda: SlackExport(made()))
