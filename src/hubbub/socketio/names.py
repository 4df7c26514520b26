"""Which channel a room is, and which room a channel."""

from __future__ import annotations

import re
from functools import lru_cache

from hubbub.auth.channels import check_channel, matches
from hubbub.config import SocketIoConfig
from hubbub.errors import ErrorCode, HubbubError

PRIVATE = "socketio:#"
"""Rooms that are mapped to no channel have names that begin so: `#` is in no name that a client may use, so nobody
but this server enters or reads them."""


class Names:
    """`length` is the longest name of a channel, and of a room."""

    def __init__(self, config: SocketIoConfig, length: int) -> None:
        self._rooms = config.rooms
        self._everyone = config.everyone
        self._length = length
        self.any_mapped = bool(config.rooms or config.everyone)
        """Whether the configuration makes channels of any namespace."""
        self.everyone = lru_cache(maxsize=1024)(self._everyone_of)
        """The channel in which all sockets of a namespace are. Raises INVALID_CHANNEL for a mapped namespace whose
        channel could not have its name."""

    def mapped(self, namespace: str) -> bool:
        """Whether the configuration makes channels of the namespace or its rooms."""
        return _template(self._rooms, namespace) is not None or (
            _template(self._everyone, namespace) is not None
        )

    def _everyone_of(self, namespace: str) -> str:
        template = _template(self._everyone, namespace)
        if template is None:
            return f"{PRIVATE}{namespace}"
        return self._checked(_filled(template, namespace), "namespace")

    def _checked(self, channel: str, field: str) -> str:
        """A name that clients have had a part in."""
        check_channel(channel, self._length)
        if channel.startswith(("session:", "socketio:")):
            raise HubbubError(ErrorCode.INVALID_CHANNEL, f"{channel}: of the server's own", field=field)
        return channel

    def room(self, namespace: str, room: str) -> str:
        """The channel that a room is. Raises BAD_REQUEST for a name too long, INVALID_CHANNEL for a mapped room whose
        channel could not have its name."""
        if not room or len(room) > self._length:
            raise HubbubError(
                ErrorCode.BAD_REQUEST,
                f"a room's name has 1 to limits.channel_length = {self._length} characters",
                field="room",
            )
        template = _template(self._rooms, namespace)
        if template is None:
            return f"{PRIVATE}{namespace},{room}"
        return self._checked(_filled(template, namespace, room), "room")

    def room_of(self, namespace: str, channel: str) -> str | None:
        """The room that a channel is; None for the channel of the whole namespace. One that a client subscribed to
        and that no room is mapped to goes by its own name."""
        if channel == self.everyone(namespace):
            return None
        own = f"{PRIVATE}{namespace},"
        if channel.startswith(own):
            return channel[len(own) :]
        template = _template(self._rooms, namespace)
        if template is not None:
            before, after = (_filled(piece, namespace) for piece in template.split("{room}", 1))
            if channel.startswith(before) and channel.endswith(after):
                return channel[len(before) : len(channel) - len(after)] or channel
        return channel


def _template(templates: dict[str, str], namespace: str) -> str | None:
    """The template for `namespace`: its own, else that of the longest pattern that matches it."""
    if not templates:
        return None
    if namespace in templates:
        return templates[namespace]
    fitting = [pattern for pattern in templates if matches(pattern, namespace)]
    return templates[max(fitting, key=len)] if fitting else None


def _filled(template: str, namespace: str, room: str = "") -> str:
    # Piece by piece, so that a room called {namespace} is that and nothing else.
    return "".join(
        namespace[1:] if piece == "{namespace}" else room if piece == "{room}" else piece
        for piece in re.split(r"(\{namespace\}|\{room\})", template)
    )
