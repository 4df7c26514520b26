"""Whether this node lives, is ready and delivers; and its metrics. Small ASGI handlers that need no framework."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from hubbub.auth.api_keys import ApiKeys
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.hub import Hub
from hubbub.model import Envelope, Publication, Raw
from hubbub.telemetry.levels import SHEDDING, Level

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LAG_LIMIT = 1.0
"""Seconds of loop lag from which a node asks to be spared new clients."""

PROBE_TIMEOUT = 2.0
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip")

Status = Literal["ok", "failing", "starting", "draining"]


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was looked at; `seconds` is its lag or latency."""

    status: Status
    seconds: float | None = None
    message: str = ""


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a health address answers; 200 if `status` is ok, else 503."""

    status: Status
    checks: dict[str, Check] = {}


class _Probe(list[Publication]):
    """A channel's buffer that tells when the one publication that it is for has come through."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()

    def append(self, publication: Publication) -> None:
        self.arrived.set()


@dataclass(slots=True)
class Health:
    """An ASGI application for `/health/live`, `/health/ready`, `/health/messaging` and `/metrics`.

    `started` says whether the server has opened all that it needs; `timeout` is how many seconds a probe may take;
    `written` comes back when something has been written durably, where there is a database.
    """

    hub: Hub
    api_keys: ApiKeys
    started: Callable[[], bool]
    timeout: float = PROBE_TIMEOUT
    written: Callable[[], Awaitable[object]] | None = None
    _probing: asyncio.Future[Check] | None = field(default=None, repr=False)

    # --- verdicts -----------------------------------------------------------------------------------------

    def live(self) -> Report:
        """The loop turns: whoever reads this knows."""
        return Report("ok")

    async def ready(self) -> Report:
        """Whether new clients should be sent here."""
        if self.hub.draining:
            return Report("draining")
        if not self.started():
            return Report("starting")
        lag = self.hub.metrics.loop_lag_seconds
        checks = {
            "loop": Check("failing" if lag > LAG_LIMIT else "ok", round(lag, 6)),
            "load": self._load(),
            "broker": await self.probe(),
        }
        return _summary(checks)

    def _load(self) -> Check:
        """Not where new sessions are refused because of it."""
        level = Level(self.hub.metrics.load_level)
        return Check("failing" if SHEDDING[level].new else "ok", message=level.word)

    async def messaging(self) -> Report:
        """Whether a publication really comes back through the broker, and a commit from the database, and how fast."""
        if not self.started():
            return Report("starting")
        checks = {"broker": await self.probe()}
        if self.written is not None:
            checks["store"] = await self._written(self.written)
        return _summary(checks)

    async def _written(self, written: Callable[[], Awaitable[object]]) -> Check:
        began = self.hub.clock.monotonic()
        try:
            async with asyncio.timeout(self.timeout):
                await written()
        except TimeoutError:
            return Check("failing", message=f"nothing was written within {self.timeout:g} s")
        except Exception as error:
            return Check("failing", message=f"{type(error).__name__}: {error}")
        return Check("ok", round(self.hub.clock.monotonic() - began, 6))

    async def probe(self) -> Check:
        """One loopback publish; those who ask while it is under way share its outcome."""
        if self._probing is None:
            self._probing = asyncio.ensure_future(self._loopback())
            self._probing.add_done_callback(self._probed)
        return await asyncio.shield(self._probing)

    def _probed(self, _: object) -> None:
        self._probing = None

    async def _loopback(self) -> Check:
        hub, clock = self.hub, self.hub.clock
        name = f"session:health-{secrets.token_hex(6)}"  # of the server's own namespace, and nobody else's
        probe = _Probe()
        began = clock.monotonic()
        try:
            async with asyncio.timeout(self.timeout):
                channel = await hub.hold(name, probe)
                try:
                    await hub.broker.publish(Envelope(Publication(name, "probe", Raw(b"null"))))
                    await probe.arrived.wait()
                finally:
                    hub.release(channel, probe)
        except TimeoutError:
            return Check("failing", message=f"nothing came back within {self.timeout:g} s")
        except Exception as error:
            return Check("failing", message=f"{type(error).__name__}: {error}")
        return Check("ok", round(clock.monotonic() - began, 6))

    # --- HTTP ---------------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status, media_type, body = await self._answer(scope)
        except HubbubError as error:
            self.hub.metrics.errors[int(error.code)] += 1
            status, media_type = error.info.status, "application/json"
            body = msgspec.json.encode(
                {
                    "code": int(error.code),
                    "name": error.info.name,
                    "message": error.message,
                    "temporary": error.info.temporary,
                }
            )
        self.hub.metrics.http_requests[f"{status // 100}xx"] += 1
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if status == 401:
            headers.append((b"www-authenticate", b'Bearer realm="hubbub"'))
        if status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, scope: Scope) -> tuple[int, str, bytes]:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path not in PATHS:
            raise HubbubError(ErrorCode.NOT_FOUND, "there is nothing at this path")
        if scope["method"] not in ("GET", "HEAD"):
            raise HubbubError(ErrorCode.METHOD_NOT_ALLOWED, "method not allowed here; use GET or HEAD")
        if path == "/metrics":
            self._admit(scope)
            return 200, EXPOSITION, self.hub.metrics.exposition()
        if path == "/health/live":
            report = self.live()
        else:
            report = await (self.ready() if path == "/health/ready" else self.messaging())
        return 200 if report.status == "ok" else 503, "application/json", msgspec.json.encode(report)

    def _admit(self, scope: Scope) -> None:
        """Raises NOT_FOUND when metrics are off, UNAUTHENTICATED or PERMISSION_DENIED for the wrong reader."""
        who = self.hub.config.telemetry.metrics
        if who == "off":
            raise HubbubError(ErrorCode.NOT_FOUND, "there is nothing at this path")
        if who == "public" or _is_local(scope):
            return
        if who == "local":
            raise HubbubError(
                ErrorCode.PERMISSION_DENIED, "metrics are for loopback only (telemetry.metrics = local)"
            )
        scheme, _, key = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1").partition(" ")
        self.api_keys.check(key.strip() if scheme.lower() == "bearer" else None)


PATHS = ("/health/live", "/health/ready", "/health/messaging", "/metrics")


def _summary(checks: dict[str, Check]) -> Report:
    return Report("ok" if all(each.status == "ok" for each in checks.values()) else "failing", checks)


def _is_local(scope: Scope) -> bool:
    """From loopback, and not by way of a proxy there that speaks for somebody else."""
    client = scope.get("client")
    if not client or any(name in FORWARDED for name, _ in scope["headers"]):
        return False
    try:
        return ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
