"""The port itself: who keeps it has its methods, with its parameters."""

from __future__ import annotations

import inspect

import pytest

from hubbub.broker.base import Broker, nothing
from hubbub.broker.memory import MemoryBroker
from hubbub.broker.postgres import PostgresBroker
from hubbub.broker.redis import RedisBroker
from hubbub.testing.cluster import NodeBroker
from hubbub.testing.faults import FaultyBroker

METHODS = [name for name, value in vars(Broker).items() if inspect.isfunction(value) and name[0] != "_"]


def test_who_does_not_want_to_know_is_told_nothing() -> None:
    assert inspect.signature(Broker.start).parameters["missed"].default is nothing
    nothing()


@pytest.mark.parametrize("kind", [MemoryBroker, RedisBroker, PostgresBroker, NodeBroker, FaultyBroker])
@pytest.mark.parametrize("name", METHODS)
def test_brokers_have_the_methods_of_the_port(kind: type, name: str) -> None:
    assert inspect.signature(getattr(kind, name)) == inspect.signature(getattr(Broker, name))
