"""A small asyncio client of the native protocol: connect, subscribe, publish, and come back by itself.

    async with Client("ws://127.0.0.1:8000", token) as client:
        await client.subscribe("orders:eu")
        async for event in client:
            ...

Of the server it knows only `model`, `errors` and what the wire says.
"""

from hubbub.client.client import Client, Token
from hubbub.client.events import ClientError, Disconnected, Event, Gap, Reconnected, Reconnecting, Recovered

__all__ = [
    "Client",
    "ClientError",
    "Disconnected",
    "Event",
    "Gap",
    "Reconnected",
    "Reconnecting",
    "Recovered",
    "Token",
]
