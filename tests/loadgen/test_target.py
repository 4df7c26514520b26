"""The target: its tokens, its process, and a server of our own."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice

import jwt
import pytest

from hubbub.loadgen import BenchError, Target
from hubbub.loadgen.target import free_port, own_server, wait_until_listening

SECRET = "0123456789abcdef0123456789abcdef"


def test_with_a_secret_every_token_is_another_users() -> None:
    tokens = list(islice(Target("ws://x", secret=SECRET).tokens(), 10))
    claims = [jwt.decode(token, SECRET, algorithms=["HS256"]) for token in tokens]
    assert len({claim["sub"] for claim in claims}) == len(set(tokens)) == 10
    assert claims[0]["channels"] == {"bench:*": ["subscribe", "publish"]}


def test_a_given_token_is_used_as_it_is() -> None:
    assert list(islice(Target("ws://x", token="mine").tokens(), 2)) == ["mine", "mine"]


def test_what_is_known_of_a_process() -> None:
    target = Target("ws://x", pid=os.getpid())
    assert (target.memory() or 0) > 1_000_000
    assert (target.descriptors() or 0) > 2
    assert (target.cpu() or 0) > 0


def test_nothing_is_known_without_a_process_id() -> None:
    target = Target("ws://x")
    assert target.memory() is target.cpu() is target.descriptors() is None


def test_a_server_that_ends_is_not_waited_for() -> None:
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(BenchError, match="status 3"):
        wait_until_listening(process, free_port())


def test_our_own_server_is_gone_after_the_block() -> None:
    with own_server() as target:
        assert target.descriptors()
    assert not os.path.exists(f"/proc/{target.pid}")
