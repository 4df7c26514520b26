"""The least Engine.IO server that long-polls, in threads of its own: Socket.IO's rooms, acks and nothing else."""

from __future__ import annotations

import contextlib
import itertools
import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

POLL_SECONDS = 5.0


class Session:
    """One client: what waits for its next GET, and the bodies that it has posted."""

    def __init__(self) -> None:
        self.waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.posted: list[str] = []


class Polling:
    """`chunked` delimits answers as uvicorn does. `refuse` answers 400 to what is posted; `drop_from` hangs up
    instead, from that POST on.

    `hang_up` closes a connection after each answer to a POST, as servers do with idle ones; `reset` closes it when
    the next request is there already. `lose_every` withholds every so manyth publication from one subscriber.
    """

    def __init__(
        self,
        *,
        chunked: bool = False,
        refuse: bool = False,
        drop_from: int | None = None,
        hang_up: bool = False,
        reset: bool = False,
        lose_every: int = 0,
    ) -> None:
        self.chunked = chunked
        self.refuse = refuse
        self.drop_from = drop_from
        self.hang_up = hang_up
        self.reset = reset
        self.lose_every = lose_every
        self.withheld = self.published = self.posts = 0
        self.tokens: list[str] = []
        self.sessions: dict[str, Session] = {}
        self._rooms: dict[str, set[str]] = {}
        self._ids = itertools.count()
        self._lock = threading.Lock()

    def begin(self) -> str:
        with self._lock:
            sid = f"s{next(self._ids)}"
            self.sessions[sid] = Session()
        return "0" + json.dumps({"sid": sid, "pingInterval": 25000})

    def take(self, sid: str) -> str:
        """All that waits for a client, once there is something."""
        waiting = self.sessions[sid].waiting
        packets = [waiting.get(timeout=POLL_SECONDS)]
        with contextlib.suppress(queue.Empty):
            while True:
                packets.append(waiting.get_nowait())
        return "\x1e".join(packets)

    def post(self, sid: str, body: str) -> None:
        with self._lock:
            self.posts += 1
            self.sessions[sid].posted.append(body)
            for packet in body.split("\x1e"):
                self._packet(sid, packet)

    def _packet(self, sid: str, packet: str) -> None:
        session = self.sessions[sid]
        if packet == "3":
            return
        if packet.startswith("40"):
            self.tokens.append(packet[2:])
            session.waiting.put("2")  # a ping at once: to be answered, and not to be counted
            session.waiting.put('40{"sid":"x"}')
            return
        id, _, rest = packet.removeprefix("42").partition("[")
        event, *arguments = json.loads("[" + rest)
        if event == "subscribe":
            self._rooms.setdefault(arguments[0], set()).add(sid)
        elif event == "publish":
            self._publish(arguments[0], "42" + json.dumps(["message", arguments[1]], separators=(",", ":")))
        session.waiting.put(f"43{id}[]")

    def _publish(self, room: str, push: str) -> None:
        self.published += 1
        members = list(self._rooms.get(room, ()))
        if self.lose_every and self.published % self.lose_every == 0:
            members.pop()
            self.withheld += 1
        for member in members:
            self.sessions[member].waiting.put(push)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    fake: Polling

    def do_GET(self) -> None:
        sid = parse_qs(urlsplit(self.path).query).get("sid")
        try:
            self._answer(200, self.fake.take(sid[0]) if sid else self.fake.begin())
        except queue.Empty:
            self._answer(400, "nothing came")

    def do_POST(self) -> None:
        fake = self.fake
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if fake.refuse:
            self._answer(400, '{"code":3,"message":"Bad request"}')
        elif (fake.drop_from is not None and fake.posts >= fake.drop_from) or (fake.reset and fake.posts % 2):
            fake.posts += 1
            self.close_connection = True
        else:
            fake.post(parse_qs(urlsplit(self.path).query)["sid"][0], body)
            self._answer(200, "ok")
            self.close_connection = fake.hang_up

    def _answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        if self.fake.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)
            self.wfile.flush()

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True
    block_on_close = False


@contextlib.contextmanager
def polling(fake: Polling) -> Iterator[str]:
    """The address of `fake`, which serves for as long as the block lasts."""
    handler = type("Bound", (Handler,), {"fake": fake})
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
