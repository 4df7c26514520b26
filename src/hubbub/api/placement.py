"""Which node is to have what, for load balancers and for whoever spreads work over the nodes."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import QueryParameter

from hubbub.api.context import Context
from hubbub.api.schemas import Place, Placement
from hubbub.cluster.rendezvous import ranked
from hubbub.hub import operations
from hubbub.state.base import NodeInfo

LONGEST_KEY = 512
SPARED = "critical"
"""The level at which a node takes nobody new."""

Key = Annotated[
    str,
    QueryParameter(
        max_length=LONGEST_KEY,
        description="What is to be placed: a channel, a user, a tenant. Without it, all nodes by their weights.",
    ),
]
Count = Annotated[int, QueryParameter(ge=1, le=100, description="At most so many nodes, the best first.")]


def weight(node: NodeInfo) -> float:
    """The share of new connections that a node is to get: none while it drains or is at its critical level."""
    return 0.0 if node.draining or node.level == SPARED else node.weight


@get("/placement", operation_id="place", tags=["Nodes"], summary="Ask which node is to have what")
async def place(api: Context, key: Key = "", count: Count = 3) -> Placement:
    """Every node answers the same. When a node comes or goes, only the keys move that it gets or had (rendezvous
    hashing, by weights)."""
    known = {node.id: node for node in operations.nodes(api.hub)}
    weights = {id: weight(node) for id, node in known.items()}
    if key:
        order = ranked(key, weights, count)
    else:
        order = sorted((id for id in known if weights[id] > 0), key=lambda id: (-weights[id], id))[:count]
    places = (Place(known[id].id, known[id].name, known[id].address, weights[id]) for id in order)
    return Placement(tuple(places))


ROUTES = (place,)
