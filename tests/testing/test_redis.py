from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from hubbub.testing.processes import wait_for
from hubbub.testing.redis import RedisCluster, RedisServer, Sentinels


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def test_it_comes_back_empty_on_its_port(server: RedisServer) -> None:
    server.ask("SET", "x", "1")
    assert server.ask("GET", "x") == b"1"
    port = server.port
    server.restart()
    assert server.port == port
    assert server.ask("GET", "x") is None


def test_what_was_answered_is_kept_if_asked_for() -> None:
    with RedisServer(durable=True) as server:
        server.ask("SET", "x", "1")
        server.restart()
        assert server.ask("GET", "x") == b"1"


def test_a_paused_one_answers_later(server: RedisServer) -> None:
    server.pause()
    client = redis.Redis(port=server.port, socket_timeout=0.2, retry=Retry(NoBackoff(), 0))
    with pytest.raises(redis.exceptions.TimeoutError):
        client.ping()
    server.resume()
    assert client.ping()
    client.close()


def test_a_flush_forgets_scripts_too(server: RedisServer) -> None:
    sha = server.ask("SCRIPT", "LOAD", "return 1")
    server.ask("SET", "x", "1")
    server.flush()
    assert server.ask("DBSIZE") == 0
    assert server.ask("SCRIPT", "EXISTS", sha) == [0]


def test_wrong_settings_are_told_from_its_log() -> None:
    with pytest.raises(RuntimeError, match="no-such-setting"), RedisServer(no_such_setting="1"):
        pass


def test_a_cluster_has_all_slots() -> None:
    with RedisCluster() as cluster:
        first = cluster.servers[0]
        slots = first.ask("CLUSTER", "SLOTS")
        assert sum(last - begin + 1 for begin, last, *_ in slots) == 16_384
        assert len(cluster.nodes) == 3
        free = first.ask("CLUSTER", "KEYSLOT", "x")
        cluster.move(free, cluster.servers[0])
        assert first.ask("SET", "x", 1) == b"OK"


def test_sentinels_replace_a_killed_master() -> None:
    with Sentinels() as sentinels:
        old, new = sentinels.master, sentinels.replica
        old.kill()
        sentinels.failover()
        assert (sentinels.master, sentinels.replica) == (new, old)


def test_nothing_is_left_when_whoever_asked_is_killed(tmp_path: Path) -> None:
    said = tmp_path / "said"
    code = (
        "import sys, pathlib\nfrom hubbub.testing.redis import RedisServer\n"
        "server = RedisServer()\nserver.open()\n"
        f"path = pathlib.Path({str(said)!r})\n"
        "path.with_suffix('.half').write_text(f'{server.pid} {server.folder}')\n"
        "path.with_suffix('.half').rename(path)\nsys.stdin.read()\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    wait_for(said.exists, "its number")
    pid, folder = said.read_text(encoding="utf-8").split()
    os.kill(int(pid), signal.SIGSTOP)
    owner.kill()
    owner.communicate()
    wait_for(lambda: not Path(folder).exists(), "its folder to go")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
