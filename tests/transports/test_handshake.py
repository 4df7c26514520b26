"""Upgrade requests, good and bad (reliability 5.1), one change of a good request at a time."""

from __future__ import annotations

from base64 import b64encode

import pytest
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from hubbub.transports.handshake import HandshakeError, Upgrade, accept_key, check_upgrade

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
KNOWN = ("hubbub.v1.json", "hubbub.v1.msgpack")
Headers = list[tuple[bytes, bytes]]
GOOD: Headers = [
    (b"Host", b"example.com"),
    (b"Upgrade", b"websocket"),
    (b"Connection", b"Upgrade"),
    (b"Sec-WebSocket-Key", KEY),
    (b"Sec-WebSocket-Version", b"13"),
]


def changed(name: bytes, *values: bytes) -> Headers:
    """The good request with other headers of this name: none, one or several."""
    return [header for header in GOOD if header[0] != name] + [(name, value) for value in values]


def refused(headers: Headers, method: str = "GET", version: str = "1.1") -> HandshakeError:
    with pytest.raises(HandshakeError) as error:
        check_upgrade(method, version, headers, KNOWN)
    assert str(error.value) == error.value.message != ""
    return error.value


def test_accept_key_of_the_rfc() -> None:
    assert accept_key(KEY) == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_accept_key_satisfies_a_client() -> None:
    client = ClientProtocol(parse_uri("ws://localhost/"))
    request = client.connect()
    headers = [(name.encode(), value.encode()) for name, value in request.headers.raw_items()]
    upgrade = check_upgrade("GET", "1.1", headers, KNOWN)
    client.send_request(request)
    client.receive_data(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_key(upgrade.key) + b"\r\n\r\n"
    )
    assert client.handshake_exc is None


@pytest.mark.parametrize(
    "headers",
    [
        GOOD,
        [(name.lower(), value) for name, value in GOOD],
        [(name.upper(), value) for name, value in GOOD],
        list(reversed(GOOD)),
        changed(b"Upgrade", b"WebSocket"),
        changed(b"Upgrade", b"h2c, websocket"),
        changed(b"Connection", b"keep-alive, Upgrade"),  # Firefox
        changed(b"Connection", b"keep-alive,upgrade"),
        changed(b"Connection", b"keep-alive", b"UPGRADE"),
        changed(b"Connection", b" , Upgrade ,"),
        changed(b"Content-Length", b"0"),
        changed(b"Origin", b"https://example.com"),
        changed(b"X-Bytes", b"\xff\xfe"),
    ],
)
def test_accepted(headers: Headers) -> None:
    assert check_upgrade("GET", "1.1", headers, KNOWN) == Upgrade(KEY, None, "")


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "get"])
def test_other_methods_are_refused(method: str) -> None:
    error = refused(GOOD, method=method)
    assert (error.status, list(error.headers)) == (405, [(b"Allow", b"GET")])


@pytest.mark.parametrize("version", ["1.0", "0.9", "2", "1.2", ""])
def test_other_http_versions_are_refused(version: str) -> None:
    assert refused(GOOD, version=version).status == 505


