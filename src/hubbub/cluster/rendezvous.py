"""Which node is to have what: rendezvous hashing with weights. Pure.

Every node comes to the same answer from the same list, and of the keys only those of a node that went or came change
their place (Thaler and Ravishankar, 1998; weights as in Schindelhauer and Schomaker, 2005).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from hashlib import blake2b


def owner(key: str, nodes: Mapping[str, float]) -> str | None:
    """The node that is to have `key`, of nodes with their weights; one of weight 0 has nothing. None of none."""
    first = ranked(key, nodes, 1)
    return first[0] if first else None


def ranked(key: str, nodes: Mapping[str, float], count: int) -> list[str]:
    """The first `count` nodes for `key`, best first: who comes next when the first is gone."""
    scores = [(_score(key, node, weight), node) for node, weight in nodes.items() if weight > 0]
    return [node for _, node in heapq.nlargest(count, scores)]


def _score(key: str, node: str, weight: float) -> float:
    digest = blake2b(key.encode(), digest_size=8, key=node.encode()[:64], person=b"hubbub.place")
    # Into (0, 1), neither end included.
    return -weight / math.log((int.from_bytes(digest.digest()) + 0.5) / 2**64)
