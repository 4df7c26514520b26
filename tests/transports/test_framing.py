"""Outgoing bytes: WebSocket frames read back by websockets' client, SSE by the standard's own algorithm."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from hubbub.protocols.base import Framing, Payload
from hubbub.transports import frames
from hubbub.transports.framing import (
    PING,
    close_frame,
    frame,
    poll_body,
    pong,
    sse,
    sse_comment,
    sse_event,
    websocket,
    websocket_deflate,
)

# --- WebSocket ------------------------------------------------------------------------------------------------


def received(data: bytes, extension: PerMessageDeflate | None = None) -> list[tuple[Opcode, bytes]]:
    """What websockets' client makes of `data`."""
    client = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN, max_size=None)
    client.extensions = [extension] if extension else []
    client.receive_data(data)
    events = client.events_received()
    assert client.parser_exc is None
    return [(event.opcode, bytes(event.data)) for event in events if isinstance(event, Frame)]


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, "8200"),
        (1, "8201"),
        (125, "827d"),
        (126, "827e007e"),
        (65535, "827effff"),
        (65536, "827f0000000000010000"),
    ],
)
def test_header_is_the_shortest(size: int, header: str) -> None:
    assert frame(frames.BINARY, b"x" * size) == bytes.fromhex(header) + b"x" * size


@pytest.mark.parametrize(
    ("payloads", "wire"),
    [
        ([], b""),
        ([Payload(b"Hello")], b"\x81\x05Hello"),
        ([Payload(b"\xff", binary=True)], b"\x82\x01\xff"),
        ([Payload(b"a"), Payload(b"\x00", True), Payload(b"")], b"\x81\x01a\x82\x01\x00\x81\x00"),
    ],
)
def test_websocket_gives_each_payload_a_frame(payloads: list[Payload], wire: bytes) -> None:
    assert websocket(payloads) == wire


PAYLOADS = st.lists(st.builds(Payload, st.binary(max_size=300), st.booleans()), max_size=4)


@given(PAYLOADS)
def test_a_client_reads_what_websocket_wrote(payloads: list[Payload]) -> None:
    opcodes = [Opcode.BINARY if payload.binary else Opcode.TEXT for payload in payloads]
    assert received(websocket(payloads)) == [
        (opcode, payload.data) for opcode, payload in zip(opcodes, payloads, strict=True)
    ]


@pytest.mark.parametrize("bits", range(9, 16))
def test_a_client_reads_what_websocket_deflate_wrote(bits: int) -> None:
    payloads = [
        Payload(b"Hello " * 1000),
        Payload(bytes(70000), True),
        Payload(b"short"),
        Payload(bytes(range(256)) * 40),
    ]
    wire = websocket_deflate(64, 6, bits)(payloads)
    assert len(wire) < 12000
    client = PerMessageDeflate(True, True, bits, 15)
    assert [data for _, data in received(wire, client)] == [payload.data for payload in payloads]


@given(PAYLOADS, st.integers(0, 400), st.integers(0, 9))
def test_deflate_round_trip(payloads: list[Payload], minimum: int, level: int) -> None:
    client = PerMessageDeflate(True, True, 15, 15)
    wire = websocket_deflate(minimum, level)(payloads)
    assert [data for _, data in received(wire, client)] == [payload.data for payload in payloads]


def test_deflate_leaves_alone_what_is_small_or_would_not_shrink() -> None:
    framing = websocket_deflate(100, 6)
    assert framing([Payload(b"." * 99)]) == websocket([Payload(b"." * 99)])
    assert framing([Payload(b"." * 100)])[0] == 0xC1
    dense = bytes((i * i * 193 + i * 71) % 251 for i in range(101))
    assert framing([Payload(dense, True)]) == websocket([Payload(dense, True)])


def test_equal_framings_are_one_group() -> None:
    groups: dict[Framing, int] = {websocket: 1, websocket_deflate(64, 6): 2, sse: 3}
    assert groups[websocket_deflate(64, 6)] == 2
    assert websocket_deflate(64, 6, 10) not in groups
    assert websocket_deflate(64, 5) not in groups


def test_control_frames() -> None:
    assert PING == b"\x89\x00"
    assert pong(b"") == b"\x8a\x00"
    assert pong(b"x" * 125) == b"\x8a\x7d" + b"x" * 125


@pytest.mark.parametrize(
    ("code", "reason", "wire"),
    [
        (1000, "", b"\x88\x02\x03\xe8"),
        (3000, "drain", b"\x88\x07\x0b\xb8drain"),
        (1000, "x" * 200, b"\x88\x7d\x03\xe8" + b"x" * 123),
        (1000, "x" + "é" * 100, b"\x88\x7d\x03\xe8x" + "é".encode() * 61),
        (1000, "xx" + "é" * 100, b"\x88\x7c\x03\xe8xx" + "é".encode() * 60),
        (1000, "😀" * 40, b"\x88\x7a\x03\xe8" + "😀".encode() * 30),
        (1000, "\ud800", b"\x88\x03\x03\xe8?"),
        (1005, "ignored", b"\x88\x00"),
        (1006, "", b"\x88\x00"),
        (0, "", b"\x88\x00"),
    ],
)
def test_close_frame(code: int, reason: str, wire: bytes) -> None:
    assert close_frame(code, reason) == wire


