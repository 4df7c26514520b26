"""The command line as people use it: real processes, real sockets, the printed lines pasted into a shell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from hubbub.auth.tokens import mint
from hubbub.client import Client, ClientError
from hubbub.errors import HubbubError

WITHIN = 30.0
"""Seconds after which what has not come will not."""


class Process:
    """A command that runs, with its lines as they come."""

    def __init__(self, arguments: list[str] | str, directory: Path, **environment: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")}
        self.popen = subprocess.Popen(
            arguments,
            shell=isinstance(arguments, str),
            cwd=directory,
            env=clean | {"PYTHONUNBUFFERED": "1"} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # signals to it must not reach the tests
        )
        self.seen: dict[str, list[str]] = {"out": [], "err": []}
        self._lines: dict[str, Queue[str]] = {"out": Queue(), "err": Queue()}
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream), daemon=True)
            for name, stream in (("out", self.popen.stdout), ("err", self.popen.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str, stream: Any) -> None:
        for line in stream:
            self.seen[name].append(line.rstrip("\n"))
            self._lines[name].put(line.rstrip("\n"))
        stream.close()

    def line(self, fits: Callable[[str], bool], stream: str = "out") -> str:
        """The next line that fits."""
        deadline = time.monotonic() + WITHIN
        while True:
            try:
                line = self._lines[stream].get(timeout=max(0.01, deadline - time.monotonic()))
            except Empty:
                raise AssertionError(f"not said in {WITHIN:g} s; said: {self.seen}") from None
            if fits(line):
                return line

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def status(self) -> int:
        """Its exit status, once it has ended by itself."""
        status = self.popen.wait(WITHIN)
        for reader in self._readers:
            reader.join(WITHIN)
        return status

    def end(self) -> None:
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `hubbub ARGUMENTS`, or a shell's line."""
    with ExitStack() as stack:

        def started(*arguments: str, shell: str | None = None, **environment: str) -> Process:
            command = shell if shell is not None else [sys.executable, "-m", "hubbub", *arguments]
            process = Process(command, tmp_path, **environment)
            stack.callback(process.end)
            return process

        yield started


def row(process: Process, label: str) -> str:
    """What the banner says at `label`, beside or below it."""
    line = process.line(lambda line: line.strip().startswith(label))
    rest = line.strip().removeprefix(label).strip()
    return rest if rest and not rest.endswith(("d", ")", "client")) else process.line(lambda _: True)


def is_publication(line: str) -> bool:
    return '"publication"' in line or ("event:" in line and "message" in line) or line.startswith("data:")


def test_the_printed_lines_work_when_pasted_and_sigterm_ends_well(start: Start, tmp_path: Path) -> None:
    server = start("serve", "--dev", "--port", "0")
    assert row(server, "address").startswith("http://127.0.0.1:")
    token = server.line(lambda line: line.startswith("eyJ"))
    key = server.line(lambda line: line.startswith("hubbub_"))
    tail_line = server.line(lambda line: " tail lobby" in line)
    sse_line = server.line(lambda line: line.startswith("curl -N"))
    publish_line = server.line(lambda line: line.startswith("curl"))
    server.line(lambda line: "Ctrl-C" in line)

    tail = start(shell=f"exec {tail_line}")
    assert json.loads(tail.line(lambda line: "subscribed" in line))["channel"] == "lobby"
    stream = start(shell=f"exec {sse_line}")
    stream.line(lambda line: line.startswith((":", "event:", "id:", "retry:", "data:")))
    published = start(shell=f"exec {publish_line}")
    assert published.status() == 0
    assert json.loads(published.seen["out"][0])["position"]["offset"] == 1

    received = json.loads(tail.line(is_publication))
    assert (received["data"], received["offset"]) == ({"text": "hello"}, 1)
    assert "hello" in stream.line(lambda line: "hello" in line)
    for arguments in (("--token", token), ()):
        other = start(
            "tail", "lobby", "--since", f"{received['epoch']}:0", *arguments, *tail_line.split()[-2:]
        )
        assert json.loads(other.line(lambda line: "recovered" in line))["count"] == 1
        other.signal(signal.SIGINT)
        assert (other.status(), other.seen["err"]) == (130, [])

    server.signal(signal.SIGTERM)
    assert server.status() == 0
    assert server.seen["err"] == []
    tail.line(lambda line: '"reconnecting"' in line)
    tail.signal(signal.SIGINT)
    assert (tail.status(), tail.seen["err"]) == (130, [])

    again = start("serve", "--dev", "--port", "0")
    assert key == again.line(lambda line: line.startswith("hubbub_"))
    url = again.line(lambda line: " tail lobby" in line).split()[-1]
    kept = start("tail", "lobby", "--url", url, "--token", token)
    kept.line(lambda line: "subscribed" in line)
    assert (tmp_path / ".hubbub" / "dev.json").stat().st_mode & 0o777 == 0o600


