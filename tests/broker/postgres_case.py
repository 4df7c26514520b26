"""What the tests of PostgresBroker share: an engine and a broker on a database."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from pydantic import SecretStr
from tests.broker import nodes
from tests.broker.nodes import started

from hubbub.broker.postgres import PostgresBroker
from hubbub.clock import SystemClock
from hubbub.config import BrokerConfig, StorageConfig
from hubbub.engines.postgres import Postgres
from hubbub.telemetry.metrics import Metrics


def engine(url: str, metrics: Metrics | None = None, **settings: Any) -> Postgres:
    config = StorageConfig(url=SecretStr(url), **settings)
    return Postgres(config, SystemClock(), metrics or Metrics())


class Node(nodes.Node[PostgresBroker, Postgres]):
    def __init__(self, url: str, **settings: Any) -> None:
        metrics = Metrics()
        postgres = engine(url, metrics)
        broker = PostgresBroker(postgres, BrokerConfig(**settings), SystemClock(), metrics)
        super().__init__(broker, postgres, metrics)


def running(url: str, count: int = 1, **settings: Any) -> AbstractAsyncContextManager[Sequence[Node]]:
    return started([Node(url, **settings) for _ in range(count)])
