from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubbub.testing.postgres import Cluster, create_database, execute
from hubbub.testing.processes import wait_for

TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(durable=True) as cluster:
        yield cluster


def test_what_is_committed_survives_a_kill(cluster: Cluster) -> None:
    url = cluster.create("survives")
    execute(url, "CREATE TABLE t (x int)", "INSERT INTO t VALUES (7)")
    port = cluster.port
    cluster.kill()
    with pytest.raises(OSError):
        execute(url, "SELECT 1")
    cluster.start()
    assert cluster.port == port
    assert execute(url, "SELECT x FROM t") == [(7,)]
    cluster.restart()
    assert execute(url, "SELECT x FROM t") == [(7,)]


def test_a_paused_one_answers_later(cluster: Cluster) -> None:
    cluster.pause()
    asked = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"from hubbub.testing.postgres import *; execute({cluster.url()!r}, 'SELECT 1')",
        ]
    )
    with pytest.raises(subprocess.TimeoutExpired):
        asked.wait(1.0)
    cluster.resume()
    assert asked.wait(60) == 0


def test_passwords_are_asked_for(cluster: Cluster) -> None:
    with pytest.raises(Exception, match="password authentication failed"):
        execute(f"postgresql://hubbub:wrong@127.0.0.1:{cluster.port}/postgres", "SELECT 1")


def test_wrong_settings_are_told_from_its_log() -> None:
    with pytest.raises(RuntimeError, match="no_such_setting"), Cluster(no_such_setting="1"):
        pass


def test_nothing_is_left_of_a_closed_one() -> None:
    with Cluster() as cluster:
        pid, folder = cluster.pid, cluster.folder
        cluster.pause()
    assert not Path(f"/proc/{pid}").exists()
    assert not folder.exists()


def test_nothing_is_left_when_its_owner_is_killed() -> None:
    program = (
        "import sys, time\nfrom hubbub.testing.postgres import Cluster\n"
        "cluster = Cluster().__enter__()\nprint(cluster.pid, cluster.folder, flush=True)\ntime.sleep(60)"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid, folder = owner.stdout.readline().split()
    owner.kill()
    owner.communicate()
    wait_for(lambda: not Path(f"/proc/{pid}").exists() and not Path(folder).exists(), "all to be gone")


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path is short enough for a Unix socket in it; `tmp_path` of a worker of xdist's is not."""
    with tempfile.TemporaryDirectory(prefix="run-") as path:
        yield Path(path)


def test_all_processes_of_a_run_share_one_until_the_run_ends(short_path: Path) -> None:
    """This process plays pytest's controller's child, twice; the shell between plays the controller."""
    tmp_path = short_path
    program = (
        "import os; from hubbub.testing.postgres import shared; os.write(1, shared().encode() + bytes([10]))"
    )
    environment = {**os.environ, "PYTEST_XDIST_TESTRUNUID": tmp_path.name, "TMPDIR": str(tmp_path)}
    tmp_path.chmod(0o711)
    script = f"{sys.executable} -c '{program}' & {sys.executable} -c '{program}'; wait; read _"
    run = subprocess.Popen(
        ["/bin/sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert run.stdout is not None
    urls = {run.stdout.readline().strip(), run.stdout.readline().strip()}
    assert len(urls) == 1
    url = create_database(urls.pop(), "mine", "hubbub_template")
    assert execute(url, TABLES)[0][0] > 10
    run.send_signal(signal.SIGKILL)
    run.communicate()
    wait_for(lambda: not list(tmp_path.iterdir()), "all to be gone")
    with pytest.raises(OSError):
        execute(url, "SELECT 1")


def test_databases_of_tests_are_migrated_and_apart(
    postgres_url: str, empty_postgres_url: str, postgres_server: str
) -> None:
    assert execute(postgres_url, TABLES)[0][0] > 10
    assert execute(empty_postgres_url, TABLES) == [(0,)]
    assert len({postgres_url, empty_postgres_url, postgres_server}) == 3
