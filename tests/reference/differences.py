"""Where we answer differently on purpose: what the reference gives, what we give instead, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tests.reference.table import CASES, Options


class Difference(NamedTuple):
    """In `cases`, each line of the reference that is in `changes` is replaced; None: by nothing. With `gives` we give
    these lines, whatever the reference does."""

    why: str
    cases: tuple[str, ...]
    changes: Mapping[str, str | None] | None = None
    gives: tuple[str, ...] = ()


OK = "POST: 200 | cache-control: no-store | content-type: text/html | 'ok'"
POLLED = "GET: 200 | cache-control: no-store | content-type: text/plain; charset=UTF-8 | "
VARIED = POLLED.replace("UTF-8 |", "UTF-8 | vary: Origin |")
UNKNOWN = '400 | content-type: application/json | \'{"code":1,"message":"Session ID unknown"}\''
MARK = 'socket: text 42["message-back","mark"]'
CLOSED = ("socket: close 1005", "socket: ended")
HANDSHAKE = '\'0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}\''
REFUSED_PAGE = (
    'GET: 403 | content-type: application/json | vary: Origin | \'{"code":4,"message":"Forbidden"}\''
)
REFUSED_SOCKET = (
    "upgrade: 403 | content-type: text/plain; charset=utf-8 | connection: close | "
    "'origin not allowed; see server.allowed_origins\\n'"
)
BACK = '42["message-back",'
BINARY = '451-["message",{"_placeholder":true,"num":0}]'
BINARY_BACK = '451-["message-back",{"_placeholder":true,"num":0}]'
LENIENT = tuple(rf"{BINARY}\x1e{base64}" for base64 in ("bAQIDBA", "bA-_D", "bAQ ID", "b!!!!"))
BAD_UTF8 = r'42["message","\xff"]'
PREFLIGHT = "OPTIONS: 204 | access-control-allow-credentials: true | "
FROM_OTHER = "access-control-allow-origin: https://other.example | "


"""An event that comes before each DISCONNECT of the server's and says why; other clients have no handler of it."""


JOINED = ('40{"sid":"SID"}', '42["auth",{}]')


def polled(*packets: str) -> str:
    return POLLED + repr("\x1e".join(packets))


def invalid(message: str) -> str:
    error = f'{{"code":108,"name":"invalid_data","message":"data: {message}","field":"data"}}'
    return f'socket: text 42["hubbub:error",{error}]'


def closes(why: str, *cases: str) -> Difference:
    return Difference(why, cases, gives=CLOSED)


