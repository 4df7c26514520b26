"""One client's place in one namespace: the hub's Connection, which shares its link with the client's other ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hubbub.errors import BAD_COMMAND, FLOOD, FORCED, Disconnect
from hubbub.model import DisconnectPush
from hubbub.protocols import engineio
from hubbub.protocols.base import Codec
from hubbub.protocols.socketio import PacketType
from hubbub.protocols.socketio_encoding import NamespaceCodec
from hubbub.socketio.handlers import Namespace

if TYPE_CHECKING:
    from hubbub.hub.session import Session
    from hubbub.socketio.client import SocketIoClient
    from hubbub.socketio.socket import Socket

Answer = Callable[[list[Any] | None], object]
"""Called with the arguments of an acknowledgement, or with None if none will come."""

ENDS_LINK = frozenset((FLOOD.code, BAD_COMMAND.code))
PATIENCE = 16
"""How many times `limits.pending_commands` may wait while the client owes an acknowledgement."""
TERMINAL = 3500
"""Disconnects from here on forbid the client to come back: a DISCONNECT packet says so to stock clients, while a
link that merely closes lets them reconnect by themselves."""


class NamespaceConnection:
    """It outlives its link when the client recovers: the same object then stands on the new one.

    `acks` holds what awaits an acknowledgement, by id. `handlers` are the application's for this namespace, `apart`
    counts those that run beside the order of events.
    """

    __slots__ = (
        "acks",
        "apart",
        "client",
        "codec",
        "dialect",
        "environ",
        "framing",
        "handlers",
        "held",
        "id",
        "inside",
        "namespace",
        "recovered",
        "session",
        "socket",
        "transport",
        "write",
    )

    def __init__(
        self, client: SocketIoClient, namespace: str, codec: NamespaceCodec, handlers: Sequence[Namespace]
    ) -> None:
        self.namespace = namespace
        self.handlers = handlers
        self.codec: Codec = codec
        self.dialect = codec
        self.id = ""
        self.session: Session | None = None
        self.socket: Socket  # what handlers see; it knows the session after its end, too
        self.environ: dict[str, Any] | None = None
        self.recovered = False
        self.inside = False  # let in by the handlers of `connect`, and those of `disconnect` not told yet
        self.acks: dict[int, tuple[Answer, int]] | None = None
        self.apart = 0
        self.held: list[bytes] | None = None
        self.client = client
        self.stand_on(client)

    def stand_on(self, client: SocketIoClient) -> None:
        """Take `client`'s link."""
        self.client = client
        self.transport = client.link.info.transport
        self.framing = client.link.framing
        self.write: Callable[[bytes], None] = client.link.write

    # --- the Connection -----------------------------------------------------------------------------------

    @property
    def writable(self) -> bool:
        return self.held is None and self.client.link.writable

    def hold(self) -> None:
        """Keep what is written until `release`: a client that has no answer to its CONNECT takes nothing else."""
        self.held = []
        self.write = self._keep

    def _keep(self, frame: bytes) -> None:
        assert self.held is not None
        self.held.append(frame)
        self.client.hold(len(frame))

    def release(self) -> None:
        held, self.held = self.held or [], None
        self.client.hold(-sum(map(len, held)))
        self.write = self.client.link.write
        for frame in held:
            self.write(frame)

    def drop_held(self) -> None:
        """It will not be let in: what is held is for nobody, nor is what may yet be written."""
        if self.held is not None:
            self.client.hold(-sum(map(len, self.held)))
            self.held.clear()
            self.write = _lose

    def moved(self) -> None:
        """The link has another framing: be regrouped in all channels, so that nothing more comes in the old one."""
        link = self.client.link
        session = self.session
        if session is not None:
            for name, channel in session.subscriptions.items():
                channel.move(self.codec.encoding(name), self, link.framing)
        self.framing = link.framing
        self.transport = link.info.transport
        if self.held is None:
            self.write = link.write
        else:
            before = sum(map(len, self.held))
            self.held[:] = [
                link.framing([engineio.to_payload(packet)])
                for frame in self.held
                for packet in engineio.split(frame)
            ]
            self.client.hold(sum(map(len, self.held)) - before)

    def send(self, kind: PacketType, data: bytes | None = None) -> None:
        self.write(self.framing(self.dialect.packet(kind, data)))

    def close(self, reason: Disconnect) -> None:
        """End this namespace for the client, and its session; or the whole link, where it shall come back or has done
        wrong."""
        if reason.code >= TERMINAL and (session := self.session) is not None:
            session.hub.end(
                session, reason
            )  # which calls again: the link may live on, and would not tell the hub
            return
        if reason is not FORCED:  # of which the application knows why, and the DISCONNECT says enough
            push = DisconnectPush(reason.code, reason.text, reason.reconnect)
            self.write(self.framing(self.codec.push(push)))
        if reason.code >= TERMINAL:
            self.send(PacketType.DISCONNECT)
            self.client.expel(self)
        if reason.code < TERMINAL or reason.code in ENDS_LINK:
            self.client.link.close(reason)

    def abort(self, reason: Disconnect) -> None:
        self.client.link.abort(reason)

    def pause(self) -> None:
        """Not yet, if a handler waits for an acknowledgement of the client's: that may stand behind what it has sent
        before it."""
        if self.acks and self.session is not None:
            limit = self.session.hub.config.limits.pending_commands
            if self.session.waiting < PATIENCE * limit:
                return
        self.client.pause(self)

    def resume(self) -> None:
        self.client.resume(self)

    # --- acknowledgements ---------------------------------------------------------------------------------

    def await_ack(self, id: int, answer: Answer, sequence: int) -> None:
        """`sequence` is the number in the journal of the event that asks for it."""
        if self.acks is None:
            self.acks = {}
        self.acks[id] = answer, sequence

    def acknowledged(self, id: int) -> Answer | None:
        """The client has sent an acknowledgement: who waits for it? All before what it answers has arrived, too."""
        waiting = self.acks.pop(id, None) if self.acks is not None else None
        if waiting is None:
            return None
        answer, sequence = waiting
        if self.session is not None and self.session.trail is not None:
            self.session.trail.arrived(sequence)
        return answer

    def forget_ack(self, id: int) -> None:
        """Nobody waits for it any more."""
        if self.acks is not None:
            self.acks.pop(id, None)

    def drop_acks(self) -> None:
        """No acknowledgement will come any more."""
        acks, self.acks = self.acks, None
        for answer, _ in (acks or {}).values():
            answer(None)


def _lose(frame: bytes) -> None:
    """Where frames go that nobody is to get."""
