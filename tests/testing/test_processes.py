from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hubbub.testing.processes import ServerProcess, wait_for

PROGRAM = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True:
    listener.accept()[0].sendall(b"hello")
"""


class Greeter(ServerProcess):
    """Says hello to whoever connects; of the first ports it is given, `taken` are somebody else's."""

    name = "Greeter"

    def __init__(self, taken: int = 0) -> None:
        super().__init__()
        self.taken = taken
        self.tried: list[int] = []

    def _command(self) -> list[str]:
        self.tried.append(self.port)
        program = "raise SystemExit('it is taken')" if len(self.tried) <= self.taken else PROGRAM
        return [sys.executable, "-c", program, str(self.port)]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as connection:
                return connection.recv(5) == b"hello"
        except OSError:
            return False


def test_it_goes_and_comes_back_where_it_was() -> None:
    with Greeter() as server:
        port, folder = server.port, server.folder
        assert server.running
        server.kill()
        assert not server.running
        server.start()
        server.restart()
        assert server.tried == [port] * 3
        assert server.log() == "listening\n" * 3
    assert not server.running
    assert not folder.exists()


def test_a_paused_one_is_silent_and_is_ended_all_the_same() -> None:
    with Greeter() as server:
        pid = server.pid
        server.pause()
        assert server.paused
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.settimeout(0.2)
            with pytest.raises(TimeoutError):
                connection.recv(5)
            server.resume()
            connection.settimeout(60)
            assert connection.recv(5) == b"hello"
        server.pause()
    assert not Path(f"/proc/{pid}").exists()


def test_another_port_is_tried_when_one_is_taken() -> None:
    with Greeter(taken=2) as server:
        assert len(server.tried) == 3
        assert len(set(server.tried)) > 1
        assert server.tried[-1] == server.port


def test_what_ends_at_once_is_told_with_its_log() -> None:
    server = Greeter(taken=100)
    with pytest.raises(RuntimeError, match=r"Greeter ended:\nit is taken"), server:
        pass
    assert not server.folder.exists()
    assert (server.port, len(server.tried)) == (0, 5)


def test_nothing_is_left_when_its_owner_is_killed() -> None:
    program = (
        "import sys; from tests.testing.test_processes import Greeter\n"
        "server = Greeter(); server.open(); server.pause()\n"
        "print(server.pid, server.folder, flush=True); sys.stdin.read()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    pid, folder = owner.stdout.readline().split()
    owner.kill()
    owner.communicate()
    wait_for(lambda: not Path(f"/proc/{pid}").exists() and not Path(folder).exists(), "all to be gone")
