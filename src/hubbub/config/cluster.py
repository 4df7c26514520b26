"""The sections of settings that a server of many nodes needs, as `sections` has the others."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from hubbub.config.sections import Count, Seconds, Section


class RedisConfig(Section):
    """Redis 6.2 or later, or Valkey: one server, one behind Sentinel, or a Cluster."""

    url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="`redis://user:password@host:port/db`; `rediss://` for TLS, `unix:///path` for a socket.",
    )
    mode: Literal["single", "sentinel", "cluster"] = Field(
        "single", description="What `url` and `nodes` are the addresses of."
    )
    nodes: tuple[str, ...] = Field(
        (), description="`host:port` of the Sentinels, or of more nodes of the Cluster to begin with."
    )
    sentinel_master: str = Field("mymaster", description="The name under which Sentinels know the master.")
    sentinel_username: str | None = Field(None, description="User at the Sentinels, if they ask for one.")
    sentinel_password: SecretStr | None = Field(
        None, description="Password at the Sentinels, if they ask for one."
    )
    tls_ca: Path | None = Field(
        None, description="PEM file of the authorities to trust; without it the system's."
    )
    tls_certificate: Path | None = Field(None, description="PEM file of this node's own certificate.")
    tls_key: Path | None = Field(None, description="PEM file of its private key.")
    prefix: str = Field(
        "hubbub",
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9_.:-]+$",
        description="What all keys and channels in Redis begin with; servers that share nothing need different ones.",
    )
    timeout: Seconds = Field(2.0, gt=0, description="Seconds in which Redis must answer.")
    message_bytes: Count = Field(
        1024 * 1024,
        description="Largest message that is given to Redis. Its own limit for subscribers is 32 MB, at which it cuts "
        "them off.",
    )
    log_ttl: Seconds = Field(
        7 * 86400.0, description="Seconds after which the log of a channel that nobody uses is forgotten."
    )


class NatsConfig(Section):
    """NATS with JetStream."""

    url: SecretStr = Field(
        SecretStr("nats://127.0.0.1:4222"),
        description="`nats://user:password@host:port`; several with commas.",
    )
    prefix: str = Field(
        "hubbub",
        min_length=1,
        max_length=32,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="What all subjects and streams begin with.",
    )
    timeout: Seconds = Field(2.0, gt=0, description="Seconds in which NATS must answer.")
    replicas: Count = Field(1, ge=1, le=5, description="Servers that keep each stream.")
    storage: Literal["memory", "file"] = Field(
        "memory",
        description="Where JetStream keeps logs. With `memory` a restart of NATS empties them, and clients are told. "
        "With `file` it does not, but a machine that crashes may come back with less than was acknowledged, and nobody "
        "is told: have 3 `replicas`, or `sync_interval: always` in the configuration of NATS 2.10.",
    )


class ClusterConfig(Section):
    """This node among the others."""

    name: str = Field("", max_length=64, description="What logs and lists call this node; made up if empty.")
    state: str = Field(
        "auto",
        description="Where nodes keep what they share beside channels: `memory`, `redis` or `postgresql`; `auto` takes "
        "what the broker stands on.",
    )
    listen: str = Field(
        "",
        description="`host:port` to listen on for other nodes alone, without TLS: an address that clients do not "
        "reach. If empty, nodes come to where clients come. Each of several workers takes the next port.",
    )
    address: str = Field(
        "",
        description="`host:port` at which other nodes reach this one, to hand requests on; the address it listens on "
        "if empty. Without a port, the one it listens on.",
    )
    lease: Seconds = Field(
        4.0, gt=0, description="Seconds without a sign of life after which the others hold a node dead."
    )
    shared_rates: bool = Field(
        True,
        description="Let a user's rates (`limits.user_command_rate`, and `limits.command_rate` of its calls by REST) "
        "be one for all nodes. If not, or while what they share does not answer, each node has its own.",
    )
    request_timeout: Seconds = Field(2.0, gt=0, description="Seconds in which another node must answer.")
    reorder_window: Seconds = Field(
        0.05, description="Seconds for which an event that comes too early waits for the one before it."
    )


class LoadConfig(Section):
    """What is given up, in which order, when the machine is too small for its load."""

    busy: float = Field(
        0.70,
        gt=0,
        description="Share of capacity from which a node is busy; 1 is full, more than 2 is never.",
    )
    overloaded: float = Field(0.85, gt=0, description="Share of capacity from which it is overloaded.")
    critical: float = Field(0.95, gt=0, description="Share of capacity from which it is critical.")
    hysteresis: float = Field(
        0.05, ge=0, le=0.5, description="How far below a level's begin the load must fall for it to end."
    )
    loop_lag: Seconds = Field(
        0.25, gt=0, description="Lag of the event loop, in seconds on an average, that counts as full."
    )
    memory_bytes: Count = Field(
        0,
        description="Memory of the process that counts as full; 0 takes what the machine or its cgroup gives.",
    )
    cpu_cores: float = Field(
        0.0,
        ge=0,
        description="Processor cores that count as full; 0 takes what the machine or its cgroup gives. The loop uses "
        "one at the most.",
    )
    queue_bytes: Count = Field(
        256 * 1024 * 1024, ge=1, description="Bytes in the queues of all slow readers that count as full."
    )
    handshake_rate: float = Field(
        2_500.0,
        ge=0,
        description="New sessions a second that are let in; others are told when to come. 0: all.",
    )
    handshake_burst: Count = Field(
        8_000,
        ge=1,
        description="New sessions that may come at once; a quarter of them are left to sessions that are resumed.",
    )
