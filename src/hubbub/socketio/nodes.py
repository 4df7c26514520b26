"""Events from server to server: what one node tells the others, past all clients."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Callable
from typing import Any

import msgspec

from hubbub.hub import eager
from hubbub.hub.hub import Hub
from hubbub.model import Envelope, Publication, Raw
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.socketio")

CHANNEL = "socketio:##"
"""Of no namespace, as those begin with a slash; and no client may say it."""


class Nodes:
    """The events of other nodes, handled here, and those of this node, told to them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._id = secrets.token_urlsafe(6)
        self._handlers: dict[str, Callable[..., Any]] = {}
        hub.listeners[CHANNEL] = self._heard

    def add(self, event: str, function: Callable[..., Any]) -> None:
        """Raises TypeError for a second handler of `event`."""
        if event in self._handlers:
            raise TypeError(f"there is a handler of {event!r} between servers already")
        self._handlers[event] = function

    async def emit(self, event: str, arguments: tuple[Any, ...]) -> None:
        publication = Publication(CHANNEL, event, Raw(msgspec.json.encode(arguments)), sender=self._id)
        await self._hub.broker.publish(Envelope(publication))

    def _heard(self, envelope: Envelope) -> None:
        push = envelope.push
        if not isinstance(push, Publication) or push.sender == self._id:
            return
        handler = self._handlers.get(push.event)
        if handler is not None:
            self._hub.spawn(self._run(handler, push))

    async def _run(self, handler: Callable[..., Any], push: Publication) -> None:
        try:
            await eager.in_task(_call, handler, msgspec.json.decode(push.data))
        except Exception as error:
            self._hub.metrics.handler_errors += 1
            log.error("handler of an event between servers failed", event_name=push.event, exc_info=error)


async def _call(handler: Callable[..., Any], arguments: list[Any]) -> None:
    result = handler(*arguments)
    if inspect.isawaitable(result):
        await result
