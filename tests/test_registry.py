"""Names in the settings, and what goes together."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub import registry
from hubbub.broker.memory import MemoryBroker
from hubbub.broker.redis import RedisBroker
from hubbub.config import BrokerConfig, ClusterConfig, Config
from hubbub.errors import ConfigError
from hubbub.presence.memory import MemoryPresence
from hubbub.registry import Parts
from hubbub.state.memory import MemoryState
from hubbub.state.redis import RedisState
from hubbub.telemetry.metrics import Metrics
from hubbub.testing import FakeClock


def config(broker: str = "memory", state: str = "auto", **sections: Any) -> Config:
    return Config(broker=BrokerConfig(type=broker), cluster=ClusterConfig(state=state), **sections)


def parts(of: Config) -> Parts:
    return Parts(of, FakeClock(), Metrics(), "node01")


def test_one_node_alone_keeps_everything_in_memory() -> None:
    alone = config()
    assert registry.alone(alone)
    assert registry.shared(alone) == "memory"
    made = parts(alone)
    assert isinstance(registry.BROKERS["memory"](made), MemoryBroker)
    assert isinstance(registry.STATES["memory"](made), MemoryState)
    assert isinstance(registry.PRESENCE["memory"](made), MemoryPresence)


@pytest.mark.parametrize("name", ["redis", "postgresql"])
def test_what_nodes_share_stands_on_what_the_broker_stands_on(name: str) -> None:
    several = config(name)
    assert not registry.alone(several)
    assert registry.shared(several) == name
    assert {name} <= registry.STATES.keys() & registry.PRESENCE.keys() & registry.BROKERS.keys()


def test_an_engine_is_shared_by_all_that_stand_on_it() -> None:
    made = parts(config("redis"))
    assert isinstance(registry.BROKERS["redis"](made), RedisBroker)
    assert isinstance(registry.STATES["redis"](made), RedisState)
    assert made.redis is made.redis


@pytest.mark.parametrize(
    ("broker", "state"), [("redis", "memory"), ("memory", "redis"), ("memory", "postgresql")]
)
def test_nodes_that_would_not_see_each_others_state_are_refused(broker: str, state: str) -> None:
    with pytest.raises(ConfigError, match=r"cluster\.state"):
        registry.shared(config(broker, state))


def test_a_broker_on_one_engine_and_state_on_another_go_together() -> None:
    assert registry.shared(config("redis", "postgresql")) == "postgresql"


def test_nats_carries_messages_and_something_else_keeps_what_nodes_share() -> None:
    assert registry.shared(config("nats", "redis")) == "redis"
    with pytest.raises(ConfigError, match=r"cluster\.state"):
        registry.shared(config("nats"))


def test_an_unknown_name_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"broker\.type: there is no 'kafka'; known are memory, .*redis"):
        registry.find(registry.BROKERS, "kafka", "broker.type")
    with pytest.raises(ConfigError, match=r"cluster\.state: there is no 'etcd'"):
        registry.shared(config("redis", "etcd"))
