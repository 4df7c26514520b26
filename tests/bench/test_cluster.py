"""What is made of the figures of a cluster, and that loads in processes of their own count what is delivered."""

from __future__ import annotations

import pytest
from bench.cluster.__main__ import ROWS, judged, markdown
from bench.cluster.rows import Effort, latency, workers
from bench.cluster.servers import SERVERS

FOUND = {
    "latency": {"hubbub": {"cross_node_p95_ms": [9.0, 40.0, 11.0], "lost": [0.0, 0.0, 0.0]}},
    "workers-1": {
        "hubbub": {"deliveries_per_s": [100.0]},
        "socketio": {"deliveries_per_s": [80.0]},
        "python-socketio": {"deliveries_per_s": [20.0]},
    },
    "workers-2": {"hubbub": {"deliveries_per_s": [150.0]}},
}


def test_medians_are_held_against_what_is_to_be_reached() -> None:
    entries = {(each["row"], each["figure"], each["peer"]): each for each in judged(FOUND)}
    latency_ = entries[ROWS["latency"].title, "cross_node_p95_ms", None]
    assert (latency_["value"], latency_["met"]) == (11.0, True)
    one = ROWS["workers-1"].title
    assert entries[one, "deliveries_per_s", "socketio"]["met"] is False
    assert entries[one, "deliveries_per_s", "python-socketio"]["value"] == 5.0
    scaled = entries[ROWS["workers-2"].title, "deliveries_per_s", "1 worker"]
    assert (scaled["value"], scaled["met"]) == (1.5, False)
    text = markdown("about", judged(FOUND), FOUND)
    assert "| 1.25 × | ≥ 1.3 × | **missed** |" in text
    assert "| latency | Hubbub | cross_node_p95_ms 11, lost 0 |" in text


@pytest.mark.timeout(120)
def test_what_a_cluster_delivers_is_counted_by_loads_of_its_nodes() -> None:
    server = SERVERS["socketio"]
    assert server.missing() is None, "run `scripts/setup dev` first"
    effort = Effort(seconds=0.5, warmup=0.2, rate=500.0, connections=30)
    figures = latency(server, effort)
    assert figures["lost"] == 0
    assert figures["deliveries_per_s"] > 50
    assert 0 < figures["cross_node_p50_ms"] <= figures["cross_node_max_ms"]
    assert figures["same_node_p50_ms"] > 0
    flood = workers(2)(server, effort)
    assert flood["lost"] == 0
    assert flood["deliveries_per_s"] > 240
