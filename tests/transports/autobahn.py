"""RFC 6455 and 7692 as tables: a stream, the events it means, and the close code of its fault.

The classes and numbers follow the Autobahn test suite's case list (1 to 7, 12), which does not run here itself.
"""

from __future__ import annotations

from itertools import pairwise

from tests.transports.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close, masked

from hubbub.transports.deflate import Deflate
from hubbub.transports.frames import NO_STATUS, Binary, Close, Event, Ping, Pong, Text

KOSME = "κόσμε".encode()

Case = tuple[bytes, tuple[Event, ...], int | None]


def fragments(opcode: int, *parts: bytes) -> bytes:
    """A message in several frames."""
    last = len(parts) - 1
    return b"".join(
        masked(CONTINUATION if i else opcode, part, fin=i == last) for i, part in enumerate(parts)
    )


LITERAL: dict[str, Case] = {
    "rfc-5.7 masked Hello": (bytes.fromhex("818537fa213d7f9f4d5158"), (Text(b"Hello"),), None),
    "rfc-5.7 masked pong": (bytes.fromhex("8a8537fa213d7f9f4d5158"), (Pong(b"Hello"),), None),
    "rfc-5.7 unmasked Hello": (bytes.fromhex("810548656c6c6f"), (), 1002),
    "rfc-5.7 unmasked fragment": (bytes.fromhex("010348656c"), (), 1002),
    "rfc-5.7 unmasked ping": (bytes.fromhex("890548656c6c6f"), (), 1002),
    "close 1000 bye": (bytes.fromhex("8885 00000000 03e8 627965"), (Close(1000, "bye"),), None),
    "two frames": (bytes.fromhex("81810000000061 82810000000062"), (Text(b"a"), Binary(b"b")), None),
    "16-bit length": (bytes.fromhex("82fe007e00000000") + b"." * 126, (Binary(b"." * 126),), None),
    "64-bit length": (
        bytes.fromhex("82ff000000000001000000000000") + b"." * 65536,
        (Binary(b"." * 65536),),
        None,
    ),
    "non-minimal 16-bit": (bytes.fromhex("81fe007d00000000"), (), 1002),
    "non-minimal 16-bit zero": (bytes.fromhex("81fe0000"), (), 1002),
    "non-minimal 64-bit": (bytes.fromhex("81ff000000000000ffff"), (), 1002),
    "64-bit top bit": (bytes.fromhex("81ff8000000000000001"), (), 1002),
    "length 2^62": (bytes.fromhex("82ff4000000000000000"), (), 1009),
    "length 2^63 - 1": (bytes.fromhex("82ff7fffffffffffffff"), (), 1009),
    "one byte only": (b"\x81", (), None),
    "nothing": (b"", (), None),
}

FRAMING: dict[str, Case] = {  # Autobahn 1
    f"{kind.__name__} of {size}": (masked(opcode, b"*" * size), (kind(b"*" * size),), None)
    for size in (0, 1, 125, 126, 127, 128, 255, 256, 65535, 65536)
    for opcode, kind in ((TEXT, Text), (BINARY, Binary))
}

PINGS: dict[str, Case] = {  # Autobahn 2
    "2.1 empty": (masked(PING), (Ping(b""),), None),
    "2.2 text": (masked(PING, b"Hello, world!"), (Ping(b"Hello, world!"),), None),
    "2.3 binary": (masked(PING, b"\x00\xff\xfe\xfd\x00\xff"), (Ping(b"\x00\xff\xfe\xfd\x00\xff"),), None),
    "2.4 of 125": (masked(PING, b"\xfe" * 125), (Ping(b"\xfe" * 125),), None),
    "2.5 of 126": (masked(PING, b"\xfe" * 126), (), 1002),
    "2.5 of 65536": (masked(PING, b"\xfe" * 65536), (), 1002),
    "2.7 unsolicited pong": (masked(PONG), (Pong(b""),), None),
    "2.9 pong, ping": (masked(PONG, b"x") + masked(PING, b"y"), (Pong(b"x"), Ping(b"y")), None),
    "2.10 ten pings": (
        b"".join(masked(PING, b"%d" % i) for i in range(10)),
        tuple(Ping(b"%d" % i) for i in range(10)),
        None,
    ),
}

