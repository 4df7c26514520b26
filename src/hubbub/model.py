"""The values everything speaks in: commands, replies, pushes, Position, Principal. Frozen; no behaviour.

The native protocol's JSON is these structs, tagged by `type`; OpenAPI and AsyncAPI are generated from them.
`data` and `params` are JSON that was checked once on entry and is carried as bytes from then on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec import Raw as Raw

Kind = Literal["person", "agent", "service"]
Operation = Literal["subscribe", "publish", "history", "presence"]
OPERATIONS: tuple[Operation, ...] = ("subscribe", "publish", "history", "presence")


class Position(Struct, frozen=True, order=True, gc=False):
    """A place in a channel's log. Offsets are gapless from 1 within an epoch; offset 0 is before the first."""

    epoch: str
    offset: int


class Permission(Struct, frozen=True, gc=False):
    """What a token allows on the channels that `pattern` matches (`*` stands for any run of characters)."""

    pattern: str
    operations: tuple[Operation, ...]


class Principal(Struct, frozen=True):
    """Who a session speaks for. `info` is public JSON that presence shows; `expires` is Unix seconds."""

    user: str
    kind: Kind = "person"
    expires: float | None = None
    permissions: tuple[Permission, ...] = ()
    subscribe: tuple[str, ...] = ()
    info: bytes | None = None
    token_id: str | None = None
    issued: float | None = None

    @property
    def anonymous(self) -> bool:
        return not self.user


class Retention(Struct, frozen=True, gc=False):
    """How much of a channel's log is kept: at most `size` publications, none older than `ttl` seconds."""

    size: int = 0
    ttl: float = 0.0
    conflate: bool = False


NO_RETENTION = Retention()


# --- pushes -----------------------------------------------------------------------------------------------


class Publication(Struct, frozen=True, tag="publication", omit_defaults=True, gc=False):
    """One event in a channel. `offset` and `epoch` are absent where the namespace keeps no log.

    `time` is Unix seconds. `sender` is the publishing user. `exclude` (a session id) never leaves the server.
    Socket.IO events with binary have `attachments`, for which `data` holds objects `{"_placeholder": true, "num": n}`
    (base64 in JSON); with `spread`, `data` is an array of the event's arguments, of which there was not just one.
    """

    channel: str
    event: str
    data: Raw
    id: str = ""
    sender: str | None = None
    time: float = 0.0
    epoch: str | None = None
    offset: int | None = None
    conflation_key: str | None = None
    attachments: tuple[bytes, ...] = ()
    spread: bool = False


class Member(Struct, frozen=True, omit_defaults=True, gc=False):
    """One session that is present in a channel."""

    session: str
    user: str
    info: Raw | UnsetType = UNSET


class Join(Struct, frozen=True, tag="join", gc=False):
    """A user came into a channel: its first session there."""

    channel: str
    member: Member


class Leave(Struct, frozen=True, tag="leave", gc=False):
    """A user left a channel: its last session there."""

    channel: str
    member: Member


Push = Publication | Join | Leave


class Envelope(Struct, frozen=True, gc=False):
    """A push on its way through the broker: with what the nodes need and clients never see.

    `exclude` is the id of a session that must not receive it; `accepted` is the publishing process's monotonic
    clock when the publish was accepted (0 when unknown). Of sessions that resume by the node's journal (Socket.IO's)
    those are passed over, too, that are in one of the channels `unless` (if the push's own channel is named there, in
    one before its last mention) or named there as `session:<id>`, and with `volatile` those to whom it could not be
    written at once. Of whatever sessions, those of the users in `hidden` do not receive it; only what is in no log may
    have any.
    """

    push: Push
    exclude: str | None = None
    accepted: float = 0.0
    unless: tuple[str, ...] = ()
    volatile: bool = False
    hidden: tuple[str, ...] = ()


class ServerSubscribed(Struct, frozen=True, tag="subscribed", omit_defaults=True):
    """The server has subscribed this session to a channel."""

    channel: str
    position: Position | None = None
    recoverable: bool = False


class ServerUnsubscribed(Struct, frozen=True, tag="unsubscribed", omit_defaults=True, gc=False):
    """The server has ended a subscription. `code` is one of the error codes."""

    channel: str
    code: int
    reason: str = ""


class Advice(Struct, frozen=True, tag="advice", gc=False):
    """The node is about to go: reconnect after a random part of `spread` seconds, `reconnect_after` at the least."""

    action: Literal["reconnect"] = "reconnect"
    reconnect_after: float = 0.0
    spread: float = 0.0


class DisconnectPush(Struct, frozen=True, tag="disconnect", omit_defaults=True, gc=False):
    """The connection ends now, with this numbered reason."""

    code: int
    reason: str
    reconnect: bool
    retry_after: float | None = None


SessionPush = ServerSubscribed | ServerUnsubscribed | Advice | DisconnectPush


# --- commands ---------------------------------------------------------------------------------------------


class Resume(Struct, frozen=True):
    """Proof of, and state for, coming back: `positions` maps channels to the last Position the client has seen."""

    session: str
    secret: str
    positions: dict[str, Position] = {}


class Connect(Struct, frozen=True, tag="connect"):
    """First command on every connection: a token, or a session to resume. Reply: `connected`."""

    id: int
    token: str | None = None
    resume: Resume | None = None
    client: str = ""


