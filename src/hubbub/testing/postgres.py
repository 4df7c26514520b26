"""A PostgreSQL of one's own for tests and measurements: made in a folder of its own, and gone with whoever asked.

with Cluster() as cluster:                      # initdb and start: about a second
    url = cluster.create("chat")                # postgresql://...
    cluster.pause(); cluster.resume(); cluster.restart(); cluster.kill(); cluster.start()

`shared()` gives one cluster to all workers of a test run. It needs the binaries of Debian's `postgresql`, and nothing
of a server that may be running. All of this blocks: on an event loop, `asyncio.to_thread(cluster.restart)`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any

USER = "hubbub"
TEMPLATE = "hubbub_template"
"""A database of a shared cluster that is migrated: copies of it are ready to be used."""
DEADLINE = 60.0
LIBRARY = Path("/usr/lib/postgresql")
SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "64MB",
    "listen_addresses": "127.0.0.1",
    "dynamic_shared_memory_type": "mmap",  # in the folder, so that nothing is left of one that was killed
    "timezone": "UTC",
}
UNSAFE = {"fsync": "off", "full_page_writes": "off"}
"""For tests that pull no plug. `synchronous_commit` stays on: Hubbub insists."""
WATCHDOG = """
read _
pid=$(head -n 1 data/postmaster.pid)
if [ -n "$pid" ]; then
  pkill -CONT -P "$pid"
  kill -CONT "$pid"
  kill -QUIT "$pid"
  for _ in $(seq 200); do kill -0 "$pid" || break; sleep 0.05; done
fi
cd / && rm -rf "$1"
"""
"""Its input ends when whoever made the cluster closes it, or dies in whichever way."""


class Cluster:
    """A server on a free port of loopback. `settings` are of postgresql.conf; with `durable` a crash loses nothing.

    PostgreSQL refuses to run as root: then it runs as `postgres`, or as `nobody`.
    """

    def __init__(self, *, durable: bool = False, **settings: str) -> None:
        self.settings = {**SETTINGS, **({} if durable else UNSAFE), **settings}
        self.port = 0
        self.folder = Path()
        self._password = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Cluster:
        try:
            self._initialise()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def url(self, database: str = "postgres") -> str:
        """For `storage.url`, and for asyncpg."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """Of the postmaster."""
        assert self._process is not None, "not running"
        return self._process.pid

    def start(self) -> None:
        """Start it, on the same port if it ran before; it answers when this returns. Raises RuntimeError."""
        for _ in range(1 if self.port else 5):
            port = self.port or _free_port()
            settings = {**self.settings, "port": str(port), "unix_socket_directories": str(self.folder)}
            options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [program("postgres"), "-D", str(self.folder / "data"), *options],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    **_identity(),
                )
            if self._answers(self._process):
                self.port = port
                return
        raise RuntimeError(f"PostgreSQL does not start:\n{self.log()[-2000:]}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """As an operator does (SIGINT: clients are thrown out, all is written), or at once (SIGQUIT)."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(DEADLINE)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """SIGKILL for all of it; `start` then recovers from its log."""
        family = [self.pid, *self._children()]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(DEADLINE)
        self._process = None
        wait_for(lambda: not any(map(_alive, family)), "the killed processes to be gone")
        (self.folder / "data" / "postmaster.pid").unlink()

    def pause(self) -> None:
        """Nothing answers any more, and all connections stay."""
        for pid in (self.pid, *self._children()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        for pid in (*self._children(), self.pid):
            with contextlib.suppress(ProcessLookupError):  # a child may end by itself
                os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        """Stop at once, and remove everything."""
        if self._process is not None and self._process.poll() is None:
            self.resume()
            self.stop(signal.SIGQUIT)
        if self._watchdog is not None:
            self._watchdog.communicate()
            self._watchdog = None

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def create(self, name: str, *, template: str = "template0") -> str:
        """Make a database; gives its URL."""
        return create_database(self.url(), name, template)

    def _initialise(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hubbub-postgres-"))
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", WATCHDOG, "watchdog", str(self.folder)],
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # not reached by Ctrl-C
        )
        password = self.folder / "password"
        password.write_text(self._password, encoding="ascii")
        if identity := _identity():
            for path in (self.folder, password):
                os.chown(path, identity["user"], identity["group"])
        made = subprocess.run(
            [
                *(program("initdb"), "-D", str(self.folder / "data"), "-U", USER, "--no-sync"),
                *("-E", "UTF8", "--locale=C.UTF-8", "-A", "password", f"--pwfile={password}"),
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            **_identity(),
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr.strip()}")

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until it says that it is ready (line 8 of its lock file) or ends."""
        status = self.folder / "data" / "postmaster.pid"

        def settled() -> bool:
            return process.poll() is not None or ready()

        def ready() -> bool:
            try:
                lines = status.read_text(encoding="utf-8").splitlines()
            except OSError:
                return False
            return len(lines) >= 8 and lines[0] == str(process.pid) and lines[7].strip() == "ready"

        wait_for(settled, "PostgreSQL to start")
        return process.poll() is None

    def _children(self) -> list[int]:
        """Backends and workers (Linux)."""
        listed = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in listed.read_text(encoding="ascii").split()] if listed.exists() else []


