from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from hubbub.clock import SystemClock
from hubbub.config import StorageConfig
from hubbub.storage.base import Store
from hubbub.storage.sqlite import SqliteStore
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.contracts import StoreContract


class TestSqliteStore(StoreContract):
    @pytest.fixture(autouse=True)
    def path(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    async def open(self, metrics: Metrics, *, pending_writes: int = 10_000, batch: int = 256) -> Store:
        config = StorageConfig(url=SecretStr(f"sqlite:///{self.directory}/hubbub.db"), batch=batch)
        return SqliteStore(config, SystemClock(), metrics, pending_writes=pending_writes)
