"""What a name in the settings stands for. With `app` the only file that names concrete classes.

Engines beside Hubbub, their drivers and what stands on them are imported when they are named: they are extras, and take
a while.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from hubbub.attachments.base import Blobs
from hubbub.attachments.blobs import ObjectBlobs
from hubbub.broker.base import Broker
from hubbub.broker.memory import MemoryBroker
from hubbub.clock import Clock
from hubbub.config import Config
from hubbub.errors import ConfigError
from hubbub.presence.base import PresenceStore
from hubbub.presence.memory import MemoryPresence
from hubbub.protocols.base import ProtocolEntry
from hubbub.protocols.native import JsonCodec, MessagePackCodec
from hubbub.protocols.socketio import JsonParser, Parser
from hubbub.protocols.socketio import Limits as SocketIoLimits
from hubbub.protocols.socketio_msgpack import MessagePackParser
from hubbub.state.base import State
from hubbub.state.memory import MemoryState
from hubbub.storage.base import Store
from hubbub.storage.sqlite import SqliteStore
from hubbub.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from hubbub.engines.nats import Nats
    from hubbub.engines.postgres import Postgres
    from hubbub.engines.redis import Redis

T = TypeVar("T")


class Parts:
    """What the parts of one server are made of. Those that stand on the same engine share it."""

    def __init__(self, config: Config, clock: Clock, metrics: Metrics, node: str) -> None:
        """`node` is this node's id among several."""
        self.config = config
        self.clock = clock
        self.metrics = metrics
        self.node = node

    @cached_property
    def redis(self) -> Redis:
        from hubbub.engines.redis import Redis

        return Redis(self.config.redis, self.clock, self.metrics)

    @cached_property
    def postgres(self) -> Postgres:
        from hubbub.engines.postgres import Postgres

        return Postgres(self.config.storage, self.clock, self.metrics)

    @cached_property
    def nats(self) -> Nats:
        from hubbub.engines.nats import Nats

        return Nats(self.config.nats, self.clock, self.metrics)


# --- brokers ----------------------------------------------------------------------------------------------


def _memory_broker(parts: Parts) -> Broker:
    broker = parts.config.broker
    return MemoryBroker(
        parts.clock,
        idempotency_ttl=broker.idempotency_ttl,
        idempotency_keys=broker.idempotency_keys,
        logs=broker.logs,
        path=broker.snapshot,
        metrics=parts.metrics,
    )


def _redis_broker(parts: Parts) -> Broker:
    from hubbub.broker.redis import RedisBroker

    return RedisBroker(parts.redis, parts.config, parts.clock, parts.metrics)


def _postgres_broker(parts: Parts) -> Broker:
    from hubbub.broker.postgres import PostgresBroker

    return PostgresBroker(parts.postgres, parts.config.broker, parts.clock, parts.metrics)


def _nats_broker(parts: Parts) -> Broker:
    from hubbub.broker.nats import NatsBroker

    return NatsBroker(parts.nats, parts.config, parts.clock, parts.metrics)


BROKERS: dict[str, Callable[[Parts], Broker]] = {
    "memory": _memory_broker,
    "redis": _redis_broker,
    "postgresql": _postgres_broker,
    "nats": _nats_broker,
}

# --- what nodes share -------------------------------------------------------------------------------------


def _redis_state(parts: Parts) -> State:
    from hubbub.state.redis import RedisState

    return RedisState(parts.redis)


def _postgres_state(parts: Parts) -> State:
    from hubbub.state.postgres import PostgresState

    return PostgresState(parts.postgres)


STATES: dict[str, Callable[[Parts], State]] = {
    "memory": lambda parts: MemoryState(parts.clock),
    "redis": _redis_state,
    "postgresql": _postgres_state,
}


def _redis_presence(parts: Parts) -> PresenceStore:
    from hubbub.presence.redis import RedisPresence

    return RedisPresence(
        parts.redis, parts.node, parts.clock, parts.metrics, lease=parts.config.cluster.lease
    )


