"""What the tests of NatsBroker share: brokers on a NATS server."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal

from pydantic import SecretStr
from tests.broker import nodes
from tests.broker.nodes import started

from hubbub.broker.nats import NatsBroker
from hubbub.clock import SystemClock
from hubbub.config import BrokerConfig, Config
from hubbub.config.cluster import NatsConfig
from hubbub.engines.nats import Nats
from hubbub.telemetry.metrics import Metrics


class Node(nodes.Node[NatsBroker, Nats]):
    def __init__(
        self,
        url: str,
        prefix: str,
        idempotency_ttl: float = 300.0,
        within: float = 2.0,
        storage: Literal["memory", "file"] = "memory",
    ) -> None:
        self.config = Config(
            broker=BrokerConfig(idempotency_ttl=idempotency_ttl),
            nats=NatsConfig(url=SecretStr(url), prefix=prefix, timeout=within, storage=storage),
        )
        metrics = Metrics()
        engine = Nats(self.config.nats, SystemClock(), metrics)
        super().__init__(NatsBroker(engine, self.config, SystemClock(), metrics), engine, metrics)


def prefix() -> str:
    return f"test-{secrets.token_hex(6)}"


def running(
    url: str, count: int = 1, idempotency_ttl: float = 300.0, within: float = 2.0
) -> AbstractAsyncContextManager[Sequence[Node]]:
    name = prefix()
    return started([Node(url, name, idempotency_ttl, within) for _ in range(count)])
