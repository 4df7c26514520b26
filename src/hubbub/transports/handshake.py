"""The opening handshake of RFC 6455, section 4.2, as far as it is a question about headers. Pure."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from typing import NamedTuple

Headers = Sequence[tuple[bytes, bytes]]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Upgrade(NamedTuple):
    """An acceptable request: its key, the chosen subprotocol (None: none offered), the extensions offered."""

    key: bytes
    subprotocol: str | None
    extensions: str


class HandshakeError(Exception):
    """The request is refused: answer `status`, with `message` as the body and `headers` besides the usual."""

    def __init__(self, status: int, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


def accept_key(key: bytes) -> bytes:
    """The Sec-WebSocket-Accept that answers `key`."""
    return b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def check_upgrade(method: str, http_version: str, headers: Headers, subprotocols: Sequence[str]) -> Upgrade:
    """Judge an upgrade request. `subprotocols` are the known ones; the client's order decides among them.

    Raises HandshakeError. Origin is not judged here: who may come is the application's question.
    """
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        values.setdefault(name.lower(), []).append(value.strip(b" \t"))
    if method != "GET":
        raise HandshakeError(405, f"a WebSocket is opened with GET, not {method}", [(b"Allow", b"GET")])
    if http_version != "1.1":
        raise HandshakeError(505, "a WebSocket needs HTTP/1.1 (nginx: proxy_http_version 1.1)")
    if len(values.get(b"host", ())) != 1:
        raise HandshakeError(400, "the Host header must be there once")
    if b"transfer-encoding" in values or any(length != b"0" for length in values.get(b"content-length", ())):
        raise HandshakeError(400, "an upgrade request has no body")
    if "websocket" not in _lowered(values, b"upgrade") or "upgrade" not in _lowered(values, b"connection"):
        raise HandshakeError(
            426,
            "this address speaks WebSocket: send `Upgrade: websocket` and `Connection: Upgrade` "
            "(a reverse proxy must pass both on)",
            [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")],
        )
    if values.get(b"sec-websocket-version") != [b"13"]:
        raise HandshakeError(426, "Sec-WebSocket-Version must be 13", [(b"Sec-WebSocket-Version", b"13")])
    return Upgrade(
        _key(values),
        _subprotocol(values, subprotocols),
        ", ".join(_texts(values, b"sec-websocket-extensions")),
    )


def _texts(values: dict[bytes, list[bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for value in values.get(name, ())]


def _tokens(values: dict[bytes, list[bytes]], name: bytes) -> list[str]:
    """The elements of a comma-separated header, which may be sent in several parts."""
    return [
        token for text in _texts(values, name) for part in text.split(",") if (token := part.strip(" \t"))
    ]


def _lowered(values: dict[bytes, list[bytes]], name: bytes) -> list[str]:
    return [token.lower() for token in _tokens(values, name)]


def _key(values: dict[bytes, list[bytes]]) -> bytes:
    keys = values.get(b"sec-websocket-key", [])
    if len(keys) != 1:
        raise HandshakeError(400, "Sec-WebSocket-Key must be there once")
    try:
        nonce = b64decode(keys[0], validate=True)
    except Base64Error:
        nonce = b""
    if len(nonce) != 16:
        raise HandshakeError(400, "Sec-WebSocket-Key must be 16 bytes in base64")
    return keys[0]


def _subprotocol(values: dict[bytes, list[bytes]], known: Sequence[str]) -> str | None:
    offered = _tokens(values, b"sec-websocket-protocol")
    for subprotocol in offered:
        if subprotocol in known:
            return subprotocol
    if offered:
        raise HandshakeError(400, f"unknown subprotocol; known are: {', '.join(known)}")
    return None
