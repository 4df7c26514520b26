"""Follow a channel and publish to it from Python; a lost connection is resumed and nothing comes twice.

python python_client.py http://127.0.0.1:8000 TOKEN
"""

from __future__ import annotations

import asyncio
import sys

from hubbub.client import Client, Gap, Reconnected, Recovered
from hubbub.model import Publication


async def main(url: str, token: str, count: int = 6) -> None:
    async with Client(url, token) as client:
        await client.subscribe("lobby")
        for n in range(3):
            await client.publish("lobby", {"n": n})
        client.drop()  # as a broken network would
        for n in range(3, count):
            await client.publish("lobby", {"n": n})  # waits for the connection, and is accepted once
        async for event in client:
            match event:
                case Publication(data=data, offset=offset):
                    print(f"publication {offset}: {bytes(data).decode()}")
                    count -= 1
                    if not count:
                        return
                case Reconnected(resumed=resumed):
                    print("back in", "the same session" if resumed else "a new session")
                case Recovered(channel=channel):
                    print(f"{channel}: nothing is missing")
                case Gap(channel=channel):
                    print(f"{channel}: something is lost, read its state afresh")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
