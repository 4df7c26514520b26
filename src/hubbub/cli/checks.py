"""What `hubbub doctor` checks, one function each: it looks, and says ok, warn or fail, and what to do."""

from __future__ import annotations

import importlib.util
import math
import os
import platform
import shutil
import socket
import sqlite3
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal

from hubbub.cli.credentials import base_url, read_development_keys
from hubbub.cli.http import Api
from hubbub.cli.output import Problem, words
from hubbub.config import Config, authenticates, load, validate
from hubbub.errors import ConfigError

MINIMUM_PYTHON = (3, 11)
EXPIRY_WARNING = 21 * 86400.0
DESCRIPTORS_BESIDE_CLIENTS = 128
FREE_WARNING = 256 << 20
"""Bytes of disk below which conversations may soon find no room."""
SOMAXCONN = Path("/proc/sys/net/core/somaxconn")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    verdict: Literal["ok", "warn", "fail"]
    subject: str
    text: str
    advice: str = ""


def examine(path: Path | None, url: str | None) -> Iterator[Finding]:
    """All checks in turn; those that need settings only if there are any."""
    yield python(sys.version_info[:2])
    yield event_loop()
    try:
        config = load(path)
    except ConfigError as error:
        for line in str(error).splitlines()[-5:]:
            yield Finding("fail", "settings", line.strip(), "`hubbub config doc` describes every setting.")
        return
    yield from settings(config)
    yield secret(config)
    yield from certificate(config, time.time())
    yield descriptors(config, descriptor_limit())
    yield backlog(config, SOMAXCONN)
    if config.chat.enabled:
        yield storage(config)
    if config.broker.type != "memory":
        from hubbub.cli.cluster_checks import cluster

        yield from cluster(config)
    yield from server(config, url)


def storage(config: Config) -> Finding:
    """Whether the database of the conversations is there, or can be made, and has this version's tables."""
    from hubbub.cli.databases import on_database
    from hubbub.storage import migrations

    url = config.storage.url.get_secret_value()
    what = "SQLite"
    if url.startswith("sqlite"):
        from hubbub.storage.sqlite import database_path

        path = database_path(url)
        what = f"SQLite {sqlite3.sqlite_version}, {path}"
        if not os.access(path.parent, os.W_OK):
            return Finding(
                "fail", "storage", f"{path.parent} cannot be written", "Name another file in storage.url."
            )
        free = shutil.disk_usage(path.parent).free
        if free < FREE_WARNING:
            return Finding("warn", "storage", f"{what}: {free >> 20} MiB are free", "Make room on the disk.")
        if not path.exists():
            return Finding("ok", "storage", f"{what} will be made")
    elif url.startswith("postgresql"):
        what = "PostgreSQL"
    try:
        pending = on_database(url, config.storage.timeout, migrations.pending, read_only=True)
    except (Problem, ConfigError) as error:
        return Finding("fail", "storage", str(error), "See storage.url.")
    if pending and not url.startswith("sqlite"):
        return Finding("fail", "storage", f"{what} lacks {', '.join(pending)}", "Run `hubbub migrate`.")
    return Finding("ok", "storage", what)


def python(version: tuple[int, ...]) -> Finding:
    text = f"{platform.python_implementation()} {platform.python_version()}"
    if version < MINIMUM_PYTHON:
        return Finding("fail", "python", text, "Hubbub needs Python 3.11 or later.")
    return Finding("ok", "python", text)


def event_loop(find: Callable[[str], object | None] = importlib.util.find_spec) -> Finding:
    if find("uvloop") is not None:
        return Finding("ok", "event loop", "uvloop")
    return Finding("warn", "event loop", "asyncio's own", "pip install uvloop: it is about twice as fast.")


def settings(config: Config) -> Iterator[Finding]:
    """`config.validate`; a development server makes up what it lacks."""
    try:
        validate(config)
    except ConfigError as error:
        for fault in str(error).splitlines():
            what, _, advice = fault.partition(". ")
            if not authenticates(config) and what.startswith("auth.hmac_secret is not set"):
                yield Finding(
                    "warn", "settings", "no keys are set: only `hubbub serve --dev` would start", advice
                )
            else:
                yield Finding("fail", "settings", what, advice)
        return
    yield Finding("ok", "settings", "complete and consistent")


def secret(config: Config) -> Finding:
    """Guessable secrets: few different bytes, or words (RFC 8725, section 3.5)."""
    if config.auth.hmac_secret is None:
        if authenticates(config):
            return Finding("ok", "secret", "none: tokens are signed with asymmetric keys")
        if read_development_keys() is not None:
            return Finding("ok", "secret", "made up by --dev, in .hubbub/dev.json")
        return Finding("warn", "secret", "none", "make one with `hubbub token --new-secret`.")
    text = config.auth.hmac_secret.get_secret_value()
    bits = entropy(text)
    if len(text.encode()) < 32 or bits < 128:
        advice = "make one with `hubbub token --new-secret`."
        return Finding(
            "fail" if bits < 60 else "warn", "secret", f"looks guessable (about {bits:.0f} bits)", advice
        )
    return Finding("ok", "secret", f"{len(text.encode())} bytes")