def program(name: str) -> str:
    """The path of `initdb` or `postgres`: where PATH says, or the newest that Debian has. Raises RuntimeError."""
    found = shutil.which(name)
    if found is not None:
        return found
    versions = {int(path.parts[-3]): path for path in LIBRARY.glob(f"[0-9]*/bin/{name}")}
    if not versions:
        raise RuntimeError(f"{name} is not installed: `scripts/setup dev` does it, or install `postgresql`.")
    return str(versions[max(versions)])


def create_database(server: str, name: str, template: str = "template0") -> str:
    """Make a database as whoever `server` is the URL of; gives its URL."""
    execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return server.rpartition("/")[0] + f"/{name}"


def drop_database(server: str, name: str) -> None:
    """Remove a database, whoever uses it."""
    execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def execute(url: str, *statements: str) -> Any:
    """Run statements, each in a transaction of its own; gives the rows of the last. Works beside a running loop."""
    import asyncpg  # type: ignore[import-untyped]

    async def run() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return [await connection.fetch(statement) for statement in statements][-1]
        finally:
            await connection.close()

    return _in_thread(run)


def migrate(url: str) -> None:
    """Bring a database to the newest revision."""
    from sqlalchemy.ext.asyncio import create_async_engine

    from hubbub.storage import migrations

    async def run() -> None:
        engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:", 1))
        try:
            async with engine.connect() as connection:
                await connection.run_sync(migrations.upgrade)
        finally:
            await engine.dispose()

    migrations.script()  # reads files: not on a loop
    _in_thread(run)


def shared() -> str:
    """The URL of a server that all processes of this test run use, with `TEMPLATE` in it.

    Whoever of pytest's workers asks first has it started. It ends when the run does, however that ends.
    """
    worker = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if worker is None:
        folder, owner = Path(tempfile.mkdtemp(prefix="hubbub-run-")), os.getpid()
        first = True
    else:
        folder, owner = Path(tempfile.gettempdir()) / f"hubbub-run-{worker}", os.getppid()
        try:
            folder.mkdir(mode=0o700)
            first = True
        except FileExistsError:
            first = False
    if first:
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT, 0o600)
        os.posix_spawn(  # not a Popen, which warns about what is still running when it is forgotten
            sys.executable,
            [sys.executable, "-m", __name__, str(owner), str(folder)],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)],
            setsid=True,
        )
        os.close(log)
    url, error = folder / "url", folder / "error"
    wait_for(lambda: url.exists() or error.exists(), "the shared PostgreSQL")
    if error.exists():
        raise RuntimeError(error.read_text(encoding="utf-8"))
    return url.read_text(encoding="utf-8")


def keep(owner: int, folder: Path) -> None:
    """Run a cluster until the process `owner` is gone; its URL, or what went wrong, is written into `folder`."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    gone = _watch(owner)
    try:
        with Cluster() as cluster:
            migrate(cluster.create(TEMPLATE))
            _publish(folder / "url", cluster.url())
            gone()
    except Exception:
        _publish(folder / "error", traceback.format_exc())
        gone()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Look every few milliseconds. Raises RuntimeError after a minute."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited for {what} for {DEADLINE:.0f} s")
        time.sleep(0.01)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _publish(path: Path, text: str) -> None:
    """So that nobody reads half of it."""
    half = path.with_suffix(".half")
    half.write_text(text, encoding="utf-8")
    half.rename(path)


def _watch(pid: int) -> Callable[[], object]:
    """What waits until the process has ended; it is watched from now on, so that its number is not another's."""
    if sys.platform == "linux":
        descriptor = os.pidfd_open(pid)
        return lambda: select.select([descriptor], [], [])

    def poll() -> None:
        while _alive(pid):
            time.sleep(0.5)

    return poll


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):  # a zombie has ended, though nobody has asked how
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return True


def _identity() -> dict[str, Any]:
    """Arguments of Popen that make root somebody else."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("PostgreSQL does not run as root, and there is no user postgres or nobody.")


def _in_thread(run: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run it on a loop of its own: the caller's thread may have one already."""
    outcome: list[Any] = []

    def target() -> None:
        try:
            outcome.append(asyncio.run(run()))
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


if __name__ == "__main__":
    keep(int(sys.argv[1]), Path(sys.argv[2]))
