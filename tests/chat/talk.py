"""Saying things in a `World`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from tests.chat.world import World

from hubbub.chat.model import Message


def text(words: str) -> list[dict[str, Any]]:
    """Parts that say `words`."""
    return [{"type": "text", "text": words}]


def said(message: Message) -> list[str]:
    """The text parts of a message."""
    parts = [msgspec.json.decode(part) for part in message.parts]
    return [part["text"] for part in parts if part["type"] == "text"]


def words(messages: Sequence[Message]) -> list[str]:
    """What messages say; "" for tombstones, and the event of system messages."""
    found = []
    for message in messages:
        part = msgspec.json.decode(message.parts[0]) if message.parts else {"text": ""}
        found.append(part.get("text", part.get("event", "")))
    return found


async def say(world: World, conversation: str, user: str, words: str, **params: Any) -> Message:
    """Send a text; the message."""
    sent = await world.do("messages.send", user, conversation=conversation, parts=text(words), **params)
    message: Message = sent.message
    return message


@asynccontextmanager
async def limited(database: str, **settings: Any) -> AsyncIterator[World]:
    """As the fixture `chat`, with settings."""
    world = World(database, **settings)
    await world.start()
    try:
        yield world
        await world.check()
    finally:
        await world.stop()
