from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from hubbub.cli import cluster_checks
from hubbub.cli.checks import Finding, examine
from hubbub.config import BrokerConfig, ClusterConfig, Config, RedisConfig, ServerConfig
from hubbub.testing.redis import RedisServer


def config(url: str = "redis://127.0.0.1:1/0", **sections: Any) -> Config:
    redis = RedisConfig(url=SecretStr(url), timeout=0.5)
    return Config(broker=BrokerConfig(type="redis"), redis=redis, **sections)


def verdicts(found: Sequence[Finding]) -> dict[str, str]:
    return {each.subject: each.verdict for each in found}


def test_one_node_alone_has_nothing_to_check() -> None:
    assert list(cluster_checks.cluster(Config())) == []


def test_a_redis_that_is_well_set_up() -> None:
    with RedisServer(durable=True) as server:
        found = list(cluster_checks.cluster(config(server.url, server=ServerConfig(host="192.0.2.1"))))
    assert verdicts(found) == {"address": "ok", "Redis": "ok"}
    assert "standalone" in found[1].text


def test_what_makes_a_redis_forget() -> None:
    limit = "pubsub 1mb 1mb 60"
    with RedisServer(maxmemory_policy="allkeys-lru", client_output_buffer_limit=limit) as server:
        found = list(cluster_checks.cluster(config(server.url)))
    assert verdicts(found) == {
        "address": "warn",
        "Redis": "ok",
        "Redis memory": "warn",
        "Redis disk": "warn",
        "Redis buffers": "warn",
    }
    assert all(each.advice for each in found if each.verdict != "ok")


def test_a_redis_that_does_not_answer() -> None:
    found = list(cluster_checks.cluster(config()))
    assert verdicts(found)["Redis"] == "fail"


def test_state_that_nodes_would_not_share() -> None:
    (found,) = cluster_checks.cluster(config(cluster=ClusterConfig(state="memory")))
    assert found.verdict == "fail"
    assert "cluster.state" in found.text


@pytest.mark.parametrize(
    ("server", "cluster", "verdict"),
    [
        ({"host": "127.0.0.1"}, {}, "warn"),
        ({"host": "0.0.0.0"}, {}, "ok"),
        ({"host": "127.0.0.1"}, {"address": "10.0.0.5:8000"}, "ok"),
        ({"host": "0.0.0.0", "tls_certificate": "a.pem", "tls_key": "b.pem"}, {}, "warn"),
        (
            {"host": "0.0.0.0", "tls_certificate": "a.pem", "tls_key": "b.pem"},
            {"listen": "10.0.0.5:8001"},
            "ok",
        ),
    ],
)
def test_where_other_nodes_find_this_one(
    server: dict[str, Any], cluster: dict[str, Any], verdict: str
) -> None:
    found = cluster_checks.address(config(server=ServerConfig(**server), cluster=ClusterConfig(**cluster)))
    assert found.verdict == verdict


def test_doctor_looks_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_BROKER__TYPE", "redis")
    monkeypatch.setenv("HUBBUB_REDIS__URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("HUBBUB_REDIS__TIMEOUT", "0.5")
    monkeypatch.chdir(tmp_path)
    assert verdicts(list(examine(None, None)))["Redis"] == "fail"
