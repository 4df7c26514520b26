"""People who are there while one looks: by the Python SDK, as any client would be."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

from hubbub.client import Client, ClientError
from hubbub.client.chat import Chat
from hubbub.demo.cast import ASIDES, DESIGN, GENERAL, LOUNGE, RELEASE, SUPPORT
from hubbub.demo.today import picture
from hubbub.errors import HubbubError

PRESENT = ("grace", "linus", "mira", "noor", "sam", "yuki")
"""Who is at work today. Ada and Bob are whoever looks."""
WHERE = {
    "grace": (GENERAL, RELEASE, DESIGN),
    "linus": (GENERAL, RELEASE, SUPPORT),
    "mira": (DESIGN, LOUNGE, GENERAL),
    "noor": (DESIGN, LOUNGE, GENERAL),
    "sam": (SUPPORT, GENERAL, LOUNGE),
    "yuki": (SUPPORT, GENERAL, LOUNGE),
}
TYPING = (1.5, 4.0)
"""Seconds in which they type."""
REACTIONS = ("👍", "🎉", "👀", "❤️", "😂", "🙏")


async def bustle(
    url: str, token: Callable[[str], str], *, pace: float = 20.0, seed: int | None = None
) -> None:
    """Connect all of them, and let one after another do something every `pace` seconds or so, for ever."""
    chance = random.Random(seed)
    async with contextlib.AsyncExitStack() as clients:
        chats: dict[str, Chat] = {}
        for user in PRESENT:
            client = await clients.enter_async_context(Client(url, token(user), name="hubbub-demo"))
            await client.chat.start()
            chats[user] = client.chat
        await show(chats["mira"])
        while True:
            await asyncio.sleep(chance.uniform(0.5, 1.5) * pace)
            user = chance.choice(PRESENT)
            with contextlib.suppress(
                HubbubError, ClientError
            ):  # somebody was muted, a conversation closed: go on
                await act(chats[user], chance.choice(WHERE[user]), chance)


async def show(chat: Chat) -> None:
    """A screenshot in the design review."""
    file = await chat.upload(picture(), name="dark-mode-accent.png")
    await chat.send(DESIGN, "Both accents side by side, tell me what you see.", files=[file])


async def act(chat: Chat, conversation: str, chance: random.Random) -> None:
    """Read, and then react, answer in a thread, or write."""
    await chat.mark_read(conversation)
    known = chat.conversation(conversation)
    timeline = [message for message in known.timeline() if message.deleted is None and message.kind == "user"]
    deed = chance.random()
    if deed < 0.35 and timeline:
        await chat.reactions.add(conversation, chance.choice(timeline[-5:]).seq, chance.choice(REACTIONS))
        return
    thread = chance.choice(timeline[-5:]).seq if deed < 0.5 and timeline else None
    await chat.start_typing(conversation, thread)
    await asyncio.sleep(chance.uniform(*TYPING))
    await (await chat.send(conversation, chance.choice(ASIDES), markdown=True, thread=thread))
