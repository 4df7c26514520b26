"""What clients write down while servers are tortured: one JSON object a line, on one monotonic clock.

The form is that of a Jepsen history: every operation has an invocation (`inv`) and an outcome. `ok` and `fail` are
known outcomes, `info` says that it is unknown. `p` is a participant: `user`, or `user/device` where a user has several.
`ch` is a channel, `id` names a message, `seq` is its place in the channel's log, and `epoch` names that log. All times
`t` are seconds of the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Literal, TypeAlias

import msgspec
from msgspec import Struct

Outcome = Literal["inv", "ok", "fail", "info"]
Item = tuple[int, str]
"""A seq and the id of the message there."""


class Record(Struct, frozen=True, tag_field="f", omit_defaults=True):
    t: float


class Channel(Record, frozen=True, tag="channel", kw_only=True):
    """What is promised of a channel, said before anything else. A channel is `durable` unless this says otherwise: its
    log never ends. Another's may, when what keeps it is destroyed; a new one has another epoch, and says so."""

    ch: str
    durable: bool = True


class Send(Record, frozen=True, tag="send", kw_only=True):
    """One attempt to send. `op` is unique for each; a retry is a new `op` with the same `id`. `ok` has `seq`, and
    `epoch` unless the channel is durable."""

    p: str
    ch: str
    ph: Outcome
    op: int
    id: str
    seq: int | None = None
    epoch: str = ""
    why: str = ""


class Conn(Record, frozen=True, tag="conn", kw_only=True):
    """An attempt to connect."""

    p: str
    ph: Outcome
    why: str = ""


class Attach(Record, frozen=True, tag="attach", kw_only=True):
    """A subscription starts. `recovered` is None for a fresh start at the head `pos`; True: the server claims that the
    stream goes on after `since` (of `since_epoch`, if it is another than `epoch`); False: it says that something is
    missing, and the client starts again at `pos`."""

    p: str
    ch: str
    pos: int
    epoch: str
    since: int | None = None
    since_epoch: str = ""
    recovered: bool | None = None


class Recv(Record, frozen=True, tag="recv", kw_only=True):
    """A message is handed to the application. `whole`: its body has the checksum that it should have. `epoch` where it
    is told with the message."""

    p: str
    ch: str
    seq: int
    id: str
    whole: bool = True
    epoch: str = ""


class Moving(Record, frozen=True, tag="moving", kw_only=True):
    """`p` asks to enter or to leave the channel. Until it is told so (`Attach`, `Leave`), either may be true."""

    p: str
    ch: str


class Leave(Record, frozen=True, tag="leave", kw_only=True):
    """`p` has left the channel and was told so: nothing more of it may come."""

    p: str
    ch: str


class Detach(Record, frozen=True, tag="detach", kw_only=True):
    """The connection of `p` is gone, and all that it was attached to with it."""

    p: str
    why: str = ""


class Read(Record, frozen=True, tag="read", kw_only=True):
    """A page of history. `items` are all messages from `start` on, oldest first."""

    p: str
    ch: str
    ph: Outcome
    op: int
    start: int = 0
    epoch: str = ""
    items: tuple[Item, ...] = ()


class Receipt(Record, frozen=True, tag="receipt", kw_only=True):
    """`p` is told how far `user` has come: `kind` is `read` or `delivered`."""

    p: str
    ch: str
    user: str
    kind: str
    seq: int


class Presence(Record, frozen=True, tag="presence", kw_only=True):
    """The users who are in a channel, as `by` (a node, or a client) says that was asked at `t`, and has answered at
    `told` (0: at once). One user may be there with many devices."""

    ch: str
    members: tuple[str, ...]
    told: float = 0.0
    by: str = ""


class End(Record, frozen=True, tag="end", kw_only=True):
    """`p` was connected when everything had come to rest."""

    p: str


class Final(Record, frozen=True, tag="final", kw_only=True):
    """All of a channel's log, read when everything had come to rest, from the node `by`. Its first message has the seq
    `base` + 1."""

    ch: str
    epoch: str
    base: int
    items: tuple[Item, ...]
    corrupt: tuple[int, ...] = ()
    by: str = ""


class Stuck(Record, frozen=True, tag="stuck", kw_only=True):
    """The run was given up: what should have come did not come for so long that nobody would wait for it."""

    why: str


class Nemesis(Record, frozen=True, tag="nemesis", kw_only=True):
    """A fault begins (`inv`), or is over (`ok`)."""

    kind: str
    ph: Outcome


AnyRecord: TypeAlias = (
    Channel
    | Send
    | Conn
    | Attach
    | Recv
    | Moving
    | Leave
    | Detach
    | Read
    | Receipt
    | Presence
    | End
    | Final
    | Stuck
    | Nemesis
)
now = time.monotonic
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AnyRecord).decode


class Writer:
    """Appends to a file. It is flushed now and then by who has it, and when it is closed."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("wb")

    def write(self, record: AnyRecord) -> None:
        self._file.write(_encode(record) + b"\n")

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def load(paths: Iterable[Path]) -> list[AnyRecord]:
    """The histories of several processes as one, by time; each process's own order stands."""
    records = [_decode(line) for path in sorted(paths) for line in path.read_bytes().splitlines()]
    records.sort(key=lambda record: record.t)
    return records