@pytest.mark.parametrize(
    ("name", "values", "status"),
    [
        (b"Host", (), 400),
        (b"Host", (b"a", b"b"), 400),
        (b"Host", (b"a", b"a"), 400),
        (b"Upgrade", (), 426),
        (b"Upgrade", (b"",), 426),
        (b"Upgrade", (b"h2c",), 426),
        (b"Upgrade", (b"websockets",), 426),
        (b"Connection", (), 426),
        (b"Connection", (b"keep-alive",), 426),
        (b"Connection", (b"not-upgrade",), 426),
        (b"Connection", (b"keep-alive Upgrade",), 426),
        (b"Sec-WebSocket-Version", (), 426),
        (b"Sec-WebSocket-Version", (b"12",), 426),
        (b"Sec-WebSocket-Version", (b"8",), 426),
        (b"Sec-WebSocket-Version", (b"130",), 426),
        (b"Sec-WebSocket-Version", (b"13, 8",), 426),
        (b"Sec-WebSocket-Version", (b"13", b"13"), 426),
        (b"Sec-WebSocket-Version", (b"\xb9\xb3",), 426),
        (b"Sec-WebSocket-Key", (), 400),
        (b"Sec-WebSocket-Key", (b"",), 400),
        (b"Sec-WebSocket-Key", (KEY, KEY), 400),
        (b"Sec-WebSocket-Key", (KEY, b64encode(b"another nonce 16")), 400),
        (b"Sec-WebSocket-Key", (b64encode(b"x" * 15),), 400),
        (b"Sec-WebSocket-Key", (b64encode(b"x" * 17),), 400),
        (b"Sec-WebSocket-Key", (KEY[:-1],), 400),
        (b"Sec-WebSocket-Key", (KEY[:-2],), 400),
        (b"Sec-WebSocket-Key", (b"!" + KEY[1:],), 400),
        (b"Sec-WebSocket-Key", (KEY[:12] + b" " + KEY[12:],), 400),
        (b"Sec-WebSocket-Key", (b"\xff" * 24,), 400),
        (b"Sec-WebSocket-Key", (b"_-" + KEY[2:],), 400),
        (b"Transfer-Encoding", (b"chunked",), 400),
        (b"Transfer-Encoding", (b"chunked, identity",), 400),
        (b"Content-Length", (b"5",), 400),
        (b"Content-Length", (b"0", b"5"), 400),
        (b"Content-Length", (b"-0",), 400),
    ],
)
def test_bad_header_is_refused(name: bytes, values: tuple[bytes, ...], status: int) -> None:
    assert refused(changed(name, *values)).status == status


def test_a_version_refusal_names_the_right_one() -> None:
    assert list(refused(changed(b"Sec-WebSocket-Version", b"12")).headers) == [
        (b"Sec-WebSocket-Version", b"13")
    ]


def test_a_plain_get_is_told_to_upgrade() -> None:
    error = refused(changed(b"Upgrade"))
    assert (b"Upgrade", b"websocket") in error.headers
    assert "proxy" in error.message


@pytest.mark.parametrize(
    ("offers", "chosen"),
    [
        ((), None),
        ((b"",), None),
        ((b" , ",), None),
        ((b"hubbub.v1.json",), "hubbub.v1.json"),
        ((b"hubbub.v1.msgpack, hubbub.v1.json",), "hubbub.v1.msgpack"),
        ((b"hubbub.v1.json,hubbub.v1.msgpack",), "hubbub.v1.json"),
        ((b"hubbub.v9.json", b"hubbub.v1.msgpack"), "hubbub.v1.msgpack"),
        ((b"bearer.abc, hubbub.v1.json",), "hubbub.v1.json"),
    ],
)
def test_subprotocol_is_the_first_known_one(offers: tuple[bytes, ...], chosen: str | None) -> None:
    headers = changed(b"Sec-WebSocket-Protocol", *offers)
    assert check_upgrade("GET", "1.1", headers, KNOWN).subprotocol == chosen


@pytest.mark.parametrize("offer", [b"chat", b"HUBBUB.V1.JSON", b"hubbub.v1.json hubbub.v1.msgpack", b"\xe9"])
def test_unknown_subprotocols_are_refused_with_the_known_ones(offer: bytes) -> None:
    error = refused(changed(b"Sec-WebSocket-Protocol", offer))
    assert error.status == 400
    assert all(name in error.message for name in KNOWN)


def test_extensions_are_handed_on_in_one_piece() -> None:
    headers = changed(b"Sec-WebSocket-Extensions", b"foo", b"permessage-deflate; client_max_window_bits")
    upgrade = check_upgrade("GET", "1.1", headers, KNOWN)
    assert upgrade.extensions == "foo, permessage-deflate; client_max_window_bits"
