"""Namespaces: what is cut for one node is cut for that one alone, and whole again when it is mended."""

from __future__ import annotations

import subprocess
import sys

import pytest
from bench.faults.network import possible

SCRIPT = """
import socket, subprocess, sys
from bench.faults.network import BRIDGE, Namespaces, enter
enter()
network = Namespaces()
one, two = network.add("n1"), network.add("n2")
listener = "import socket; s = socket.create_server(('0.0.0.0', 8000)); print(flush=True)\\nwhile s.accept(): pass"
server = subprocess.Popen([*network.command("n1"), sys.executable, "-c", listener], stdout=subprocess.PIPE)
server.stdout.readline()
ask = f"import socket; socket.create_connection(('{one}', 8000), 0.5)"

def reached(*begin):
    return subprocess.run([*begin, sys.executable, "-c", ask], capture_output=True).returncode == 0

def both():
    return reached(), reached(*network.command("n2"))

found = [both()]
network.cut("n1", [two])
found.append(both())
network.mend("n1")
network.cut("n1", [BRIDGE])
found.append(both())
network.mend("n1")
found.append(both())
server.kill()
print(found)
"""


@pytest.mark.skipif(not possible(), reason="no right to make namespaces and filters")
def test_a_partition_is_between_two_and_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.stdout.strip() == "[(True, True), (True, False), (False, True), (True, True)]"