def test_without_dev_no_secret_is_ever_printed(start: Start) -> None:
    secret = "a-secret-of-forty-characters-0123456789abc"
    server = start("serve", "--port", "0", HUBBUB_AUTH__HMAC_SECRET=secret)
    listening = json.loads(server.line(lambda line: "listening" in line, "err"))
    assert (listening["logger"], listening["host"]) == ("hubbub", "127.0.0.1")
    server.signal(signal.SIGTERM)
    assert server.status() == 0
    assert server.seen["out"] == []
    assert secret not in "".join(server.seen["err"])
    assert "eyJ" not in "".join(server.seen["err"])


SHOP = """
from hubbub import Hubbub, Session

app = Hubbub()

@app.on("double")
async def double(session: Session, params: int) -> int:
    return params * 2
"""


@pytest.mark.anyio
async def test_an_application_gets_the_flags_and_a_second_signal_hurries(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    server = await anyio.to_thread.run_sync(
        lambda: start("serve", "shop:app", "--dev", "--port", "0", "--set", "server.drain_window=1000")
    )
    url = await anyio.to_thread.run_sync(lambda: row(server, "address"))
    token = await anyio.to_thread.run_sync(lambda: server.line(lambda line: line.startswith("eyJ")))
    async with Client(url, token) as client:
        assert await client.call("double", 21) == 42
        await client.subscribe("lobby")
        server.signal(signal.SIGTERM)
        await until_refused(url, token)  # now the drain, of a thousand seconds, has begun
        assert server.popen.poll() is None
        server.signal(signal.SIGTERM)
        assert await anyio.to_thread.run_sync(server.status) == 0


async def until_refused(url: str, token: str) -> None:
    with anyio.fail_after(WITHIN):
        while True:
            try:
                async with Client(url, token):
                    await anyio.sleep(0.01)
            except (ClientError, HubbubError):
                return


@pytest.mark.anyio
async def test_sighup_reads_new_keys(start: Start, tmp_path: Path) -> None:
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    file = tmp_path / "key.pem"
    file.write_bytes(public(old))
    (tmp_path / "hubbub.toml").write_text('[auth.public_keys]\nmain = "key.pem"\n')
    server = await anyio.to_thread.run_sync(lambda: start("serve", "--port", "0"))
    said = await anyio.to_thread.run_sync(lambda: server.line(lambda line: "listening" in line, "err"))
    url = f"http://127.0.0.1:{json.loads(said)['port']}"
    async with Client(url, signed(old)):
        pass
    with pytest.raises(HubbubError, match="signature"):
        async with Client(url, signed(new)):
            pass
    file.write_text("nonsense")
    server.signal(signal.SIGHUP)
    await anyio.to_thread.run_sync(lambda: server.line(lambda line: "were not reloaded" in line, "err"))
    async with Client(url, signed(old)):
        pass
    file.write_bytes(public(new))
    server.signal(signal.SIGHUP)
    await anyio.to_thread.run_sync(lambda: server.line(lambda line: "keys reloaded" in line, "err"))
    async with Client(url, signed(new)):
        pass
    with pytest.raises(HubbubError, match="signature"):
        async with Client(url, signed(old)):
            pass


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signed(key: Ed25519PrivateKey) -> str:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return mint(pem, "ada", now=time.time(), ttl=60, algorithm="EdDSA", key_id="main")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_is_not_complained_about(unbuffered: str, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "hubbub", "errors"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=WITHIN,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_refusals_are_two_lines_on_standard_error(start: Start) -> None:
    server = start("serve", "--port", "0")
    assert server.status() == 2
    assert server.seen["out"] == []
    assert [line[:6] for line in server.seen["err"]] == ["error:", " next:"]
