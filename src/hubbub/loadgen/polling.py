"""Many long-polling clients on one epoll: Engine.IO 4's HTTP, on raw sockets that are kept alive.

Each client has two connections, as a browser would use: one whose GET is always pending, one for its POSTs.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator, Sequence

import msgspec

from hubbub.loadgen.adapters import Adapter, Kind
from hubbub.loadgen.answers import AnswerReader
from hubbub.loadgen.crowd import Crowd
from hubbub.loadgen.dial import hang_up, send
from hubbub.loadgen.errors import BenchError

READ_BYTES = 65_536
SEPARATOR = b"\x1e"
PONG = b"3"


class Opening(msgspec.Struct):
    """What is used of the packet that opens a session."""

    sid: str


_opening = msgspec.json.Decoder(Opening).decode


class Wire:
    """One HTTP connection, dialled when it is first needed. `asked` is the request that awaits its answer."""

    __slots__ = ("answered", "asked", "client", "open", "reader", "sock")

    def __init__(self, client: Poller) -> None:
        self.client = client
        self.sock: socket.socket | None = None
        self.open = False
        self.answered = False  # whether anything was, since it was dialled
        self.reader = AnswerReader()
        self.asked = b""


class Poller:
    """One client. `sent` is for the scenario: when its commands were sent that are not yet answered, oldest first."""

    __slots__ = ("getting", "index", "poll", "post_head", "posting", "sent", "token", "waiting")

    def __init__(self, index: int, token: str) -> None:
        self.index = index
        self.token = token
        self.getting = Wire(self)
        self.posting = Wire(self)
        self.waiting: list[bytes] = []  # packets for the next POST
        self.sent: list[float] = []
        self.poll = self.post_head = (
            b""  # what each GET is, and what each POST begins with, once the session is open
        )


class PollPool(Crowd[Poller]):
    """The clients of one server; each polls from when it is opened on."""

    def __init__(self, url: str, adapter: Adapter, tokens: Iterator[str]) -> None:
        if adapter.polling is None:
            raise BenchError("no polling in this protocol: use --protocol socketio")
        super().__init__(url, adapter, adapter.polling, tokens)
        self._host = f" HTTP/1.1\r\nHost: {self._address.authority}\r\nAccept: */*\r\n"
        self._wires: dict[int, Wire] = {}

    def _close_all(self) -> None:
        for wire in list(self._wires.values()):
            self._hang_up(wire)

    def ask(
        self, clients: Sequence[Poller], command: Callable[[Poller], bytes], *, timeout: float = 30.0
    ) -> None:
        """Post each client's `command` and wait for all replies."""
        for client in clients:
            self.post(client, command(client))
        answered = 0
        while answered < len(clients):
            came = self.hear(timeout)
            if came is None:
                raise BenchError(
                    f"no reply for {timeout:g} s ({answered} of {len(clients)} commands are answered)"
                )
            answered += sum(self.adapter.kind(packet) is Kind.REPLY for _, packet in came)

    def post(self, client: Poller, packet: bytes) -> None:
        """Send a packet: now, or with others when the POST that is on its way is answered."""
        client.waiting.append(packet)
        if not client.posting.asked:
            self._flush(client)

    def hear(self, timeout: float) -> list[tuple[Poller, bytes]] | None:
        """The packets that have come, and whose; None when nothing at all did within `timeout` seconds.

        Who was answered polls again, and heartbeats are answered. Raises BenchError for all that should not be.
        """
        events = self._poll.poll(timeout)
        if not events:
            return None
        came: list[tuple[Poller, bytes]] = []
        wires, kind = self._wires, self.adapter.kind
        for fd, _ in events:
            wire = wires.get(fd)  # none when it was hung up for an earlier event
            body = self._answer(wire) if wire is not None else None
            if wire is None or body is None:
                continue
            client = wire.client
            if wire is client.posting:
                if client.waiting:
                    self._flush(client)
                continue
            if not client.poll:
                self._opened_by(client, body)
                continue
            self._ask(wire, client.poll)
            for packet in body.split(SEPARATOR):
                what = kind(packet)
                if what is Kind.PING:
                    self.post(client, PONG)
                elif what is Kind.ERROR:
                    raise BenchError(f"client {client.index}: the server says {packet[:300].decode()}")
                else:
                    came.append((client, packet))
        return came

    # --- one client -------------------------------------------------------------------------------------------

    def _begin(self, index: int, token: str) -> Poller:
        client = Poller(index, token)
        self._ask(client.getting, f"GET {self._path}{self._host}\r\n".encode())
        return client

    def _get_on(self, timeout: float) -> int | None:
        came = self.hear(timeout)
        return (
            None if came is None else sum(self.adapter.kind(packet) is Kind.CONNECTED for _, packet in came)
        )

    def _opened_by(self, client: Poller, body: bytes) -> None:
        path = f"{self._path}&sid={_opening(body[1:]).sid}"
        client.poll = f"GET {path}{self._host}\r\n".encode()
        client.post_head = (
            f"POST {path}{self._host}Content-Type: text/plain;charset=UTF-8\r\nContent-Length: "
        ).encode()
        self._ask(client.getting, client.poll)
        hello = self.adapter.connect(client.token)
        if hello is not None:
            self.post(client, hello)

    def _flush(self, client: Poller) -> None:
        body = SEPARATOR.join(client.waiting)
        client.waiting.clear()
        self._ask(client.posting, b"%b%d\r\n\r\n%b" % (client.post_head, len(body), body))

    # --- one connection ---------------------------------------------------------------------------------------

    def _ask(self, wire: Wire, request: bytes) -> None:
        wire.asked = request
        if wire.sock is None:
            self._dial(wire)
        elif wire.open:
            self._send(wire)

    def _dial(self, wire: Wire) -> None:
        wire.sock = self._address.dial()
        self._wires[wire.sock.fileno()] = wire
        self._poll.register(wire.sock, select.EPOLLOUT)

    def _send(self, wire: Wire) -> None:
        assert wire.sock is not None
        try:
            send(wire.sock, wire.asked)
        except TimeoutError as error:
            raise BenchError(f"client {wire.client.index}: {error.strerror}") from error
        except OSError:
            self._ended(wire)

    def _answer(self, wire: Wire) -> bytes | None:
        """The body of the answer that has come, if it is whole."""
        sock = wire.sock
        assert sock is not None
        if not wire.open:
            self._address.check(sock)
            wire.open = True
            self._poll.modify(sock, select.EPOLLIN)
            self._send(wire)
            return None
        try:
            data = sock.recv(READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._ended(wire)
            return None
        answer = wire.reader.feed(data)
        if answer is None:
            return None
        status, body = answer
        if status != 200 or not wire.asked:
            raise BenchError(f"client {wire.client.index}: the server answers {status} {body[:300].decode()}")
        wire.asked = b""
        wire.answered = True
        return body

    def _ended(self, wire: Wire) -> None:
        """The server has closed: it may, when nothing was asked; what was asked at that moment is asked anew."""
        self._hang_up(wire)
        if wire.asked:
            if not wire.answered:
                raise BenchError(f"client {wire.client.index}: the server closed instead of an answer")
            wire.answered = False
            self._dial(wire)

    def _hang_up(self, wire: Wire) -> None:
        if wire.sock is not None:
            del self._wires[wire.sock.fileno()]
            hang_up(wire.sock)
            wire.sock, wire.open, wire.reader = None, False, AnswerReader()
