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
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from hubbub.testing.processes import DEADLINE, ServerProcess, wait_for

USER = "hubbub"
TEMPLATE = "hubbub_template"
"""A database of a shared cluster that is migrated: copies of it are ready to be used."""
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


class Cluster(ServerProcess):
    """A server on a free port of loopback. `settings` are of postgresql.conf; with `durable` a crash loses nothing.

    PostgreSQL refuses to run as root: then it runs as `postgres`, or as `nobody`.
    """

    name = "PostgreSQL"
    ending = 'pkill -CONT -P "$pid"; kill -CONT "$pid"; kill -QUIT "$pid"'

    def __init__(self, *, durable: bool = False, **settings: str) -> None:
        super().__init__()
        self.settings = {**SETTINGS, **({} if durable else UNSAFE), **settings}
        self._password = secrets.token_hex(16)

    def url(self, database: str = "postgres") -> str:
        """For `storage.url`, and for asyncpg."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def open(self) -> None:
        self._settle_in()
        self._initialise()
        self.start()

    def _command(self) -> list[str]:
        settings = {**self.settings, "port": str(self.port), "unix_socket_directories": str(self.folder)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [program("postgres"), "-D", str(self.folder / "data"), *options]

    def _answers(self) -> bool:
        """It says that it is ready in line 8 of its lock file."""
        try:
            lines = (self.folder / "data" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _identity(self) -> dict[str, Any]:
        return _somebody()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """As an operator does (SIGINT: clients are thrown out, all is written), or at once (SIGQUIT)."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(DEADLINE)
            self._ended()

    def restart(self) -> None:
        """Stop it in order, and start it anew on the same port."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """SIGKILL for all of it; `start` then recovers from its log."""
        family = [self.pid, *self._children()]
        self._signal(signal.SIGKILL, family)
        assert self._process is not None
        self._process.wait(DEADLINE)
        self._ended()
        wait_for(lambda: not any(map(_alive, family)), "the killed processes to be gone")
        (self.folder / "data" / "postmaster.pid").unlink()

    def pause(self) -> None:
        """Nothing answers any more, and all connections stay."""
        self.paused = True
        self._signal(signal.SIGSTOP, [self.pid, *self._children()])

    def resume(self) -> None:
        self._signal(signal.SIGCONT, [*self._children(), self.pid])  # a child may end by itself
        self.paused = False

    def close(self) -> None:
        """Stop at once, and remove everything."""
        if self._process is not None:
            if self._process.poll() is None:
                self.resume()
            self.stop(signal.SIGQUIT)
        super().close()

    def create(self, name: str, *, template: str = "template0") -> str:
        """Make a database; gives its URL."""
        return create_database(self.url(), name, template)

    def _initialise(self) -> None:
        password = self.folder / "password"
        password.write_text(self._password, encoding="ascii")
        if identity := _somebody():
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
            **_somebody(),
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr.strip()}")

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


def _somebody() -> dict[str, Any]:
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
