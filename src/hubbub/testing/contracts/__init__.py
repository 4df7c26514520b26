"""What every implementation of a port must keep, as pytest classes to subclass. Needs pytest and anyio."""

import pytest

pytest.register_assert_rewrite(
    "hubbub.testing.contracts.blobs",
    "hubbub.testing.contracts.broker_case",
    "hubbub.testing.contracts.broker_delivery",
    "hubbub.testing.contracts.broker_logs",
    "hubbub.testing.contracts.broker_nodes",
    "hubbub.testing.contracts.presence",
    "hubbub.testing.contracts.presence_shared",
    "hubbub.testing.contracts.state",
    "hubbub.testing.contracts.store_bulk",
    "hubbub.testing.contracts.store_case",
    "hubbub.testing.contracts.store_reading",
    "hubbub.testing.contracts.store_writing",
)

from hubbub.testing.contracts.blobs import BlobsContract  # noqa: E402
from hubbub.testing.contracts.broker import BrokerContract, SharedBrokerContract  # noqa: E402
from hubbub.testing.contracts.broker_case import Inbox, publication  # noqa: E402
from hubbub.testing.contracts.presence import PresenceContract  # noqa: E402
from hubbub.testing.contracts.presence_shared import SharedPresenceContract  # noqa: E402
from hubbub.testing.contracts.state import StateContract  # noqa: E402
from hubbub.testing.contracts.store import StoreContract  # noqa: E402

__all__ = [
    "BlobsContract",
    "BrokerContract",
    "Inbox",
    "PresenceContract",
    "SharedBrokerContract",
    "SharedPresenceContract",
    "StateContract",
    "StoreContract",
    "publication",
]