RESERVED: dict[str, Case] = {  # Autobahn 3
    f"rsv {rsv} opcode {opcode}": (masked(TEXT, b"ok") + masked(opcode, b"x", rsv=rsv), (Text(b"ok"),), 1002)
    for rsv in range(1, 8)
    for opcode in (TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG)
}

OPCODES: dict[str, Case] = {  # Autobahn 4
    f"opcode {opcode} of {len(body)}": (
        masked(TEXT, b"ok") + masked(opcode, body) + masked(PING),
        (Text(b"ok"),),
        1002,
    )
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    for body in (b"", b"Hello")
}

FRAGMENTS: dict[str, Case] = {  # Autobahn 5
    "5.1 fragmented ping": (fragments(PING, b"a", b"b"), (), 1002),
    "5.2 fragmented pong": (fragments(PONG, b"a", b"b"), (), 1002),
    "7 fragmented close": (masked(CLOSE, fin=False), (), 1002),
    "5.3 two": (fragments(TEXT, b"fragment1", b"fragment2"), (Text(b"fragment1fragment2"),), None),
    "5.3 two, binary": (fragments(BINARY, b"\xff", b"\x00"), (Binary(b"\xff\x00"),), None),
    "5.6 ping between": (
        masked(TEXT, b"1", fin=False) + masked(PING, b"p") + masked(CONTINUATION, b"2"),
        (Ping(b"p"), Text(b"12")),
        None,
    ),
    "5.9 continuation of nothing": (masked(CONTINUATION, b"x") + masked(TEXT, b"y"), (), 1002),
    "5.11 continuation of nothing, not final": (masked(CONTINUATION, b"x", fin=False), (), 1002),
    "5.12 continuation after a whole message": (
        masked(TEXT, b"y") + masked(CONTINUATION, b"x"),
        (Text(b"y"),),
        1002,
    ),
    "5.15 continuation after a fragmented one": (
        fragments(TEXT, b"1", b"2") + masked(CONTINUATION, b"3", fin=False) + masked(TEXT, b"4"),
        (Text(b"12"),),
        1002,
    ),
    "5.18 text within text": (masked(TEXT, b"1", fin=False) + masked(TEXT, b"2"), (), 1002),
    "5.18 binary within text": (masked(TEXT, b"1", fin=False) + masked(BINARY, b"2"), (), 1002),
    "5.18 start within text": (masked(TEXT, b"1", fin=False) + masked(TEXT, b"2", fin=False), (), 1002),
    "5.19 five with pings": (
        masked(TEXT, b"1", fin=False)
        + masked(CONTINUATION, b"2", fin=False)
        + masked(PING, b"p1")
        + masked(CONTINUATION, b"3", fin=False)
        + masked(CONTINUATION, b"4", fin=False)
        + masked(PING, b"p2")
        + masked(CONTINUATION, b"5"),
        (Ping(b"p1"), Ping(b"p2"), Text(b"12345")),
        None,
    ),
    "6.1.2 three empty ones": (fragments(TEXT, b"", b"", b""), (Text(b""),), None),
    "6.1.3 empty around": (fragments(TEXT, b"", b"middle", b""), (Text(b"middle"),), None),
    "two messages": (
        fragments(TEXT, b"a", b"b") + fragments(BINARY, b"c", b""),
        (Text(b"ab"), Binary(b"c")),
        None,
    ),
    "close within": (
        masked(TEXT, b"1", fin=False) + close(1000) + masked(CONTINUATION),
        (Close(1000, ""),),
        None,
    ),
}

