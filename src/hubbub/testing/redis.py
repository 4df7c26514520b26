"""Redis servers of one's own for tests and measurements: processes in folders of their own, gone with whoever asked.

with RedisServer(maxmemory="64mb") as server:      # a tenth of a second
    RedisConfig(url=server.url)
    server.pause(); server.resume(); server.kill(); server.start(); server.flush()
with RedisCluster() as cluster: ...                 # three masters
with Sentinels() as sentinels: ...                  # a master, a replica, three Sentinels

They need the program `redis-server` (or `valkey-server`) of version 6.2 or later. All of this blocks: on an event loop,
`asyncio.to_thread(server.restart)`.
"""

from __future__ import annotations

import shutil
from typing import Any

from hubbub.loadgen.target import free_port
from hubbub.testing.processes import DEADLINE, ServerProcess, Stage, wait_for

SLOTS = 16_384
SETTINGS = {
    "bind": "127.0.0.1",
    "save": '""',
    "appendonly": "no",
    "unixsocket": "redis.sock",
    "loglevel": "notice",
}
DURABLE = {"appendonly": "yes", "appendfsync": "always"}


class RedisServer(ServerProcess):
    """A server on a free port of loopback, and on a socket in its folder.

    `settings` are those of redis.conf, with `_` for `-`. What it holds is lost when it ends, unless `durable` (then
    each write is on disk before it is answered).
    """

    name = "Redis"

    def __init__(self, *, durable: bool = False, sentinel: bool = False, **settings: str) -> None:
        super().__init__()
        self.settings = {**SETTINGS, **(DURABLE if durable else {})}
        self.settings |= {name.replace("_", "-"): value for name, value in settings.items()}
        self._sentinel = sentinel

    @property
    def url(self) -> str:
        """For `redis.url`."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def address(self) -> str:
        """For `redis.nodes`."""
        return f"127.0.0.1:{self.port}"

    @property
    def unix_url(self) -> str:
        """For `redis.url`, by its socket."""
        return f"unix://{self.folder / 'redis.sock'}"

    def _command(self) -> list[str]:
        lines = [f"port {self.port}", *(f"{name} {value}" for name, value in self.settings.items())]
        path = self.folder / "redis.conf"
        if not (self._sentinel and path.exists()):  # Sentinels write down there what they know
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [program(), str(path), *(["--sentinel"] if self._sentinel else [])]

    def _answers(self) -> bool:
        import redis

        try:
            return bool(self.ask("PING"))
        except redis.exceptions.AuthenticationError:  # it wants a password: it answers
            return True
        except (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError):
            return False

    def flush(self) -> None:
        """Forget everything that is kept, scripts too."""
        self.ask("FLUSHALL")
        self.ask("SCRIPT", "FLUSH")

    def ask(self, *command: str | bytes | int | float) -> Any:
        """Say one command by the socket, on a connection of its own; the answer as bytes, numbers and lists.

        Raises redis-py's exceptions.
        """
        from redis import UnixDomainSocketConnection
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        path = str(self.folder / "redis.sock")
        kind: Any = UnixDomainSocketConnection  # it is not typed
        connection = kind(path=path, protocol=2, socket_timeout=DEADLINE, retry=Retry(NoBackoff(), 0))
        try:
            connection.connect()
            connection.send_command(*command)
            return connection.read_response(disable_decoding=True)
        finally:
            connection.disconnect()

    def tells(self, expected: bytes, *command: str) -> bool:
        """Whether the answer to a command, as text, has that in it; False if the connection is cut meanwhile, as
        Sentinels do it."""
        import redis

        try:
            return expected in self.ask(*command)
        except redis.exceptions.ConnectionError:
            return False


class RedisCluster(Stage):
    """Masters of a Redis Cluster, each with its part of the slots, and a replica of each if wanted.

    `servers` are the first masters, in the order of their slots. `settings` are of all.
    """

    def __init__(self, masters: int = 3, *, replicated: bool = False, **settings: str) -> None:
        self._settings: dict[str, Any] = {
            "cluster_enabled": "yes",
            "cluster_node_timeout": "2000",
            **settings,
        }
        self.servers: list[RedisServer] = []
        self.replicas: list[RedisServer] = []
        self._count = masters
        self._replicated = replicated

    @property
    def url(self) -> str:
        """For `redis.url`, with `redis.mode` cluster."""
        return self.servers[0].url

    @property
    def nodes(self) -> tuple[str, ...]:
        """For `redis.nodes`."""
        return tuple(server.address for server in self.servers)

    def open(self) -> None:
        for servers in (self.servers, self.replicas)[: 1 + self._replicated]:
            for _ in range(self._count):
                server = RedisServer(**self._settings, cluster_port=str(free_port()))
                servers.append(server)
                server.open()
        first = self.servers[0]
        bounds = [SLOTS * index // self._count for index in range(self._count + 1)]
        for index, server in enumerate(self.servers):
            server.ask("CLUSTER", "ADDSLOTS", *range(bounds[index], bounds[index + 1]))
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
        for server in (*self.servers[1:], *self.replicas):
            server.ask("CLUSTER", "MEET", "127.0.0.1", first.port, first.settings["cluster-port"])
        self.settle()
        for server, replica in zip(self.servers, self.replicas, strict=False):
            replica.ask("CLUSTER", "REPLICATE", server.ask("CLUSTER", "MYID"))
        for replica in self.replicas:
            wait_for(
                lambda replica=replica: replica.tells(b"master_link_status:up", "INFO", "replication"),  # type: ignore[misc]
                "a replica",
            )

    def settle(self) -> None:
        """Wait until all know of all, and every slot has a master."""
        every = (*self.servers, *self.replicas)
        expected = (b"cluster_state:ok", b"cluster_known_nodes:%d" % len(every))
        for server in every:
            wait_for(
                lambda server=server: all(part in server.ask("CLUSTER", "INFO") for part in expected),  # type: ignore[misc]
                "a Redis Cluster",
            )

    def move(self, slot: int, target: RedisServer) -> None:
        """Give a slot without keys to another master, as resharding does.

        It imports the slot before it has it, which gives it a newer epoch: what its former master said a moment ago
        counts no more. https://redis.io/docs/latest/commands/cluster-setslot/
        """
        new = target.ask("CLUSTER", "MYID").decode()
        (port, old) = next(
            (master[1], master[2].decode())
            for first, last, master, *_ in target.ask("CLUSTER", "SLOTS")
            if first <= slot <= last
        )
        if old == new:
            return
        source = next(server for server in self.servers if server.port == port)
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", old)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", new)
        for server in (target, source, *self.servers):
            server.ask("CLUSTER", "SETSLOT", slot, "NODE", new)

    def flush(self) -> None:
        for server in self.servers:
            server.flush()

    def close(self) -> None:
        for server in (*self.servers, *self.replicas):
            server.close()


class Sentinels(Stage):
    """A master, its replica, and three Sentinels that replace a master which is silent for half a second.

    After a `failover` the attributes `master` and `replica` say who is which.
    """

    name = "mymaster"

    def __init__(self, *, down_after: float = 0.5, **settings: Any) -> None:
        self._down_after = down_after
        self.master = RedisServer(**settings)
        self.replica = RedisServer(**settings)
        self.sentinels: list[RedisServer] = []

    @property
    def nodes(self) -> tuple[str, ...]:
        """For `redis.nodes`, with `redis.mode` sentinel."""
        return tuple(sentinel.address for sentinel in self.sentinels)

    def open(self) -> None:
        self.master.open()
        self.replica.settings["replicaof"] = f"127.0.0.1 {self.master.port}"
        self.replica.settings["repl-diskless-sync-delay"] = self.master.settings[
            "repl-diskless-sync-delay"
        ] = "0"
        self.replica.open()
        self.master.ask("CONFIG", "SET", "repl-diskless-sync-delay", 0)
        for _ in range(3):
            sentinel = RedisServer(sentinel=True)
            sentinel.settings = {
                "bind": "127.0.0.1",
                "unixsocket": "redis.sock",
                "sentinel resolve-hostnames": "no",
                "sentinel monitor": f"{self.name} 127.0.0.1 {self.master.port} 2",
                "sentinel down-after-milliseconds": f"{self.name} {int(self._down_after * 1000)}",
                "sentinel failover-timeout": f"{self.name} 2000",
            }
            self.sentinels.append(sentinel)
            sentinel.open()
        wait_for(lambda: self.replica.tells(b"master_link_status:up", "INFO", "replication"), "a replica")
        for sentinel in self.sentinels:
            wait_for(lambda sentinel=sentinel: self._knows_all(sentinel), "Sentinels")  # type: ignore[misc]

    def _knows_all(self, sentinel: RedisServer) -> bool:
        reply = sentinel.ask("SENTINEL", "MASTER", self.name)
        facts = dict(zip(reply[::2], reply[1::2], strict=True))
        return bool(facts[b"num-slaves"] == b"1" and facts[b"num-other-sentinels"] == b"2")

    def failover(self) -> None:
        """Wait until Sentinels have made the replica the master: kill or pause `master` first, or it is asked for."""
        if self.master.running and not self.master.paused:
            self.sentinels[0].ask("SENTINEL", "FAILOVER", self.name)
        new = self.replica
        wait_for(lambda: new.tells(b"role:master", "INFO", "replication"), "a failover")
        for sentinel in self.sentinels:
            wait_for(
                lambda sentinel=sentinel: (  # type: ignore[misc]
                    int(sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.name)[1]) == new.port
                ),
                "Sentinels to agree",
            )
        self.master, self.replica = new, self.master

    def close(self) -> None:
        for server in (*self.sentinels, self.replica, self.master):
            server.close()


def program() -> str:
    """Path of the server's program. Raises RuntimeError."""
    path = shutil.which("redis-server") or shutil.which("valkey-server")
    if path is None:
        raise RuntimeError(
            "redis-server is not installed: `scripts/setup dev` does it, or install `redis-server`."
        )
    return path