def _postgres_presence(parts: Parts) -> PresenceStore:
    from hubbub.presence.postgres import PostgresPresence

    return PostgresPresence(
        parts.postgres, parts.node, parts.clock, parts.metrics, lease=parts.config.cluster.lease
    )


PRESENCE: dict[str, Callable[[Parts], PresenceStore]] = {
    "memory": lambda parts: MemoryPresence(parts.clock),
    "redis": _redis_presence,
    "postgresql": _postgres_presence,
}

# --- storage ----------------------------------------------------------------------------------------------


def _postgres_store(parts: Parts) -> Store:
    from hubbub.storage.postgres import PostgresStore

    config = parts.config
    return PostgresStore(
        config.storage,
        parts.clock,
        parts.metrics,
        pending_writes=config.limits.pending_writes,
        migrate=config.dev,
    )


STORES: dict[str, Callable[[Parts], Store]] = {
    "sqlite": lambda parts: SqliteStore(
        parts.config.storage,
        parts.clock,
        parts.metrics,
        pending_writes=parts.config.limits.pending_writes,
    ),
    "postgresql": _postgres_store,
}

# --- files ------------------------------------------------------------------------------------------------


def _object_blobs(config: Config) -> Blobs:
    return ObjectBlobs(config.attachments)


BLOBS: dict[str, Callable[[Config], Blobs]] = dict.fromkeys(
    ("file", "memory", "s3", "gs", "az"), _object_blobs
)
"""By the scheme of `attachments.url`."""

# --- protocols --------------------------------------------------------------------------------------------


def _native(
    name: str, subprotocol: str, binary: bool, codec: Callable[..., Any], config: Config
) -> ProtocolEntry:
    limits = config.limits
    shared = codec(json_depth=limits.json_depth, json_keys=limits.json_keys, batch=limits.batch)
    return ProtocolEntry(
        name, subprotocol, binary, lambda: shared
    )  # native codecs keep nothing between calls


def _socketio_limits(config: Config) -> SocketIoLimits:
    limits = config.limits
    return SocketIoLimits(
        limits.attachments,
        limits.attachment_bytes,
        limits.namespace_length,
        limits.json_depth,
        limits.json_keys,
    )


PROTOCOLS: dict[str, Callable[[Config], ProtocolEntry]] = {
    "native-json": lambda config: _native("native-json", "hubbub.v1.json", False, JsonCodec, config),
    "native-msgpack": lambda config: _native(
        "native-msgpack", "hubbub.v1.msgpack", True, MessagePackCodec, config
    ),
}
PARSERS: dict[str, Callable[[Config], Parser]] = {
    "json": lambda config: JsonParser(_socketio_limits(config)),
    "msgpack": lambda config: MessagePackParser(_socketio_limits(config)),
}

# --- looking up -------------------------------------------------------------------------------------------


def find(registry: dict[str, T], name: str, setting: str) -> T:
    """Raises ConfigError for a name that stands for nothing."""
    if name not in registry:
        raise ConfigError(f"{setting}: there is no {name!r}; known are {', '.join(sorted(registry))}")
    return registry[name]


def alone(config: Config) -> bool:
    """Whether this server knows of no other nodes."""
    return config.broker.type == "memory"


def shared(config: Config) -> str:
    """The name of where nodes keep what they share beside channels. Raises ConfigError where they could not see each
    other's."""
    broker, name = config.broker.type, config.cluster.state
    if name == "auto":
        name = broker if broker in STATES else ""
    if not name or (name == "memory") is not alone(config):
        raise ConfigError(
            f"cluster.state = {config.cluster.state!r} does not go with broker.type = {broker!r}: several nodes share "
            "what they know in redis or postgresql, and one alone keeps it in memory"
        )
    find(STATES, name, "cluster.state")
    return name