DIFFERENCES = (
    # --- opening ------------------------------------------------------------------------------------------
    Difference(
        "the reference upgrades, and then writes an answer of HTTP into the WebSocket",
        ("upgrade GET ?transport=websocket", "upgrade GET ?EIO=3&transport=websocket"),
        {
            "upgrade: 101 | ''": "upgrade: 400 | content-type: text/html | connection: close | "
            "'Unsupported protocol version'"
        },
    ),
    Difference(
        "the reference upgrades, only to close; the client learns why when it is refused",
        ("websocket for polling",),
        gives=(
            "upgrade: 400 | content-type: text/html | connection: close | 'Bad request'",
            "socket: ended without a close frame",
        ),
    ),
    Difference(
        "one door for all WebSockets: what breaks RFC 6455 is refused before Engine.IO has a say",
        ("upgrade POST ?EIO=4&transport=websocket",),
        {
            "upgrade: 400 | content-type: text/html | connection: close | 'Bad handshake method'": "upgrade: 405 "
            "| content-type: text/plain; charset=utf-8 | connection: close | "
            "'a WebSocket is opened with GET, not POST\\n'"
        },
    ),
    Difference(
        "likewise",
        ("upgrade GET ?EIO=4&transport=websocket Sec-WebSocket-Key: abc",),
        {
            "upgrade: 400 | content-type: text/html | connection: close | "
            "'Missing or invalid Sec-WebSocket-Key header'": "upgrade: 400 | content-type: text/plain; "
            "charset=utf-8 | connection: close | 'Sec-WebSocket-Key must be 16 bytes in base64\\n'"
        },
    ),
    Difference(
        "likewise, and RFC 6455, section 4.4, wants 426; version 8 is a draft's",
        ("upgrade GET ?EIO=4&transport=websocket Sec-WebSocket-Version: 12",),
        {
            "upgrade: 400 | content-type: text/html | sec-websocket-version: 13, 8 | connection: close | "
            "'Missing or invalid Sec-WebSocket-Version header'": "upgrade: 426 | content-type: text/plain; "
            "charset=utf-8 | sec-websocket-version: 13 | connection: close | 'Sec-WebSocket-Version must be 13\\n'"
        },
    ),
    Difference(
        "an upgrade to what a server does not know may be passed over (RFC 9110, section 7.8)",
        ("upgrade to another protocol",),
        {
            "upgrade: 400 | content-type: text/html | connection: close | 'Invalid Upgrade header'": "upgrade: "
            '400 | content-type: application/json | \'{"code":3,"message":"Bad request"}\''
        },
    ),
    Difference(
        "without WebSockets the reference takes an upgrade for a request like any other",
        ("polling only",),
        {
            'upgrade: 400 | content-type: application/json | \'{"code":0,"message":"Transport unknown"}\'': "upgrade: "
            "400 | content-type: text/html | connection: close | 'Transport unknown'"
        },
    ),
    Difference(
        "the reference never answers",
        ("websocket session and get without upgrade",),
        {"GET: hangs": "GET: does not hang, b'H'"},
    ),
    Difference(
        "for a bug of Internet Explorer 11 and before, which no client supports any more",
        ("old internet explorer",),
        {
            line.replace(" | '", " | x-xss-protection: 0 | '", 1): line
            for line in (POLLED + HANDSHAKE, POLLED + repr(f"{BACK}1]"), OK)
        },
    ),
    Difference(
        "a path is what it decodes to (RFC 3986, section 6.2.2.2), as for all our paths",
        ("path /socket%2Eio/?EIO=4&transport=polling",),
        {"GET: 404": POLLED + HANDSHAKE},
    ),
    # --- origins ------------------------------------------------------------------------------------------
    Difference(
        "pages of origins that are not allowed are refused, not merely kept from reading the answer",
        ("foreign origin without cors",),
        gives=(
            REFUSED_PAGE.replace(" | vary: Origin", ""),
            REFUSED_SOCKET,
            "socket: ended without a close frame",
        ),
    ),
    Difference(
        "likewise",
        ("cors of a foreign origin",),
        gives=(REFUSED_PAGE, REFUSED_PAGE.replace("GET", "OPTIONS"), REFUSED_SOCKET),
    ),
    Difference(
        "CORS is not for WebSockets: no browser looks at these headers",
        ("cors of an allowed origin",),
        {
            "upgrade: 101 | access-control-allow-credentials: true | access-control-allow-origin: "
            "https://app.example | vary: Origin | ''": "upgrade: 101 | ''"
        },
    ),
    Difference(
        "who names no origin is no page, and has no use for the header",
        ("cors without an origin",),
        {
            line.replace(" | c", " | access-control-allow-credentials: true | c", 1): line
            for line in (
                VARIED + HANDSHAKE,
                VARIED + repr(f"{BACK}1]"),
                OK.replace(" | 'ok'", " | vary: Origin | 'ok'"),
            )
        },
    ),
    Difference(
        "Engine.IO has GET and POST only; browsers may keep the answer, which is the same whatever is asked",
        ("cors preflight",),
        {
            f"{PREFLIGHT}{headers}access-control-allow-methods: GET,HEAD,PUT,PATCH,POST,DELETE | {FROM_OTHER}"
            "vary: Origin, Access-Control-Request-Headers | ''": f"{PREFLIGHT}{headers}"
            f"access-control-allow-methods: GET, POST | {FROM_OTHER}access-control-max-age: 7200 | "
            "vary: Origin | ''"
            for headers in ("", "access-control-allow-headers: content-type, x-a | ")
        },
    ),
    # --- polling ------------------------------------------------------------------------------------------
    Difference(
        "an answer has at most 16 packets: python-engineio's client refuses more",
        ("more answers than one poll takes",),
        gives=(
            OK,
            polled(*(f'42["one",{at},"x"]' for at in range(16))),
            OK,
            polled(*(f'42["one",{at},"x"]' for at in range(16, 20))),
            OK,
            polled(f'{BACK}"mark"]'),
        ),
    ),
    Difference(
        "what is written in one turn goes in one answer; the reference sends its first packet alone",
        (r'body while a poll hangs: 42["message",1]\x1e42["message",2]',),
        {
            polled(f"{BACK}1]"): polled(f"{BACK}1]", f"{BACK}2]"),
            polled(f"{BACK}2]", f'{BACK}"mark"]'): polled(f'{BACK}"mark"]'),
        },
    ),
    *(
        Difference(
            "likewise",
            (rf"body while a poll hangs: {BINARY}\x1e{base64}",),
            {
                polled(BINARY_BACK): polled(BINARY_BACK, base64),
                polled(base64, f'{BACK}"mark"]'): polled(f'{BACK}"mark"]'),
            },
        )
        for base64 in ("bAQID", "b", "bAQIDBA==")
    ),
    Difference(
        "likewise",
        ("first answer goes alone",),
        gives=(
            OK,
            polled(*(f'42["one",{at},"xxx"]' for at in range(3))),
            OK,
            polled(f'{BACK}"mark"]'),
        ),
    ),
    Difference(
        "likewise",
        ("server's parting while a poll hangs",),
        gives=(
            OK,
            polled('42["last words"]', "41"),
            f"POST: {UNKNOWN}",
            polled("6", "1"),
            f"POST: {UNKNOWN}",
            f"GET: {UNKNOWN}",
        ),
    ),
    Difference(
        "likewise",
        ("server's say then leave while a poll hangs",),
        {
            polled('42["last words"]'): polled('42["last words"]', "41"),
            polled("41", *JOINED): polled(*JOINED),
        },
    ),
    Difference("likewise", ("msgpack by polling",), {"begins: ['b']": "begins: ['b', 'b']"}),
    Difference(
        "base64 is padded and of its own alphabet, text is UTF-8: what is neither is not guessed at",
        tuple(f"body while a poll hangs: {body}" for body in (*LENIENT, BAD_UTF8)),
        gives=(OK, f"POST: {UNKNOWN}", f"{POLLED}'1'", f"POST: {UNKNOWN}", f"GET: {UNKNOWN}"),
    ),
    Difference(
        "likewise",
        tuple(f"body while none polls: {body}" for body in (*LENIENT, BAD_UTF8)),
        gives=(OK, f"POST: {UNKNOWN}", f"POST: {UNKNOWN}", f"GET: {UNKNOWN}"),
    ),
    Difference(
        "a session that is being closed upgrades no more: what is left of it goes by polling either way",
        ("server closes and the client probes",),
        {"socket: text 3probe": "socket: close 1005\nsocket: ended"},
    ),
    # --- WebSocket ----------------------------------------------------------------------------------------
    Difference(
        "a close frame is answered by its code, as RFC 6455, section 5.5.1, has it",
        ("websocket close 1001 with a reason",),
        {"socket: close 1001 'bye'": "socket: close 1001"},
    ),
    # --- packets ------------------------------------------------------------------------------------------
    closes(
        "an event without a name, an acknowledgement of nothing: the reference passes over them",
        "packet '42'",
        "packet '43'",
        "packet '430'",
        "attachments: event without data",
    ),
    closes(
        "an id is digits, and an integer that JavaScript can tell from its neighbours",
        "packet '42 [\"message-with-ack\",1]'",
        "packet '42 1[\"message-with-ack\",1]'",
        "packet '429007199254740993[\"message-with-ack\"]'",
    ),
    closes("one attachment for each placeholder", "attachments: used twice", "attachments: half a number"),
    Difference(
        "what was on its way when the server ended the socket does no harm to the others on its connection",
        ("event that crosses a leave of the server",),
        gives=("socket: text 41", 'socket: text 40{"sid":"SID"}', 'socket: text 42["auth",{}]'),
    ),
    Difference(
        "who asks for an acknowledgement learns that there is no handler; the reference never answers",
        ("packet '4212[\"nothing\"]'",),
        {
            MARK: 'socket: text 4312[{"error":{"code":106,"name":"method_not_found","message":"no handler of the '
            f"event 'nothing'\"}}}}]\n{MARK}"
        },
    ),
    Difference(
        "numbers keep their kind in Python, and large integers their digits",
        ("packet '42[\"message\",1.0,1e2,12345678901234567890]'",),
        {
            f"socket: text {BACK}1,100,12345678901234567000]": f"socket: text {BACK}1.0,100.0,12345678901234567890]"
        },
    ),
    Difference(
        "the keys of an object keep their order",
        ('packet \'42["message",{"2":1,"1":2,"b":0}]\'',),
        {f'socket: text {BACK}{{"1":2,"2":1,"b":0}}]': f'socket: text {BACK}{{"2":1,"1":2,"b":0}}]'},
    ),
    Difference(
        "JSON that readers understand differently is refused (RFC 8259, sections 4, 6 and 8.2)",
        ("packet '42[\"message\",1e400]'",),
        {f"socket: text {BACK}null]": invalid("Number out of range - at `$[1]`")},
    ),
    Difference(
        "likewise",
        ('packet \'42["message",{"a":1,"a":2}]\'',),
        {f'socket: text {BACK}{{"a":2}}]': invalid("an object has the same key twice")},
    ),
    Difference(
        "likewise",
        ('packet \'42["message","\\\\ud800"]\'',),
        {f'socket: text {BACK}"\\ud800"]': invalid("Input data was truncated")},
    ),
)


def of_case(name: str) -> Difference | None:
    found = [each for each in DIFFERENCES if name in each.cases]
    assert len(found) <= 1, name
    return found[0] if found else None


def expected(name: str, reference: list[str]) -> list[str]:
    """What we should give where the reference gives these lines."""
    difference = of_case(name)
    if difference is None:
        return reference
    if difference.changes is None:
        return list(difference.gives)
    assert difference.changes.keys() <= set(reference), "the reference does not say this (any more)"
    changed = (difference.changes.get(line, line) for line in reference)
    return [part for line in changed if line is not None for part in line.split("\n")]


def without_vary(options: Options, ours: list[str]) -> list[str]:
    """Our lines without `Vary: Origin` where the reference has no CORS: our server always looks at the Origin."""
    return ours if options.origins else [line.replace(" | vary: Origin", "") for line in ours]


def unknown() -> list[str]:
    """Cases that are named here and are not in the table."""
    named = [name for each in DIFFERENCES for name in each.cases]
    return [name for name in named if name not in CASES]
