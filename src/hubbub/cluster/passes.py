"""How a node knows that a request comes from another one, and whose it is: by a header with a keyed digest.

The key is a random one that all nodes share through State. Who has no access to State can neither forge a header nor
use one that it has seen for another request or later than `WINDOW`.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from typing import NamedTuple

from hubbub.clock import Clock
from hubbub.cluster.nodes import Nodes
from hubbub.errors import HubbubError
from hubbub.state.base import State
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.cluster")

HEADER = b"hubbub-forwarded"
KEY = "forwarding"
KEY_BYTES = 32
KEY_TTL = 86_400.0
RENEW = 10
"""Beats between two looks at the shared key."""
WINDOW = 60.0
"""Seconds by which the clocks of two nodes may differ."""


class Origin(NamedTuple):
    """Whose a forwarded request is, and how it came to the first node."""

    address: str
    scheme: str


class Passes:
    """Writes and reads the header. `ready` once the key is known."""

    def __init__(self, nodes: Nodes, state: State, clock: Clock) -> None:
        self._nodes = nodes
        self._state = state
        self._clock = clock
        self._keys: list[bytes] = []  # the newest first
        self._beats = 0

    @property
    def ready(self) -> bool:
        return bool(self._keys)

    async def refresh(self) -> None:
        """Learn the key, and see that it stays. To be called with each beat."""
        self._beats += 1
        if self._keys and self._beats % RENEW:
            return
        try:
            mine = self._keys[0] if self._keys else secrets.token_bytes(KEY_BYTES)
            if not await self._state.swap(KEY, mine, mine, KEY_TTL):  # keeps it from running out
                await self._state.put(KEY, mine, KEY_TTL, fresh=True)
            found = await self._state.get(KEY)
        except HubbubError as error:
            if not self._keys:
                log.warning("requests cannot be handed on yet", error=error.message)
            return
        if found and found not in self._keys:
            self._keys = [found, *self._keys][:2]

    def write(self, to: str, origin: Origin, method: str, target: bytes) -> bytes:
        """The header's value for one request."""
        client = urlsafe_b64encode(f"{origin.scheme} {origin.address}".encode())
        said = b"%b %b %d %b" % (self._nodes.id.encode(), to.encode(), int(self._clock.now()), client)
        return said + b" " + _digest(self._keys[0], said, method, target)

    def read(self, value: bytes, method: str, target: bytes) -> Origin | None:
        """What the header says; None if no node has written it, for this node, this request and now."""
        said, _, digest = value.rpartition(b" ")
        try:
            _, to, at, client = said.split(b" ")
            scheme, _, address = urlsafe_b64decode(client).decode().partition(" ")
            late = abs(self._clock.now() - int(at)) > WINDOW
        except ValueError:
            return None
        known = any(hmac.compare_digest(digest, _digest(key, said, method, target)) for key in self._keys)
        return Origin(address, scheme) if known and not late and to == self._nodes.id.encode() else None


def _digest(key: bytes, said: bytes, method: str, target: bytes) -> bytes:
    whole = b"%b\n%b\n%b" % (said, method.encode("latin-1"), target)
    return blake2b(whole, digest_size=16, key=key, person=b"hubbub.forward").hexdigest().encode()