VALID_UTF8 = {  # Autobahn 6.2, 6.5 to 6.23: what is text
    "6.2.1": "Hello-µ@ßöäüàá-UTF-8!!".encode(),
    "6.5": KOSME,
    "6.6.2": b"\xce\xba",
    "6.6.11": KOSME[:-2],
    "6.7.1 NUL": b"\x00",
    "6.7.2": b"\xc2\x80",
    "6.7.3": b"\xe0\xa0\x80",
    "6.7.4": b"\xf0\x90\x80\x80",
    "6.9.1": b"\x7f",
    "6.9.2": b"\xdf\xbf",
    "6.9.3 U+FFFF": b"\xef\xbf\xbf",
    "6.9.4 U+10FFFF": b"\xf4\x8f\xbf\xbf",
    "6.11.1": b"\xed\x9f\xbf",
    "6.11.2": b"\xee\x80\x80",
    "6.11.3": b"\xef\xbf\xbd",
    "6.22.1 U+FFFE": b"\xef\xbf\xbe",
    "6.22.3 U+1FFFE": b"\xf0\x9f\xbf\xbe",
    "6.23.1": b"\xef\xbf\xb9",
    "BOM": b"\xef\xbb\xbf",
}
INVALID_UTF8 = {
    "6.3.1": KOSME + b"\xed\xa0\x80edited",
    "6.4.1": KOSME + b"\xf4\x90\x80\x80edited",
    "6.6.1 lead alone": b"\xce",
    "6.6.3": b"\xce\xba\xe1",
    "6.6.4": b"\xce\xba\xe1\xbd",
    "6.6.8": KOSME[:-1],
    "6.8.1 five bytes": b"\xf8\x88\x80\x80\x80",
    "6.8.2 six bytes": b"\xfc\x84\x80\x80\x80\x80",
    "6.10.1": b"\xf7\xbf\xbf\xbf",
    "6.10.2": b"\xfb\xbf\xbf\xbf\xbf",
    "6.10.3": b"\xfd\xbf\xbf\xbf\xbf\xbf",
    "6.11.5 U+110000": b"\xf4\x90\x80\x80",
    "6.12.1 continuation": b"\x80",
    "6.12.2": b"\xbf",
    "6.12.8": bytes(range(0x80, 0xC0)),
    "6.13.1 leads": b"\xc0 \xc1 \xc2 ",
    "6.13.4": b"\xf8 \xf9 ",
    "6.14.1 cut short": b"\xc0",
    "6.14.2": b"\xe0\x80",
    "6.14.3": b"\xf0\x80\x80",
    "6.14.6": b"\xdf",
    "6.14.7": b"\xef\xbf",
    "6.14.8": b"\xf7\xbf\xbf",
    "6.15.1": b"\xc0\xe0\x80\xf0\x80\x80",
    "6.16.1": b"\xfe",
    "6.16.2": b"\xff",
    "6.17.1 overlong /": b"\xc0\xaf",
    "6.17.2": b"\xe0\x80\xaf",
    "6.17.3": b"\xf0\x80\x80\xaf",
    "6.18.1": b"\xc1\xbf",
    "6.18.2": b"\xe0\x9f\xbf",
    "6.18.3": b"\xf0\x8f\xbf\xbf",
    "6.19.1 overlong NUL": b"\xc0\x80",
    "6.20.1 surrogates": b"\xed\xa0\x80",
    "6.20.4": b"\xed\xaf\xbf",
    "6.20.7": b"\xed\xbf\xbf",
    "6.21.1 pairs": b"\xed\xa0\x80\xed\xb0\x80",
    "6.21.8": b"\xed\xaf\xbf\xed\xbf\xbf",
}
UTF8: dict[str, Case] = {
    **{f"{name} whole": (masked(TEXT, data), (Text(data),), None) for name, data in VALID_UTF8.items()},
    **{f"{name} whole": (masked(TEXT, data), (), 1007) for name, data in INVALID_UTF8.items()},
    **{
        f"{name} in one-byte fragments": (
            fragments(TEXT, *(data[i : i + 1] for i in range(len(data))), b""),
            (Text(data),),
            None,
        )
        for name, data in VALID_UTF8.items()
    },
    **{
        f"{name} in one-byte fragments": (
            fragments(TEXT, *(data[i : i + 1] for i in range(len(data))), b""),
            (),
            1007,
        )
        for name, data in INVALID_UTF8.items()
        if len(data) < 60
    },
    "binary may be anything": (masked(BINARY, b"\xff\xfe"), (Binary(b"\xff\xfe"),), None),
    "text, then bad text": (masked(TEXT, KOSME) + masked(TEXT, b"\xff"), (Text(KOSME),), 1007),
}

