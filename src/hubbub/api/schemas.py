"""The bodies of requests and answers that `model` and `operations` do not have. Unknown fields are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from hubbub.api.errors import ErrorBody
from hubbub.hub.operations import ChannelInfo, SessionInfo
from hubbub.model import Join, Kind, Leave, Operation, Position, Publication, Raw
from hubbub.state.base import NodeInfo

Channel = Annotated[str, Meta(description="Name of a channel.", examples=["orders:eu"])]
Event = Annotated[str, Meta(description="What kind of event it is.", examples=["order.updated"])]
Data = Annotated[Raw, Meta(description="Any JSON, carried as it is.", examples=[{"id": 7, "state": "paid"}])]
Key = Annotated[
    str | None,
    Meta(
        description="Idempotency key: the same key and content again gives the first answer and publishes nothing.",
        examples=["5f0c9a"],
    ),
]
ConflationKey = Annotated[
    str | None, Meta(description="What this is the latest value of, in namespaces that conflate.")
]


class PublishRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A publication for one channel. `exclude` is the id of a session that must not receive it."""

    channel: Channel
    data: Data
    event: Event = "message"
    key: Key = None
    conflation_key: ConflationKey = None
    exclude: str | None = None


class BatchRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Publications, published in this order. One that is refused does not stop the others."""

    items: tuple[PublishRequest, ...]


class BroadcastRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The same publication for many channels. The key counts in each channel by itself."""

    channels: Annotated[tuple[str, ...], Meta(examples=[["orders:eu", "orders:us"]])]
    data: Data
    event: Event = "message"
    key: Key = None


class DirectRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """An event for a user or a session, whatever channels they are in. It is kept in no log."""

    data: Data
    event: Event = "message"
    key: Key = None


class Published(Struct, frozen=True, omit_defaults=True):
    """The publication was accepted. `position` is its place in the log, absent where none is kept; `duplicate` says
    that its key had published it before, and that nothing was sent again."""

    id: str
    position: Position | None = None
    duplicate: bool = False


class Outcome(Struct, frozen=True, omit_defaults=True):
    """What became of one item: one of the two."""

    published: Published | None = None
    error: ErrorBody | None = None


class Outcomes(Struct, frozen=True):
    """One for each item, in the same order."""

    outcomes: tuple[Outcome, ...]


Incomplete = Annotated[
    tuple[str, ...],
    Meta(
        description="The nodes that did not answer, by their ids: what is there is not counted, and not known."
    ),
]


class Sessions(Struct, frozen=True, omit_defaults=True):
    """How many sessions it concerned, on all nodes."""

    sessions: int
    incomplete: Incomplete = ()


class NodeList(Struct, frozen=True):
    """All nodes in the order of their ids; `node` is the one that answers. Where there is no cluster it is alone, and
    has no id."""

    node: str
    nodes: tuple[NodeInfo, ...]


class Place(Struct, frozen=True):
    """A node that is to have something; `address` is where other nodes reach it, `weight` its share."""

    node: str
    name: str
    address: str
    weight: float


class Placement(Struct, frozen=True):
    """Nodes, best first: who comes next when the first is gone. None where all of them drain or are overloaded."""

    nodes: tuple[Place, ...]


class ChannelPage(Struct, frozen=True, omit_defaults=True):
    """Channels in order of their names. `more` says that `limit` cut the list."""

    channels: tuple[ChannelInfo, ...]
    more: bool
    incomplete: Incomplete = ()


class SessionPage(Struct, frozen=True, omit_defaults=True):
    """Sessions in order of their ids. `next`, if there, is the `after` of the following page."""

    connections: tuple[SessionInfo, ...]
    next: str | None = None
    incomplete: Incomplete = ()


class DeadLetterInfo(Struct, frozen=True, omit_defaults=True):
    """A message of the broker that a node could not handle. `reason` is `malformed`, `version` (a newer one's) or
    `listener` (it failed), `node` the process it happened to, `size` that of the frame in bytes. A single one has its
    `frame`, in base64, unless that was too large to be kept, and the `push` in it, if it can be read."""

    id: str
    time: float
    channel: str
    reason: str
    detail: str
    node: str
    size: int
    frame: bytes = b""
    push: Publication | Join | Leave | None = None


class DeadLetterPage(Struct, frozen=True, omit_defaults=True):
    """Dead letters of all nodes, newest first. `next`, if there, is the `before` of the following page."""

    letters: tuple[DeadLetterInfo, ...]
    next: str | None = None


class Dropped(Struct, frozen=True):
    """How many dead letters were thrown away."""

    letters: int


class ChannelRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The channel that is meant."""

    channel: Channel


class DisconnectRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Why the session ends: a disconnect code from the table, or the application's own (4000 to 4999)."""

    code: Annotated[int, Meta(examples=[4001])] = 3502


class RevokeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What is revoked: all tokens of `user` up to now, or the one whose `jti` is `token_id` (of `user`, if given)."""

    user: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    token_id: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class TicketRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What the ticket is for: these channels only, or any."""

    channels: tuple[str, ...] | None = None


class Ticket(Struct, frozen=True):
    """A ticket for one use within `expires_in` seconds."""

    ticket: str
    expires_in: float


class TokenRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom the token is for. `channels` maps patterns to operations; by default everything is permitted."""

    user: Annotated[
        str, Meta(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)", examples=["ada"])
    ]
    ttl: Annotated[float, Meta(gt=0, le=86_400)] = 3600.0
    kind: Kind = "person"
    info: dict[str, Any] | None = None
    channels: dict[str, tuple[Operation | Literal["*"], ...]] | None = None
    subscribe: tuple[str, ...] = ()


class Token(Struct, frozen=True):
    """A JWT, good until `expires` (Unix seconds)."""

    token: str
    user: str
    expires: float