class Subscribe(Struct, frozen=True, tag="subscribe"):
    """Enter a channel; with `since`, catch up from there without a gap. Reply: `subscribed`."""

    id: int
    channel: str
    token: str | None = None
    since: Position | None = None
    presence: bool = True


class Unsubscribe(Struct, frozen=True, tag="unsubscribe", gc=False):
    """Leave a channel. Reply: `result`."""

    id: int
    channel: str


class Publish(Struct, frozen=True, tag="publish"):
    """Publish to a channel. `key` makes repeats safe; `echo: false` spares the sender its own copy."""

    id: int
    channel: str
    data: Raw
    event: str = "message"
    key: str | None = None
    echo: bool = True
    conflation_key: str | None = None


class HistoryQuery(Struct, frozen=True, tag="history"):
    """Read a channel's retained log. Reply: `result` with a History. `limit: 0` asks for the head's Position."""

    id: int
    channel: str
    since: Position | None = None
    limit: int = 100
    reverse: bool = False


class PresenceQuery(Struct, frozen=True, tag="presence", gc=False):
    """Who is in a channel. Reply: `result` with a Presence."""

    id: int
    channel: str


class Call(Struct, frozen=True, tag="call"):
    """Call a handler by name. Reply: `result` with what it returned."""

    id: int
    method: str
    params: Raw = Raw(b"null")
    key: str | None = None


class Refresh(Struct, frozen=True, tag="refresh", gc=False):
    """Replace the session's token before the old one expires. Reply: `result` with the new `expires`."""

    id: int
    token: str


class Ping(Struct, frozen=True, tag="ping", gc=False):
    """Ask whether the server is alive. Reply: `result`."""

    id: int


Command = Connect | Subscribe | Unsubscribe | Publish | HistoryQuery | PresenceQuery | Call | Refresh | Ping


class Event(Struct, frozen=True):
    """A Socket.IO event: not a command of the native protocol, but handled in its turn as they are.

    `id` is that of the wanted acknowledgement, -1 for none. `arguments` are the values behind the name; `data` is the
    whole array as JSON, in which binary values are `{"_placeholder": true, "num": n}` and stand in `attachments`.
    """

    id: int
    name: str
    arguments: Sequence[Any]
    data: Raw
    attachments: tuple[bytes, ...] = ()


# --- replies ----------------------------------------------------------------------------------------------


class Subscribed(Struct, frozen=True, tag="subscribed", omit_defaults=True):
    """The session is in the channel.

    `recovered` is true only if nothing is missing between `since` and now; the missed publications are in
    `publications`, oldest first. `recoverable` says whether the channel keeps a log at all.
    """

    id: int
    channel: str
    position: Position | None = None
    recoverable: bool = False
    recovered: bool = False
    publications: tuple[Publication, ...] = ()


class Connected(Struct, frozen=True, tag="connected", omit_defaults=True):
    """The session stands. Times are in seconds, `expires` and `time` in Unix seconds; `time` is the server's, for
    devices whose clocks are wrong.

    After a resume `resumed` is true, `subscriptions` holds one `subscribed` for every channel that the session
    was in, and `recovered` is true exactly when all of those that keep a log were recovered whole.
    """

    id: int
    session: str
    secret: str
    user: str
    ping_interval: float
    ping_timeout: float
    resume_window: float
    version: str = ""
    expires: float | None = None
    resumed: bool = False
    recovered: bool = False
    subscriptions: tuple[Subscribed, ...] = ()
    time: float | None = None


class Published(Struct, frozen=True, tag="published", omit_defaults=True, gc=False):
    """The publication was accepted; `position` is its place in the log, absent where none is kept."""

    id: int
    position: Position | None = None
    message: str = ""


class History(Struct, frozen=True):
    """Part of a channel's log. `position` is the log's head; `complete` is false when `since` lies before what is kept
    or in another epoch, so that publications are missing. `more` says that `limit` cut the answer."""

    position: Position
    publications: tuple[Publication, ...] = ()
    complete: bool = True
    more: bool = False


class Presence(Struct, frozen=True, omit_defaults=True):
    """Who is in a channel. Above the namespace's `presence_limit` there are counts only and `members` is absent."""

    sessions: int
    users: int
    members: tuple[Member, ...] | None = None


class Refreshed(Struct, frozen=True):
    expires: float | None


class Empty(Struct, frozen=True):
    """A result with nothing in it."""


class Result(Struct, frozen=True, tag="result"):
    """The answer to a command that is not a `subscribe`, `publish` or `connect`."""

    id: int
    result: History | Presence | Refreshed | Empty | Raw


class ErrorReply(Struct, frozen=True, tag="error", omit_defaults=True):
    """The command was refused. `code` is from the error table; `temporary` says whether a retry may help."""

    id: int
    code: int
    message: str
    name: str = ""
    temporary: bool = False
    retry_after: float | None = None
    field: str | None = None


class Acknowledged(Struct, frozen=True, gc=False):
    """What a handler of an Event has returned: the arguments of its acknowledgement, shaped as an Event's `data`."""

    id: int
    arguments: Raw
    attachments: tuple[bytes, ...] = ()


Reply = Connected | Subscribed | Published | Result | ErrorReply


class Invalid(Struct, frozen=True):
    """A command that could be framed but not understood; it is answered with an error and the connection goes on."""

    id: int
    code: int
    message: str
    field: str | None = None
