"""People who do at random what can be done in a conversation."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

from hubbub.client import Client, HubbubError
from hubbub.client.chat.operations.conversations import ConversationsNewMember


async def talk(clients: list[Client], steps: int, seed: int) -> list[str]:
    """`steps` steps of the `clients`, of whom the first makes the conversations; the ids of these."""
    chance = random.Random(seed)
    first = clients[0].chat
    for client in clients:
        await client.chat.start()
    members = [ConversationsNewMember(client.user) for client in clients[1:]]
    made = [await first.conversations.create("group", name=f"G{n}", members=members) for n in range(2)]
    ids = [each.conversation.id for each in made]
    sent: list[tuple[str, int]] = []
    for step in range(steps):
        chat = chance.choice(clients).chat
        with contextlib.suppress(HubbubError):  # much of it is not possible just now
            await _step(chat, chance, ids, sent, step)
    return ids


async def _step(
    chat: Any, chance: random.Random, ids: list[str], sent: list[tuple[str, int]], step: int
) -> None:
    id = chance.choice(ids)
    place, seq = chance.choice(sent) if sent else (id, 0)
    said = [{"type": "text", "text": f"n{step}"}]
    match chance.randrange(16) if sent else 0:
        case 0 | 1 | 2 | 3 | 4:
            answer = await chat.messages.send(id, said)
            sent.append((id, answer.message.seq))
        case 5:
            await chat.messages.send(place, said, thread=seq)
        case 6:
            await chat.messages.edit(place, seq, said)
        case 7:
            await chat.messages.delete(place, seq)
        case 8 | 9:
            await chat.reactions.add(place, seq, chance.choice(("+1", "-1")))
        case 10:
            await chat.reactions.remove(place, seq, chance.choice(("+1", "-1")))
        case 11:
            await chat.pins.add(place, seq)
        case 12:
            await chat.conversations.update(id, topic=f"t{step}")
        case 13:
            await chat.mark_read(id, seq if place == id else None) if id in chat.store.known else None
        case 14:
            await chat.messages.delete(place, seq, for_="me")
        case 15:
            await chat.bookmarks.add(place, seq)
    if not chance.randrange(8):
        await asyncio.sleep(0)
