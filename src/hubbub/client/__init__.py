"""The Python SDK: channels with recovery, an outbox for what is written offline, conversations, the server's own API.

    async with Client("http://127.0.0.1:8000", token) as client:
        async for publication in client.channel("orders:eu"):
            print(publication.data)

`hubbub.client.server` is for backends, `hubbub.client.blocking` for scripts and notebooks. Of the server it knows only
`model`, `errors`, the chat's pure types and what the wire says; nothing of what a server needs is imported.
"""

from hubbub.client.channel import Channel, Subscription
from hubbub.client.client import Client
from hubbub.client.events import (
    ClientError,
    ClosedError,
    Disconnected,
    Event,
    Gap,
    Reconnected,
    Reconnecting,
    Recovered,
)
from hubbub.client.failures import LostError
from hubbub.client.presence import PresenceSet
from hubbub.client.publications import Received
from hubbub.client.state import State, Transport
from hubbub.client.tokens import Token
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Position

__all__ = [
    "Channel",
    "Client",
    "ClientError",
    "ClosedError",
    "Disconnected",
    "ErrorCode",
    "Event",
    "Gap",
    "HubbubError",
    "LostError",
    "Position",
    "PresenceSet",
    "Received",
    "Reconnected",
    "Reconnecting",
    "Recovered",
    "State",
    "Subscription",
    "Token",
    "Transport",
]
