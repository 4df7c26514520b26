from __future__ import annotations

from typing import Any

import pytest

from hubbub.config import Config
from hubbub.telemetry.metrics import Metrics
from hubbub.transports.guards import Admission, Origins, Proxies, is_loopback, origin_of

APP = "https://app.example.com"

# --- origins (reliability 5.1) --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "permitted"),
    [
        (None, True),  # not from a page
        (APP, True),
        ("HTTPS://APP.EXAMPLE.COM", True),
        (APP + ":443", True),
        ("https://own.example.com", True),  # the server's own
        ("null", False),
        ("", False),
        ("https://evil.com", False),
        ("https://app.example.com.evil.com", False),
        ("https://evilapp.example.com", False),
        ("https://example.com", False),
        ("http://app.example.com", False),
        (APP + ":8443", False),
        (APP + ":0", False),
        (APP + ":x", False),
        (APP + ".", False),
        (APP + "/path", False),
        (APP + "?q", False),
        (APP + " https://evil.com", False),
        ("https://evil.com " + APP, False),
        (" " + APP, False),
        ("https://app.exa\tmple.com", False),
        ("https://app.example.com\n", False),
        ("https://user@app.example.com", False),
        ("https://app.example.com@evil.com", False),
        ("file://", False),
        ("chrome-extension://abc", False),
        ("//app.example.com", False),
        ("https://[::1", False),
        ("*", False),
    ],
)
def test_origins(origin: str | None, permitted: bool) -> None:
    assert Origins([APP]).permits(origin, "https", "own.example.com") is permitted


@pytest.mark.parametrize(
    ("scheme", "host", "origin", "permitted"),
    [
        ("http", "127.0.0.1:8000", "http://127.0.0.1:8000", True),
        ("http", "127.0.0.1:8000", "http://127.0.0.1:8001", False),
        ("http", "127.0.0.1:8000", "https://127.0.0.1:8000", False),
        ("ws", "a.example:80", "http://a.example", True),
        ("https", "[::1]:8443", "https://[::1]:8443", True),
        ("https", None, "https://a.example", False),
        ("https", "a.example@evil.com", "https://evil.com", False),
        ("https", "", "https://", False),
    ],
)
def test_the_server_s_own_origin(scheme: str, host: str | None, origin: str, permitted: bool) -> None:
    assert Origins([]).permits(origin, scheme, host) is permitted


def test_a_star_permits_every_page() -> None:
    assert Origins(["*"]).permits("https://evil.com", "https", "a")


def test_an_allowed_origin_that_is_none_allows_nothing() -> None:
    assert not Origins(["null", "evil.com"]).permits("null", "https", "a")
    assert origin_of("null") is None


# --- proxies --------------------------------------------------------------------------------------------------

