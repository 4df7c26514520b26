from __future__ import annotations

from collections import Counter

import pytest
from tests.api.server import Server
from tests.hub.world import settle

from hubbub.api.placement import LONGEST_KEY, weight
from hubbub.errors import ErrorCode
from hubbub.state.base import NodeInfo

pytestmark = pytest.mark.anyio


class Others:
    """A `Remote` that knows nodes, and nothing else."""

    def __init__(self, *nodes: NodeInfo) -> None:
        self._nodes = list(nodes)

    def nodes(self) -> list[NodeInfo]:
        return self._nodes


def among(server: Server, *nodes: NodeInfo) -> None:
    server.world.hub.remote = Others(*nodes)  # type: ignore[assignment]


def node(id: str, **fields: object) -> NodeInfo:
    return NodeInfo(id, name=f"name-{id}", address=f"10.0.0.{len(id)}:8000", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (node("a"), 1.0),
        (node("a", weight=2.5), 2.5),
        (node("a", level="busy"), 1.0),
        (node("a", level="overloaded"), 1.0),
        (node("a", level="critical"), 0.0),
        (node("a", draining=True), 0.0),
        (node("a", weight=0.0), 0.0),
    ],
)
def test_who_drains_or_can_take_nobody_has_no_weight(info: NodeInfo, expected: float) -> None:
    assert weight(info) == expected


async def test_a_node_alone_has_everything(server: Server) -> None:
    answer = await server.ok("GET", "/v1/placement?key=room")
    assert [place["node"] for place in answer["nodes"]] == [""]
    server.world.hub.draining = True
    await settle()
    assert (await server.ok("GET", "/v1/placement?key=room"))["nodes"] == []


async def test_keys_are_spread_by_weight_and_only_those_of_a_node_move_that_goes(server: Server) -> None:
    nodes = [node("a"), node("bb"), node("ccc", weight=2.0)]
    among(server, *nodes)
    keys = [f"room-{number}" for number in range(200)]

    async def owners() -> dict[str, str]:
        found = {}
        for key in keys:
            first, *rest = (await server.ok("GET", f"/v1/placement?key={key}"))["nodes"]
            assert len({first["node"], *(place["node"] for place in rest)}) == 1 + len(rest)
            found[key] = first["node"]
        return found

    before = await owners()
    counts = Counter(before.values())
    assert counts["ccc"] > counts["a"] > 20
    assert counts["bb"] > 20
    among(server, nodes[0], node("bb", draining=True), nodes[2])
    after = await owners()
    assert {key for key in keys if before[key] != after[key]} == {key for key in keys if before[key] == "bb"}


async def test_all_nodes_by_their_weights(server: Server) -> None:
    among(server, node("a"), node("b", weight=3.0), node("c", level="critical"), node("d"))
    answer = await server.ok("GET", "/v1/placement")
    assert [(place["node"], place["weight"]) for place in answer["nodes"]] == [
        ("b", 3.0),
        ("a", 1.0),
        ("d", 1.0),
    ]
    assert answer["nodes"][0] == {
        "node": "b",
        "name": "name-b",
        "address": "10.0.0.1:8000",
        "weight": 3.0,
    }
    assert len((await server.ok("GET", "/v1/placement?count=1"))["nodes"]) == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [("count=0", "count"), ("count=101", "count"), (f"key={'x' * (LONGEST_KEY + 1)}", "key")],
)
async def test_what_cannot_be_asked(query: str, field: str, server: Server) -> None:
    await server.refused(ErrorCode.VALIDATION_FAILED, "GET", f"/v1/placement?{query}", field=field)


async def test_it_is_for_backends(server: Server) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    await server.refused(ErrorCode.UNAUTHENTICATED, "GET", "/v1/placement", headers=wrong)
