"""The suite of all stores, on PostgreSQL."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from hubbub.clock import SystemClock
from hubbub.config import StorageConfig
from hubbub.storage.postgres import PostgresStore
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.contracts import StoreContract


class TestPostgresStore(StoreContract):
    @pytest.fixture(autouse=True)
    def database(self, postgres_url: str) -> None:
        self.url = SecretStr(postgres_url)

    async def open(
        self, metrics: Metrics, *, pending_writes: int = 10_000, batch: int = 256
    ) -> PostgresStore:
        config = StorageConfig(url=self.url, batch=batch, timeout=60.0)  # no verdict by the clock
        return PostgresStore(config, SystemClock(), metrics, pending_writes=pending_writes)
