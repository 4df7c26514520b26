"""The ports of a wire protocol: Codec for one connection, Encoding for everyone who gets equal bytes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from hubbub.model import Acknowledged, Command, Invalid, Push, Reply, SessionPush


class Payload(Struct, frozen=True, gc=False):
    """One message of a protocol, before a transport frames it."""

    data: bytes
    binary: bool = False


Framing = Callable[[Sequence[Payload]], bytes]
"""Payloads to wire bytes: shared by all connections of one transport and mode, so it is part of a group's key."""


class Encoding(Hashable, Protocol):
    """How a broadcast looks to one audience. Equal encodings give equal bytes; [] means: not for this audience."""

    @property
    def journaled(self) -> bool:
        """Whether this audience resumes by the numbers of the node's journal, and not by Positions."""

    def encode(self, push: Push, sequence: int = 0) -> Sequence[Payload]:
        """`sequence` is the number of the push in the node's journal; 0 where it keeps none."""


class Codec(Protocol):
    """One connection's dialect. Pure: no clock, no I/O."""

    def receive(self, data: bytes | str) -> Sequence[Command | Invalid | Payload]:
        """Commands in `data`; a Payload is to be sent back as it is. Raises ProtocolError only."""

    def reply(self, reply: Reply | Acknowledged) -> Sequence[Payload]:
        """Whatever is for this recipient alone, in answer to a command."""

    def push(self, push: SessionPush) -> Sequence[Payload]:
        """Whatever is for this recipient alone, unasked."""

    def encoding(self, channel: str) -> Encoding:
        """The shared encoding for `channel`; asked once, when subscribing."""


@dataclass(frozen=True, slots=True)
class ProtocolEntry:
    """A row of the protocol registry in `app.py`."""

    name: str
    subprotocol: str
    binary: bool
    codec: Callable[[], Codec]
