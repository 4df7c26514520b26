"""The network between nodes, as it is here: a namespace for each node, where the kernel lets us, or loopback for all.

With namespaces, each node is a machine of its own as far as TCP can tell: `ip netns` with an address on a bridge, and
nftables in it that drop what is to be cut, packets of connections that are open and of those that are not yet. All of
it is in namespaces that the harness has made for itself (`enter`), so that nothing of it is left when that ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

INSIDE = "HUBBUB_FAULTS_NAMESPACES"
BRIDGE = "10.77.0.1"
RULES = """
table inet faults {
  set cut { type ipv4_addr; }
  chain in { type filter hook input priority 0; ip saddr @cut drop
  }
  chain out { type filter hook output priority 0; ip daddr @cut drop
  }
}
"""


def possible() -> bool:
    """Whether this machine gives us namespaces and nftables."""
    if not all(shutil.which(program) for program in ("unshare", "ip", "nft")):
        return False
    tried = (
        "ip link add name hb type bridge && ip link add name hb1 type veth peer name hb2 && nft list ruleset"
    )
    done = subprocess.run(
        ["unshare", "-n", "-m", "sh", "-c", tried], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return done.returncode == 0


def enter() -> None:
    """Begin anew in namespaces of our own. Does not return, unless we are in them."""
    if os.environ.get(INSIDE):
        return
    arguments = [sys.executable, *sys.orig_argv[1:]]
    os.execvpe("unshare", ["unshare", "-n", "-m", *arguments], {**os.environ, INSIDE: "1"})


class Loopback:
    """All on 127.0.0.1. Only what goes through proxies can be cut."""

    partitions = False
    gateway = "127.0.0.1"

    def add(self, name: str) -> str:
        """The address of a new node."""
        return "127.0.0.1"

    def command(self, name: str) -> Sequence[str]:
        """What a node's command line begins with."""
        return ()

    def cut(self, name: str, addresses: Sequence[str]) -> None:
        raise NotImplementedError

    def mend(self, name: str) -> None:
        raise NotImplementedError


class Namespaces:
    """A namespace, and an address, for each node; `gateway` is ours, where clients and engines are."""

    partitions = True
    gateway = BRIDGE

    def __init__(self) -> None:
        assert os.environ.get(INSIDE), "enter() first"
        os.makedirs("/run/netns", exist_ok=True)
        _run("mount", "--make-rprivate", "/")
        _run("mount", "-t", "tmpfs", "tmpfs", "/run/netns")
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", "name", "hb", "type", "bridge")
        _run("ip", "address", "add", f"{BRIDGE}/24", "dev", "hb")
        _run("ip", "link", "set", "hb", "up")
        self._count = 0

    def add(self, name: str) -> str:
        self._count += 1
        address, outside = f"10.77.0.{10 + self._count}", f"hb{self._count}"
        within = ("ip", "-n", name)
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "link", "set", outside, "master", "hb", "up")
        _run(*within, "address", "add", f"{address}/24", "dev", "eth0")
        _run(*within, "link", "set", "eth0", "up")
        _run(*within, "link", "set", "lo", "up")
        self._rules(name, RULES)
        return address

    def command(self, name: str) -> Sequence[str]:
        return ("ip", "netns", "exec", name)

    def cut(self, name: str, addresses: Sequence[str]) -> None:
        """Nothing passes between a node and `addresses`, either way."""
        self._rules(name, f"add element inet faults cut {{ {', '.join(addresses)} }}\n")

    def mend(self, name: str) -> None:
        self._rules(name, "flush set inet faults cut\n")

    def _rules(self, name: str, text: str) -> None:
        done = subprocess.run(
            [*self.command(name), "nft", "-f", "-"], input=text, text=True, capture_output=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"nft: {done.stderr}")


Network = Loopback | Namespaces


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
