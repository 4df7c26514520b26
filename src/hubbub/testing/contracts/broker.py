"""The promises of `hubbub.broker.base.Broker`."""

from __future__ import annotations

from hubbub.testing.contracts.broker_delivery import DeliveryContract
from hubbub.testing.contracts.broker_logs import LogContract
from hubbub.testing.contracts.broker_nodes import NodesContract


class BrokerContract(DeliveryContract, LogContract):
    """Subclass it, implement `open`, `elapse` and `lose`, and run it with pytest and anyio's plugin."""


class SharedBrokerContract(BrokerContract, NodesContract):
    """For a broker that several nodes share: implement `interrupt` and `settle`, too."""
