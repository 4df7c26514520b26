"""A conversation at the terminal: what others write appears, what you write is sent, or kept while there is no network.

python python_chat.py http://127.0.0.1:8000 TOKEN OTHER_USER
"""

from __future__ import annotations

import asyncio
import sys

from hubbub.chat.events import MessageCreated, Typing
from hubbub.client import Client
from hubbub.client.chat import text_of


async def show(client: Client, conversation: str) -> None:
    async for event in client.chat:
        match event:
            case MessageCreated(message=message) if message.conversation == conversation:
                print(f"{message.sender}: {text_of(message)}", flush=True)
            case Typing(user=user) if event.ttl and event.conversation == conversation:
                print(f"({user} is typing)", flush=True)


async def main(url: str, token: str, other: str) -> None:
    async with Client(url, token, patient=True, outbox="outbox.db") as client:
        await client.chat.start()
        conversation = (await client.chat.direct(other)).conversation.id
        for item in client.chat.timeline(conversation) if conversation in client.chat.store.known else ():
            print(f"{item.message.sender}: {text_of(item.message)}")
        showing = asyncio.create_task(show(client, conversation))
        while line := await asyncio.to_thread(sys.stdin.readline):
            await client.chat.send(conversation, line.strip())
        await client.outbox.empty()
        showing.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3]))
