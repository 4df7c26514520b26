"""What the routes of the server API work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from hubbub.auth.api_keys import ApiKeys
from hubbub.auth.revocation import Revocations
from hubbub.auth.tickets import Tickets
from hubbub.chat.auditing import write_down
from hubbub.chat.chat import Chat
from hubbub.hub.hub import Hub


@dataclass(frozen=True, slots=True)
class ApiContext:
    """One server's parts, as far as its API needs them. `revocations` is None with a Policy that keeps none, `chat`
    where `chat.enabled` is off."""

    hub: Hub
    api_keys: ApiKeys
    tickets: Tickets
    revocations: Revocations | None = None
    chat: Chat | None = None

    async def audit(self, act: str, *, user: str | None = None, **data: Any) -> None:
        """Write down what was done by an API key, where there is a log for it."""
        if self.chat is not None:
            await write_down(self.chat, act, user=user, **data)


Context = NamedDependency[SkipValidation[ApiContext]]
"""The annotation by which a route asks for the context."""


def context_of(connection: ASGIConnection[Any, Any, Any, Any]) -> ApiContext:
    """The context of the server that a request came to."""
    return cast(ApiContext, connection.scope["state"]["context"])


def provided(request: Request[Any, Any, Any]) -> ApiContext:
    """The same as a dependency of routes."""
    return context_of(request)