TRUSTED = Proxies(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"])


def client(address: str, *forwarded: str, proto: str | None = None) -> tuple[str, str]:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    if proto is not None:
        headers.append((b"x-forwarded-proto", proto.encode()))
    return TRUSTED.client(address, "http", headers)


@pytest.mark.parametrize(
    ("address", "forwarded", "is_from"),
    [
        ("203.0.113.5", ("1.1.1.1",), "203.0.113.5"),  # spoofed by a stranger
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("1.1.1.1",), "1.1.1.1"),
        ("10.0.0.1", ("6.6.6.6, 1.1.1.1",), "1.1.1.1"),  # the client made up the first
        ("10.0.0.1", ("1.1.1.1, 10.0.0.2, 192.0.2.7",), "1.1.1.1"),
        ("10.0.0.1", ("6.6.6.6", "1.1.1.1"), "1.1.1.1"),  # two headers are one list
        ("10.0.0.1", ("10.0.0.2",), "10.0.0.2"),
        ("10.0.0.1", ("garbage",), "10.0.0.1"),
        ("10.0.0.1", ("1.1.1.1, garbage, 10.0.0.2",), "10.0.0.2"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", (",,,",), "10.0.0.1"),
        ("10.0.0.1", ("\xff\xfe",), "10.0.0.1"),
        ("10.0.0.1", ("1.1.1.1:5555",), "10.0.0.1"),
        ("10.0.0.1", ("2001:DB8:1::5",), "2001:db8:1::5"),
        ("2001:db8::1", ("2a00::1",), "2a00::1"),
        ("::ffff:10.0.0.1", ("1.1.1.1",), "1.1.1.1"),  # a dual-stack socket's way to say 10.0.0.1
        ("10.0.0.1", ("::ffff:1.1.1.1",), "1.1.1.1"),
        ("::ffff:203.0.113.5", ("1.1.1.1",), "::ffff:203.0.113.5"),
        ("", ("1.1.1.1",), ""),
    ],
)
def test_who_is_believed_to_be_the_client(address: str, forwarded: tuple[str, ...], is_from: str) -> None:
    assert client(address, *forwarded)[0] == is_from


@pytest.mark.parametrize(
    ("address", "proto", "scheme"),
    [
        ("10.0.0.1", "https", "https"),
        ("10.0.0.1", "http", "http"),
        ("10.0.0.1", "gopher", "http"),
        ("203.0.113.5", "https", "http"),
    ],
)
def test_whose_scheme_is_believed(address: str, proto: str, scheme: str) -> None:
    assert client(address, proto=proto)[1] == scheme


def test_without_trusted_proxies_nobody_is_believed() -> None:
    headers = [(b"x-forwarded-for", b"1.1.1.1")]
    assert Proxies([]).client("127.0.0.1", "http", headers) == ("127.0.0.1", "http")


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("127.evil.com", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_what_is_loopback(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback


# --- admission ------------------------------------------------------------------------------------------------


def admission(metrics: Metrics | None = None, *, dev: bool = False, **limits: Any) -> Admission:
    server = {"trusted_proxies": ("10.0.0.0/8",)}
    return Admission(Config(dev=dev, limits=limits, server=server), metrics or Metrics())


def test_the_node_s_limit_below_at_and_above() -> None:
    metrics = Metrics()
    door = admission(metrics, connections=3)
    assert [door.enter(f"192.0.2.{n}") for n in range(4)] == [True, True, True, False]
    assert (door.total, metrics.rejected) == (3, {"connections": 1})
    door.leave("192.0.2.0")
    assert door.enter("192.0.2.9")


def test_the_limit_of_an_address_below_at_and_above() -> None:
    metrics = Metrics()
    door = admission(metrics, connections_per_ip=2)
    assert [door.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert door.enter("192.0.2.2")
    assert metrics.rejected == {"connections_per_ip": 1}
    door.leave("192.0.2.1")
    assert door.enter("192.0.2.1")


def test_all_gone_is_zero_again() -> None:
    door = admission()
    for number in range(100):
        assert door.enter(f"192.0.2.{number % 7}")
    for number in range(100):
        door.leave(f"192.0.2.{number % 7}")
    assert (door.total, door._addresses) == (0, {})


@pytest.mark.parametrize(
    ("dev", "address", "free"),
    [
        (True, "127.0.0.1", True),
        (False, "127.0.0.1", False),
        (True, "192.0.2.1", False),
        (False, "10.1.1.1", True),
    ],
)
def test_who_has_no_limit_of_its_own(dev: bool, address: str, free: bool) -> None:
    door = admission(dev=dev, connections_per_ip=1)
    assert [door.enter(address) for _ in range(2)] == [True, free]


def test_a_proxy_s_connection_is_counted_as_its_client_s() -> None:
    door = admission(connections_per_ip=1)
    for _ in range(2):
        assert door.enter("10.0.0.1")
    assert door.rename("10.0.0.1", "1.1.1.1")
    assert not door.rename("10.0.0.1", "1.1.1.1")
    assert door.total == 2
    door.leave("1.1.1.1")
    door.leave("10.0.0.1")
    assert (door.total, door._addresses) == (0, {})


def test_descriptors_are_kept_free_for_operators() -> None:
    assert admission(connections=10**9, reserved_descriptors=64).capacity < 10**9
    assert admission(reserved_descriptors=10**9).capacity == 0
    door = admission(reserved_descriptors=4)
    assert [door.enter_spare() for _ in range(3)] == [True, True, False]
    door.leave_spare()
    assert door.enter_spare()