CLOSES: dict[str, Case] = {  # Autobahn 7
    "7.1.2 two closes": (close(1000) + close(1001), (Close(1000, ""),), None),
    "7.1.3 ping after close": (close(1000) + masked(PING), (Close(1000, ""),), None),
    "7.1.4 text after close": (close(1000) + masked(TEXT, b"x"), (Close(1000, ""),), None),
    "7.1.6 nonsense after close": (
        masked(TEXT, b"x") + close(1000) + b"\xff" * 9,
        (Text(b"x"), Close(1000, "")),
        None,
    ),
    "7.3.1 empty": (masked(CLOSE), (Close(NO_STATUS, ""),), None),
    "7.3.2 one byte": (masked(CLOSE, b"\x03"), (), 1002),
    "7.3.4 reason": (close(1000, "Adiós".encode()), (Close(1000, "Adiós"),), None),
    "7.3.5 reason of 123": (close(1000, b"*" * 123), (Close(1000, "*" * 123),), None),
    "7.3.6 reason of 124": (close(1000, b"*" * 124), (), 1002),
    "7.5.1 bad reason": (close(1000, KOSME + b"\xed\xa0\x80"), (), 1007),
    **{
        f"7.7 code {code}": (close(code), (Close(code, ""),), None)
        for code in (*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999)
    },
    **{
        f"7.9 code {code}": (close(code, b"why"), (), 1002)
        for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
}

TABLE = LITERAL | FRAMING | PINGS | RESERVED | OPCODES | FRAGMENTS | UTF8 | CLOSES


# Compression: with DEFLATE negotiated and a limit of 1000 bytes.

DEFLATE = Deflate(6)
HELLO = DEFLATE.compress(b"Hello" * 20)


def squeezed(*cuts: int, opcode: int = TEXT, body: bytes = HELLO) -> bytes:
    parts = [body[a:b] for a, b in pairwise([0, *cuts, len(body)])]
    first = masked(opcode, parts[0], fin=len(parts) == 1, rsv=4)
    rest = [masked(CONTINUATION, part, fin=i == len(parts) - 2) for i, part in enumerate(parts[1:])]
    return first + b"".join(rest)


COMPRESSED: dict[str, Case] = {
    "whole": (squeezed(), (Text(b"Hello" * 20),), None),
    "binary": (squeezed(opcode=BINARY), (Binary(b"Hello" * 20),), None),
    "fragmented": (squeezed(1, 2, 5), (Text(b"Hello" * 20),), None),
    "twice, as no state is kept": (squeezed() * 2, (Text(b"Hello" * 20),) * 2, None),
    "uncompressed among them": (
        masked(TEXT, b"x") + squeezed() + masked(PING),
        (Text(b"x"), Text(b"Hello" * 20), Ping(b"")),
        None,
    ),
    "ping between": (
        masked(TEXT, HELLO[:3], fin=False, rsv=4) + masked(PING) + masked(CONTINUATION, HELLO[3:]),
        (Ping(b""), Text(b"Hello" * 20)),
        None,
    ),
    "rfc 7692 7.2.3.1": (masked(TEXT, bytes.fromhex("f248cdc9c90700"), rsv=4), (Text(b"Hello"),), None),
    "rsv1 on a continuation": (
        masked(TEXT, HELLO[:3], fin=False, rsv=4) + masked(CONTINUATION, HELLO[3:], rsv=4),
        (),
        1002,
    ),
    "rsv1 on a ping": (masked(PING, rsv=4), (), 1002),
    "rsv1 on a close": (masked(CLOSE, rsv=4), (), 1002),
    "rsv2": (masked(TEXT, HELLO, rsv=6), (), 1002),
    "rsv3": (masked(TEXT, HELLO, rsv=5), (), 1002),
    "garbage": (masked(TEXT, b"ok") + masked(TEXT, b"\xff\xff\xff", rsv=4), (Text(b"ok"),), 1002),
    "empty": (masked(TEXT, b"", rsv=4), (), 1002),
    "cut short": (masked(TEXT, HELLO[:-3], rsv=4), (), 1002),
    "invalid UTF-8": (masked(TEXT, DEFLATE.compress(b"\xff\xfe"), rsv=4), (), 1007),
    "any bytes in binary": (
        masked(BINARY, DEFLATE.compress(b"\xff\xfe"), rsv=4),
        (Binary(b"\xff\xfe"),),
        None,
    ),
    "inflated over the limit": (masked(TEXT, DEFLATE.compress(b"." * 1001), rsv=4), (), 1009),
    "inflated to the limit": (masked(TEXT, DEFLATE.compress(b"." * 1000), rsv=4), (Text(b"." * 1000),), None),
}
