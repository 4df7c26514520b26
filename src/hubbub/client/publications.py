"""A publication as its reader gets it: with its data decoded, as whatever type is asked for. Pure."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Generic, TypeVar

import msgspec

from hubbub.model import Position, Publication

D = TypeVar("D")


class Received(Generic[D]):
    """What was published in a channel.

    `data` is decoded when it is looked at: as the channel's type, or as msgspec decodes JSON. It raises
    msgspec.ValidationError for what is not of that type; `raw` is the JSON.
    """

    def __init__(self, publication: Publication, type: Any = Any) -> None:
        self.publication = publication
        self._type = type

    @cached_property
    def data(self) -> D:
        """What was published."""
        value: D = msgspec.json.decode(self.publication.data, type=self._type)
        return value

    @property
    def raw(self) -> bytes:
        """The data as JSON."""
        return bytes(self.publication.data)

    @property
    def channel(self) -> str:
        return self.publication.channel

    @property
    def event(self) -> str:
        """What kind of event it is: `message`, if nobody said."""
        return self.publication.event

    @property
    def id(self) -> str:
        return self.publication.id

    @property
    def sender(self) -> str | None:
        """The user who published it; None for the server."""
        return self.publication.sender

    @property
    def time(self) -> float:
        """When, in Unix seconds of the server."""
        return self.publication.time

    @property
    def offset(self) -> int | None:
        """Its place in the channel's log, None where none is kept."""
        return self.publication.offset

    @property
    def position(self) -> Position | None:
        """Its place, to subscribe from or to read history since."""
        offset, epoch = self.publication.offset, self.publication.epoch
        return None if offset is None or epoch is None else Position(epoch, offset)

    def __repr__(self) -> str:
        place = f" {self.offset}" if self.offset is not None else ""
        return f"<Received {self.event!r} in {self.channel!r}{place}>"
