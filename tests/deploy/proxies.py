"""A real nginx or HAProxy with the configuration in `deploy/`, before three nodes in this process."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from tests.waiting import until

DEPLOY = Path(__file__).parents[2] / "deploy"
ADDRESSES = ("10.0.0.1:8000", "10.0.0.2:8000", "10.0.0.3:8000")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def program(name: str) -> str:
    """Where it is installed."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    assert found is not None, f"{name} is missing: run `scripts/setup dev` first"
    return found


def with_ports(text: str, ports: Sequence[int]) -> str:
    """The configuration with nodes of this machine. Everything else stays as it is."""
    for address, port in zip(ADDRESSES, ports, strict=True):
        assert text.count(address) == 1
        text = text.replace(address, f"127.0.0.1:{port}")
    return text


def nginx_configuration(folder: Path, port: int, nodes: Sequence[int]) -> str:
    text = with_ports((DEPLOY / "nginx.conf").read_text(), nodes)
    text, listens = re.subn(r"(?m)^( +)listen 80;", rf"\1listen 127.0.0.1:{port};", text)
    assert listens == 1
    temporary = "".join(
        f"    {kind}_temp_path {folder / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text, blocks = re.subn(r"(?m)^http \{\n", f"http {{\n    access_log off;\n{temporary}", text)
    assert blocks == 1
    # As many files as there may be here.
    text, limits = re.subn(r"(?m)^worker_rlimit_nofile \d+;$", "", text)
    assert limits == 1
    return f"pid {folder / 'pid'};\nerror_log {folder / 'errors'} warn;\n" + text.replace("30000", "1000")


def haproxy_configuration(port: int, nodes: Sequence[int]) -> str:
    text = with_ports((DEPLOY / "haproxy.cfg").read_text(), nodes)
    text, binds = re.subn(r"(?m)^    bind :80$", f"    bind 127.0.0.1:{port}", text)
    assert binds == 1
    return text.replace("maxconn 60000", "maxconn 2000")


@contextlib.asynccontextmanager
async def proxy(name: str, folder: Path, nodes: Sequence[int]) -> AsyncIterator[int]:
    """`nginx` or `haproxy` before the nodes at these ports; gives its own port."""
    port = free_port()
    path = folder / f"{name}.conf"
    executable = program(name)
    if name == "nginx":
        path.write_text(nginx_configuration(folder, port, nodes))
        check: tuple[str, ...] = (executable, "-t", "-q", "-p", str(folder), "-c", str(path))
        run: tuple[str, ...] = (executable, "-p", str(folder), "-c", str(path), "-g", "daemon off;")
    else:
        path.write_text(haproxy_configuration(port, nodes))
        check = (executable, "-c", "-q", "-f", str(path))
        run = (executable, "-db", "-f", str(path))
    with (folder / "output").open("wb") as output:
        checked = await asyncio.create_subprocess_exec(*check, stdout=output, stderr=output)
        status = await checked.wait()
        assert status == 0, (folder / "output").read_text()
        process = await asyncio.create_subprocess_exec(
            *run, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
        )

    def listens() -> bool:
        assert process.returncode is None, (folder / "output").read_text()
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", port)) == 0
        return False

    try:
        await until(listens)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