def entropy(text: str) -> float:
    """At most how many bits an attacker has to guess: by the characters' frequencies, and by what deflate makes of
    repetitions. For words it is too kind."""
    if not text:
        return 0.0
    counts = [text.count(character) for character in set(text)]
    shannon = -sum(count * math.log2(count / len(text)) for count in counts)
    return min(shannon, 8.0 * len(zlib.compress(text.encode(), 9, -zlib.MAX_WBITS)))


def certificate(config: Config, now: float) -> Iterator[Finding]:
    """The certificate chain's expiry, and that the key belongs to it."""
    path, key = config.server.tls_certificate, config.server.tls_key
    if path is None or key is None or not path.is_file() or not key.is_file():
        return
    import ssl

    from cryptography import x509

    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(path, key)
    except (ValueError, OSError) as error:
        yield Finding("fail", "TLS", f"{path}: {error}", "give a PEM chain and the private key of its first.")
        return
    ends = min(each.not_valid_after_utc for each in chain)
    left = ends.timestamp() - now
    when = f"{ends:%Y-%m-%d}"
    if left <= 0:
        yield Finding("fail", "TLS", f"{path} expired on {when}", "renew the certificate, then restart.")
    elif left < EXPIRY_WARNING:
        yield Finding("warn", "TLS", f"{path} expires on {when}, in {words(left)}", "renew the certificate.")
    else:
        yield Finding("ok", "TLS", f"{path} is valid until {when}")


def descriptor_limit() -> tuple[float, float] | None:
    """This process's soft and hard limit of open files."""
    try:
        import resource
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    return (math.inf if soft == infinite else soft, math.inf if hard == infinite else hard)


def descriptors(config: Config, limit: tuple[float, float] | None) -> Finding:
    """Every connection takes a file descriptor."""
    if limit is None:
        return Finding("ok", "descriptors", "not limited on this system")
    soft, hard = limit
    needed = config.limits.connections + config.limits.reserved_descriptors + DESCRIPTORS_BESIDE_CLIENTS
    if soft >= needed:
        return Finding("ok", "descriptors", f"{soft:g} for {config.limits.connections} connections")
    how = f"ulimit -n {needed}" if hard >= needed else f"LimitNOFILE={needed} in the service's unit"
    return Finding(
        "warn",
        "descriptors",
        f"{soft:g}, but limits.connections = {config.limits.connections} needs {needed}",
        f"raise it ({how}), or lower limits.connections.",
    )


def backlog(config: Config, source: Path) -> Finding:
    """The kernel cuts the listening socket's queue to its own maximum, without a word."""
    try:
        most = int(source.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return Finding("ok", "backlog", f"{config.server.backlog}, the system's maximum is not known")
    if most < config.server.backlog:
        return Finding(
            "warn",
            "backlog",
            f"server.backlog = {config.server.backlog} is cut to {most} by the kernel",
            f"sysctl -w net.core.somaxconn={config.server.backlog}",
        )
    return Finding("ok", "backlog", f"{config.server.backlog} of at most {most}")


def server(config: Config, url: str | None) -> Iterator[Finding]:
    """Either a Hubbub answers there and is ready, or the port is free for one."""
    where = url or base_url(config)
    try:
        with Api(where, timeout=3.0) as api:
            before = time.time()
            status, headers, body = api.request("GET", "/health/ready")
            took = time.time() - before
    except Problem as problem:
        yield (
            _unreachable(config, where, problem)
            if url is None
            else Finding("fail", "server", problem.what, problem.advice)
        )
        return
    if status == 200:
        yield Finding("ok", "server", f"{where} is ready ({took * 1000:.0f} ms)")
    elif status == 503:
        said = body.decode("utf-8", "replace").strip().splitlines()
        yield Finding(
            "fail", "server", f"{where} is not ready: {said[0][:200] if said else ''}", "see its log."
        )
    else:
        yield Finding(
            "fail",
            "server",
            f"what answers at {where} is not Hubbub (HTTP {status} at /health/ready)",
            "stop it, or choose another server.port.",
        )
        return
    yield from clock(headers.get("Date"), before + took / 2, config.auth.leeway)


def clock(date: str | None, now: float, leeway: float) -> Iterator[Finding]:
    """Tokens carry times: whoever makes them and whoever checks them must agree on what time it is."""
    try:
        there = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return
    skew = there + 0.5 - now  # the header has whole seconds
    reads = datetime.fromtimestamp(there, UTC)
    text = f"{abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'} of here, at {reads:%H:%M:%S} UTC"
    if abs(skew) < 2:
        yield Finding("ok", "clock", "the server's agrees with this one")
    elif abs(skew) < leeway:
        yield Finding("warn", "clock", f"the server's is {text}", "let both be set by NTP.")
    else:
        yield Finding(
            "fail", "clock", f"the server's is {text}: more than auth.leeway", "let both be set by NTP."
        )


def _unreachable(config: Config, where: str, problem: Problem) -> Finding:
    host, port = config.server.host, config.server.port
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return Finding(
            "fail",
            "server",
            f"nothing answers at {where}, and its port cannot be used: {error.strerror}",
            "stop the program that holds it, or choose another server.port.",
        )
    return Finding("ok", "server", f"not running; port {port} is free for it")
