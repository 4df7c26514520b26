"""Who may open a connection: limits by node and address, origins, and which proxies are believed."""

from __future__ import annotations

import ipaddress
import resource
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from urllib.parse import urlsplit

from hubbub.config import Config
from hubbub.telemetry.metrics import Metrics

Headers = Sequence[tuple[bytes, bytes]]
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Origins:
    """Which pages may connect: those of the server's own origin, and the configured ones (RFC 6454)."""

    def __init__(self, allowed: Iterable[str]) -> None:
        names = tuple(allowed)
        self.any = "*" in names
        self._allowed = frozenset(filter(None, (origin_of(name) for name in names)))

    def permits(self, origin: str | None, scheme: str, host: str | None) -> bool:
        """Whether a request from a page of `origin` may come in; a request without one is not from a page."""
        if origin is None or self.any:
            return True
        asked = origin_of(origin)
        if asked is None:
            return False
        return asked in self._allowed or (host is not None and asked == origin_of(f"{scheme}://{host}"))


def origin_of(url: str) -> tuple[str, str, int] | None:
    """(scheme, host, port) of `url`, or None for what is not the origin of a page (`null`, a path, two origins)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.path not in ("", "/"):
        return None
    if " " in url or not url.isprintable():  # urlsplit would quietly drop tabs and newlines
        return None
    if parts.username is not None or parts.query or parts.fragment or parts.hostname.endswith("."):
        return None
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return scheme, parts.hostname.lower(), DEFAULT_PORTS[parts.scheme] if port is None else port


class Proxies:
    """The proxies whose forwarding headers are believed."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(each, strict=False) for each in trusted]

    def trusts(self, address: str) -> bool:
        if not self._networks:
            return False
        try:
            ip = parse_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._networks)

    def client(self, address: str, scheme: str, headers: Headers) -> tuple[str, str]:
        """The client's address and scheme: as the trusted proxies say, nearest first, as far as they are trusted."""
        if not self.trusts(address):
            return address, scheme
        hops: list[str] = []
        for name, value in headers:
            if name == b"x-forwarded-for":
                hops += [hop.strip() for hop in value.decode("latin-1").split(",")]
            elif name == b"x-forwarded-proto" and value in (b"http", b"https"):
                scheme = value.decode()
        while hops and self.trusts(address):
            hop = hops.pop()
            try:
                address = str(parse_address(hop))
            except ValueError:
                break
        return address, scheme


class Admission:
    """Counts connections of this node, and says no above the limits. Descriptors for operators stay free."""

    def __init__(self, config: Config, metrics: Metrics) -> None:
        limits = config.limits
        self._limits = limits
        self.capacity = 0
        self.measure()
        self.total = 0
        self.spare = 0
        self._spare_capacity = limits.reserved_descriptors // 2
        self._per_ip = limits.connections_per_ip
        self._exempt_loopback = config.dev
        self._proxies = Proxies(config.server.trusted_proxies)
        self._addresses: Counter[str] = Counter()
        self.exempt: Container[str] = ()
        """The addresses of other nodes, which hand on the requests of many clients."""
        self._metrics = metrics

    def measure(self) -> None:
        """Find out how many connections the limit of open files has room for."""
        limits = self._limits
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        room = soft - limits.reserved_descriptors if soft != resource.RLIM_INFINITY else limits.connections
        self.capacity = max(0, min(limits.connections, room))

    def enter(self, address: str) -> bool:
        """Count one connection from `address`; False, and not counted, above a limit."""
        if self.total >= self.capacity:
            self._metrics.rejected["connections"] += 1
            return False
        if not self._has_room(address):
            return False
        self.total += 1
        self._addresses[address] += 1
        return True

    def rename(self, address: str, real: str) -> bool:
        """A connection admitted as a proxy's is `real`'s: count it there; False, and unchanged, above the limit."""
        if real != address:
            if not self._has_room(real):
                return False
            self.leave(address)
            self.total += 1
            self._addresses[real] += 1
        return True

    def _has_room(self, address: str) -> bool:
        if self._addresses[address] < self._per_ip or self._proxies.trusts(address):
            return True
        if address in self.exempt:
            return True
        if self._exempt_loopback and is_loopback(address):
            return True
        self._metrics.rejected["connections_per_ip"] += 1
        return False

    def enter_spare(self) -> bool:
        """Count a connection above the limits, which may only ask for health and metrics; False if too many do."""
        if self.spare >= self._spare_capacity:
            return False
        self.spare += 1
        return True

    def leave_spare(self) -> None:
        self.spare -= 1

    def leave(self, address: str) -> None:
        self.total -= 1
        left = self._addresses[address] - 1
        if left > 0:
            self._addresses[address] = left
        else:
            del self._addresses[address]


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address, as IPv4 where a dual-stack socket has mapped it into IPv6 (`::ffff:10.0.0.1`)."""
    ip = ipaddress.ip_address(text)
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip


def is_loopback(address: str) -> bool:
    try:
        return parse_address(address).is_loopback
    except ValueError:
        return address == "localhost"
