"""The Policy port: who is this, and may they do that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from hubbub.model import Operation, Principal


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """What is known of a client before it says who it is. Header names are lower case; `query` is what a Socket.IO
    client put into its URL."""

    address: str = ""
    transport: str = ""
    protocol: str = ""
    origin: str | None = None
    user_agent: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    query: str = field(default="", repr=False)


class Policy(Protocol):
    """Decides. Both methods raise HubbubError to refuse; they may await."""

    async def authenticate(self, token: str | None, info: ConnectionInfo) -> Principal:
        """Raises INVALID_TOKEN, TOKEN_EXPIRED or UNAUTHENTICATED."""

    async def authorize(
        self, principal: Principal, operation: Operation, channel: str, token: str | None = None
    ) -> None:
        """`token` is a subscription token, if one came with the command. Raises PERMISSION_DENIED."""
