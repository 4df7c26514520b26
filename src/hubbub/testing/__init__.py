"""Public test doubles: a clock that a test moves, a connection without a wire, a broker that fails at will.

The suites that every broker and presence store must pass are in `hubbub.testing.contracts` (needs pytest).
"""

from hubbub.testing.clock import FakeClock
from hubbub.testing.connection import MemoryConnection
from hubbub.testing.faults import FaultyBroker

__all__ = ["FakeClock", "FaultyBroker", "MemoryConnection"]
