"""What `hubbub doctor` checks of a node among others: the engine that they stand on, and whether they can reach it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hubbub import registry
from hubbub.cli.checks import Finding
from hubbub.clock import Clock, SystemClock
from hubbub.config import Config
from hubbub.errors import ConfigError, HubbubError
from hubbub.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from hubbub.engines.redis import Redis

LOOPBACK = ("127.", "localhost", "::1", "[::1]")
PUBSUB = 8 << 20
"""Bytes that Redis must be ready to keep for a subscriber: below, a burst cuts nodes off."""
SLOW = 0.02
"""Seconds for an answer of Redis, above which every delivery is felt to be late."""


def cluster(config: Config) -> Iterator[Finding]:
    """All of it, where `broker.type` names what nodes share."""
    if registry.alone(config):
        return
    try:
        registry.shared(config)
    except ConfigError as error:
        yield Finding("fail", "cluster", str(error))
        return
    yield address(config)
    if "redis" in (config.broker.type, config.cluster.state):
        yield from asyncio.run(redis(config))


def address(config: Config) -> Finding:
    """Where other nodes will find this one."""
    where = config.cluster.address or config.cluster.listen or config.server.host
    if where.startswith(LOOPBACK):
        return Finding(
            "warn",
            "address",
            f"other nodes reach this one at {where}: from this machine only",
            "set cluster.address to what they reach it at, unless all nodes are on this machine.",
        )
    if config.server.tls_certificate is not None and not config.cluster.listen:
        return Finding(
            "warn",
            "address",
            "nodes do not speak TLS to each other, and this one listens with TLS only",
            "set cluster.listen to an address of the inner network.",
        )
    return Finding("ok", "address", where)


async def redis(config: Config) -> Sequence[Finding]:
    """Whether it answers, and is set up not to forget what is kept in it."""
    parts = registry.Parts(config, SystemClock(), Metrics(), "doctor")
    try:
        engine = parts.redis
        await engine.start()
    except ConfigError as error:
        return [Finding("fail", "Redis", str(error), "See the section `redis`.")]
    try:
        return await _answers(engine, parts.clock)
    except HubbubError:
        detail = engine.condition.detail or "no answer"
        return [Finding("fail", "Redis", f"it does not answer: {detail}", "See redis.url and redis.mode.")]
    finally:
        await engine.stop()


async def _answers(engine: Redis, clock: Clock) -> list[Finding]:
    about = _info(await engine.call("INFO"))
    begun = clock.monotonic()
    await engine.call("PING")
    took = clock.monotonic() - begun
    version = about.get("valkey_version") or about.get("redis_version", "?")
    text = f"{version}, {about.get('redis_mode', '?')}, answers in {took * 1000:.1f} ms"
    found = [
        Finding("ok", "Redis", text)
        if took < SLOW
        else Finding("warn", "Redis", text, "every delivery between nodes takes that long, and more.")
    ]
    policy = about.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        found.append(
            Finding(
                "warn",
                "Redis memory",
                f"maxmemory-policy is {policy}: logs and sessions may be evicted",
                "set it to noeviction: a full Redis then refuses, and says so.",
            )
        )
    if about.get("aof_enabled") != "1":
        found.append(
            Finding(
                "warn",
                "Redis disk",
                "appendonly is off: a restart forgets the logs of all channels but conversations",
                "appendonly yes, if recovery is to outlive it.",
            )
        )
    limit = _buffer(await _setting(engine, "client-output-buffer-limit"))
    if limit is not None and 0 < limit < PUBSUB:
        found.append(
            Finding(
                "warn",
                "Redis buffers",
                f"client-output-buffer-limit pubsub is {limit} bytes: a burst cuts nodes off",
                "leave it at 32mb 8mb 60.",
            )
        )
    return found


async def _setting(engine: Redis, name: str) -> str:
    """Empty where this user may not ask."""
    from hubbub.engines.redis import RedisRefused

    try:
        reply = await engine.call("CONFIG", "GET", name)
    except RedisRefused:
        return ""
    value = reply.get(name.encode(), b"") if isinstance(reply, dict) else b""
    return value.decode() if isinstance(value, bytes) else ""


def _buffer(setting: str) -> int | None:
    """The hard limit for subscribers, of `normal 0 0 0 slave ... pubsub 33554432 8388608 60`; 0 is none."""
    words = setting.split()
    if "pubsub" not in words[:-1]:
        return None
    text = words[words.index("pubsub") + 1]
    return int(text) if text.isdigit() else None


def _info(reply: bytes) -> dict[str, str]:
    lines = reply.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))