# --- server-sent events ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """An event as an EventSource dispatches it."""

    type: str
    data: str
    id: str
    retry: int | None = None


def interpret(stream: bytes) -> list[Seen]:
    """The standard's "Interpreting an event stream" (WHATWG HTML, 9.2.6), step by step."""
    text = stream.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    seen: list[Seen] = []
    data, kind, last_id, retry = "", "", "", None
    lines = text.split("\n")
    assert lines.pop() == "", "a stream must not end within a line"
    for line in lines:
        if not line:
            if data:
                seen.append(Seen(kind or "message", data.removesuffix("\n"), last_id, retry))
            data, kind = "", ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                kind = value
            case "data":
                data += value + "\n"
            case "id" if "\0" not in value:
                last_id = value
            case "retry" if value.isascii() and value.isdigit():
                retry = int(value)
            case _:
                assert not name, f"unknown field {name!r}"
    assert (data, kind) == ("", ""), "an event must be finished"
    return seen


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (sse_event(b'{"a":1}'), b'data: {"a":1}\n\n'),
        (sse_event(b"x", "order", "e:5", 3000), b"event: order\nid: e:5\nretry: 3000\ndata: x\n\n"),
        (sse_event(b"", None, None, None), b"data: \n\n"),
        (sse_event(b"a\nb\r\nc\rd"), b"data: a\ndata: b\ndata: c\ndata: d\n\n"),
        (sse_event(b"a\n"), b"data: a\ndata: \n\n"),
        (sse_event(b"\n\r"), b"data: \ndata: \ndata: \n\n"),
        (sse_event("\u2028\u2029\x85\x0b\x0c".encode()), "data: \u2028\u2029\x85\x0b\x0c\n\n".encode()),
        (sse_event(b"x", "a\r\ndata: {}\r\n\r\n"), b"event: adata: {}\ndata: x\n\n"),
        (sse_event(b"x", "", ""), b"id: \ndata: x\n\n"),
        (sse_event(b"x", id="1\0\n2\r"), b"id: 12\ndata: x\n\n"),
        (sse_event(b"x", retry=0), b"retry: 0\ndata: x\n\n"),
        (sse_event(b"x", "\ud800"), b"event: ?\ndata: x\n\n"),
        (sse_comment(), b": \n\n"),
        (sse_comment("a\r\rdata: x\n\nevent: y"), b": a\n: \n: data: x\n: \n: event: y\n\n"),
        (sse([]), b""),
        (sse([Payload(b"a"), Payload(b"\xff\n", binary=True)]), b"data: a\n\ndata: /wo=\n\n"),
    ],
)
def test_sse_bytes(wire: bytes, expected: bytes) -> None:
    assert wire == expected


HOSTILE = st.text(st.sampled_from("ab: \r\n\0\u2028\u2029\x85\ufeffédataevnt"), max_size=40)


def normal(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def one_line(text: str) -> str:
    return "".join(char for char in text if char not in "\r\n\0")


@given(HOSTILE, st.none() | HOSTILE, st.none() | HOSTILE, st.none() | st.integers(0, 10**6))
def test_nothing_can_be_injected(data: str, event: str | None, id: str | None, retry: int | None) -> None:
    """Whatever the values, an EventSource sees one event that has them, and the next one untouched."""
    stream = sse_comment(data) + sse_event(data.encode(), event, id, retry) + sse_event(b"next")
    last_id = one_line(id or "")
    assert interpret(stream) == [
        Seen(one_line(event or "") or "message", normal(data), last_id, retry),
        Seen("message", "next", last_id, retry),
    ]


@given(PAYLOADS)
def test_sse_carries_json_and_binary(payloads: list[Payload]) -> None:
    texts = [
        payload if payload.binary else Payload(json.dumps(payload.data.hex()).encode())
        for payload in payloads
    ]
    seen = interpret(sse(texts))
    assert [b64decode(s.data) if p.binary else s.data.encode() for s, p in zip(seen, texts, strict=True)] == [
        payload.data for payload in texts
    ]


# --- long-poll ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payloads", "body"),
    [
        ([], b""),
        ([Payload(b"{}")], b"{}\n"),
        ([Payload(b'{"a":1}'), Payload(b"[2]")], b'{"a":1}\n[2]\n'),
        ([Payload(b'{"a":\r\n1,\n"b":"\\n"}')], b'{"a":  1, "b":"\\n"}\n'),
        ([Payload(b"\x81\xa1a\n", True), Payload(b"\x0d", True)], b"\x81\xa1a\n\x0d"),
    ],
)
def test_poll_body(payloads: list[Payload], body: bytes) -> None:
    assert poll_body(payloads) == body


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=4), st.sampled_from([None, 1, "\r\n", "\n\t"]))
def test_poll_lines_are_the_payloads_however_they_were_written(
    values: list[object], indent: int | str | None
) -> None:
    body = poll_body([Payload(json.dumps(value, indent=indent).encode()) for value in values])
    assert [json.loads(line) for line in body.splitlines()] == values


@given(st.lists(JSON.filter(lambda value: not isinstance(value, int)), max_size=4))
def test_poll_concatenates_messagepack(values: list[object]) -> None:
    try:
        parts = [msgspec.msgpack.encode(value) for value in values]
    except (OverflowError, UnicodeEncodeError):
        return
    assert poll_body([Payload(part, True) for part in parts]) == b"".join(parts)
