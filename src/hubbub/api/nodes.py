"""Nodes: which there are, and how they are."""

from __future__ import annotations

from litestar import get

from hubbub.api.context import Context
from hubbub.api.schemas import NodeList
from hubbub.hub import operations


@get("/nodes", operation_id="listNodes", tags=["Nodes"], summary="List nodes")
async def nodes(api: Context) -> NodeList:
    """Those that have shown themselves within `cluster.lease`, as they told of themselves at most a second or two
    ago."""
    return NodeList(api.hub.node_id, tuple(operations.nodes(api.hub)))


ROUTES = (nodes,)
