"""The chat as one object: its operations for every protocol, and the way of what was written to the channels."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Hashable, Sequence
from functools import cache, partial
from typing import Any, TypeVar, cast

import msgspec
import sqlalchemy as sa
from msgspec import Raw

from hubbub import jsondata, model
from hubbub.chat import retention
from hubbub.chat.agenda import Agenda
from hubbub.chat.arrivals import Arrivals
from hubbub.chat.cards import OnPress
from hubbub.chat.cases import CASES, to_moderators
from hubbub.chat.catalogue import CATALOGUE, told
from hubbub.chat.channels import Channels, publication_of
from hubbub.chat.commands import Program
from hubbub.chat.directory import HANDLERS, OPERATIONS
from hubbub.chat.filing import Files
from hubbub.chat.judging import MODERATION, Moderation
from hubbub.chat.ledger import AGENDA, Actor, Ledger, View
from hubbub.chat.limits import LimitError
from hubbub.chat.listing import without_words
from hubbub.chat.operations import PREFIX, Caller, Operation
from hubbub.chat.presence import Presences
from hubbub.chat.previews import EVENTS, Previews, may_link
from hubbub.chat.restraint import OPEN
from hubbub.chat.signals import Moved, Typists
from hubbub.clock import Clock
from hubbub.config import Config
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.commands import check_name
from hubbub.hub.hub import Hub
from hubbub.hub.session import Session
from hubbub.model import Envelope, Position, Principal
from hubbub.storage.base import Action, Logged, Store, Transaction, each
from hubbub.storage.tables import keys
from hubbub.telemetry.logging import get_logger

T = TypeVar("T")
log = get_logger("hubbub.chat")
IN_FLIGHT = 64
"""Writes that one session may have under way before its next command waits."""


PROBE: Action[None, None] = Action("probe", lambda tx, items: [None for _ in items])
"""Shows that the database takes writes."""


@cache
def _decoder(params: Any) -> msgspec.json.Decoder[Any]:
    """It keeps nothing of what it reads: all chats of a process share it."""
    return msgspec.json.Decoder(params)


class _Item(msgspec.Struct, frozen=True):
    """One call of a write operation."""

    actor: Actor
    params: Any
    key: str | None
    ready: Any = None
    """What was prepared for it."""


class Chat:
    """Built by the composition root; `perform` is for the application's own code, REST and `call`."""

    def __init__(self, hub: Hub, store: Store, config: Config, clock: Clock) -> None:
        self.hub = hub
        self.store = store
        self.config = config
        self.clock = clock
        self.metrics = hub.metrics
        self._actions: dict[str, Action[_Item, Any]] = {}
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {}
        self._in_flight: dict[Session, int] = {}
        self.channels = Channels(self)
        self.presence = Presences(self)
        self.arrivals = Arrivals(self)
        self.agenda = Agenda(self, HANDLERS)
        self.files: Files | None = None
        """Their bytes; None where `attachments.enabled` is off."""
        self.moderation = Moderation(self)
        self.typists = Typists(config.chat.typing_interval)
        self._moved = Moved(self)
        self.on_press: OnPress | None = None
        """The application's program for cards that the server has sent."""
        self.previews: Previews | None = None
        """Of links; None where `previews.enabled` is off."""
        self.programs: dict[str, Program] = {}
        """The application's own commands, by name."""
        for operation in OPERATIONS.values():
            self._decoders[operation.name] = _decoder(cast(Hashable, operation.params))
            if operation.kind == "write":
                self._actions[operation.name] = each(operation.name, partial(self._write, operation))
            hub.handlers.own[PREFIX + operation.name] = partial(self._called, operation)

    # --- life ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        await self.store.start(self._committed, self._hinted)
        await self.moderation.start()
        self.agenda.start()
        await retention.begin(self)

    async def stop(self) -> None:
        self.presence.stop()
        self.moderation.stop()
        await self.agenda.stop()
        await self.store.stop()

    async def probe(self) -> None:
        """Commit a transaction with nothing of anybody's in it. Raises what writing raises."""
        await self.store.write(PROBE, None)

    # --- doing --------------------------------------------------------------------------------------------

    async def call(
        self, name: str, /, *, as_user: str | None = None, key: str | None = None, **params: Any
    ) -> Any:
        """Do an operation by its name, for the application's own code: `await app.chat.call("conversations.create",
        as_user="ada", kind="group", name="Release")`. Without `as_user` it is the server that acts, which may do
        everything. `params` are what they are by REST; the result is the operation's struct.

        Raises METHOD_NOT_FOUND, VALIDATION_FAILED, and what the operation refuses with.
        """
        operation = OPERATIONS.get(name.removeprefix(PREFIX))
        if operation is None:
            raise HubbubError(ErrorCode.METHOD_NOT_FOUND, f"no such operation: {name[:64]}", field="method")
        check_name(key, self.config.limits.key_length, "key")
        try:
            raw = msgspec.json.encode(params)
        except (TypeError, ValueError) as error:
            raise HubbubError(ErrorCode.INVALID_DATA, f"params: {error}", field="params") from None
        return await self.perform(
            operation, Caller(Actor(as_user or ""), None, key), self.decode(operation, raw)
        )

    async def perform(self, operation: Operation[Any, T], caller: Caller, params: Any) -> T:
        """Do it, and give its result. Raises what the operation refuses with."""
        if operation.server and not caller.actor.server:
            raise HubbubError(ErrorCode.PERMISSION_DENIED, f"{PREFIX}{operation.name} is for the server API")
        try:
            return await self._perform(operation, caller, params)
        except LimitError as error:
            self.metrics.rejected[error.limit] += 1
            raise

    async def _perform(self, operation: Operation[Any, T], caller: Caller, params: Any) -> T:
        if operation.kind == "read":
            return await self.read(lambda view: cast(T, operation.function(view, caller.actor, params)))
        if operation.kind == "write":
            ready = await operation.prepare(self, caller, params) if operation.prepare is not None else None
            item = _Item(caller.actor, params, caller.key, ready)
            lane = operation.lane(params) if operation.lane is not None else ""
            return cast(T, await self.store.write(self._actions[operation.name], item, lane))
        return cast(T, await operation.function(self, caller, params))

    async def read(self, query: Callable[[View], T]) -> T:
        """Run `query` on a snapshot."""
        now = self.clock.now()
        reading = self.store.read(lambda snapshot: query(View(snapshot, self.config, now)))
        # Commands begin outside of any task (decision 4), and what waits for a database must be in one.
        return await (reading if asyncio.current_task() is not None else asyncio.create_task(reading))

    def decode(self, operation: Operation[Any, Any], raw: bytes, *, checked: bool = False) -> Any:
        """The params in `raw`; `checked`: it is known to be strict JSON within the limits.

        Raises VALIDATION_FAILED, naming the field, INVALID_DATA and LIMIT_EXCEEDED.
        """
        if raw == b"null":
            raw = b"{}"
        if not checked:
            limits = self.config.limits
            jsondata.check(raw, depth=limits.json_depth, keys=limits.json_keys, field="params")
        try:
            return self._decoders[operation.name].decode(raw)
        except msgspec.ValidationError as error:
            message, path = jsondata.wrong_field(error)
            raise HubbubError(ErrorCode.VALIDATION_FAILED, message, field=path or "params") from None

    def _write(self, operation: Operation[Any, Any], tx: Transaction, item: _Item) -> Any:
        """A write operation in its transaction; with a key, what the same key gave before."""
        ledger = Ledger(tx, self.config, self)
        if not item.actor.server and not operation.name.startswith(OPEN):
            ledger.refuse_restricted(item.actor, kinds=("ban",), field=None)
        given = (item.params,) if operation.prepare is None else (item.params, item.ready)
        if item.key is None:
            return operation.function(ledger, item.actor, *given)
        body = operation.name.encode() + b"\0" + msgspec.json.encode(item.params)
        digest = hashlib.sha256(body).hexdigest()
        query = sa.select(keys.c.digest, keys.c.result).where(
            keys.c.scope == item.actor.user, keys.c.key == item.key
        )
        if (first := tx.execute(query).first()) is not None:
            if first.digest != digest:
                raise HubbubError(ErrorCode.IDEMPOTENCY_CONFLICT, field="key")
            return msgspec.json.decode(first.result, type=operation.result)
        result = operation.function(ledger, item.actor, *given)
        tx.execute(
            keys.insert(),
            {
                "scope": item.actor.user,
                "key": item.key,
                "digest": digest,
                "result": msgspec.json.encode(without_words(result)).decode(),
                "time": tx.now,
            },
        )
        return result

    # --- by `call` ----------------------------------------------------------------------------------------

    async def _called(
        self,
        operation: Operation[Any, Any],
        session: Session,
        command: model.Call,
        reply: Callable[[model.Result], object],
    ) -> model.Result | None:
        check_name(command.key, self.config.limits.key_length, "key")
        params = self.decode(operation, bytes(command.params), checked=True)  # by the codec
        actor = await self.actor(session.principal)
        asker = session.asker
        answered = False

        def answer(result: Any) -> None:
            nonlocal answered
            answered = True
            if session.connection is not None and session.connection is asker:
                reply(model.Result(command.id, Raw(msgspec.json.encode(result))))

        caller = Caller(actor, session, command.key, answer)
        if operation.kind == "begin" and self._in_flight.get(session, 0) < IN_FLIGHT:
            future = self._begin(operation, caller, params)
            self._in_flight[session] = self._in_flight.get(session, 0) + 1
            future.add_done_callback(partial(self._finished, session, asker, command.id, answer))
            return None
        result = await self.perform(operation, caller, params)
        return None if answered else model.Result(command.id, Raw(msgspec.json.encode(result)))

    def _begin(self, operation: Operation[Any, Any], caller: Caller, params: Any) -> asyncio.Future[Any]:
        try:
            return cast("asyncio.Future[Any]", operation.function(self, caller, params))
        except LimitError as error:
            self.metrics.rejected[error.limit] += 1
            raise

    def _finished(
        self,
        session: Session,
        asker: Any,
        id: int,
        answer: Callable[[Any], None],
        future: asyncio.Future[Any],
    ) -> None:
        """A write that its session did not wait for is done."""
        left = self._in_flight[session] - 1
        if left:
            self._in_flight[session] = left
        else:
            del self._in_flight[session]
        if future.cancelled():
            error: BaseException | None = HubbubError(ErrorCode.INTERNAL)
        else:
            error = future.exception()
        if error is None:
            answer(future.result())
        elif session.connection is not None and session.connection is asker:
            if isinstance(error, LimitError):
                self.metrics.rejected[error.limit] += 1
            elif not isinstance(error, HubbubError):
                log.error("call failed", session=session.id, exc_info=error)
            session.refuse(id, error if isinstance(error, HubbubError) else HubbubError(ErrorCode.INTERNAL))

    async def actor(self, principal: Principal) -> Actor:
        """Who acts for a principal; a user from now on. Raises UNAUTHENTICATED for nobody."""
        if principal.anonymous:
            raise HubbubError(
                ErrorCode.UNAUTHENTICATED, "conversations need a user: the session is anonymous"
            )
        await self.arrivals.welcome(principal)
        return Actor(principal.user)

    # --- what goes out ------------------------------------------------------------------------------------

    def _committed(self, logged: Sequence[Logged]) -> None:
        for event in logged:
            if event.channel == AGENDA:
                self.agenda.wake(event.time)
            elif event.channel == MODERATION:
                self.moderation.stale()
            elif event.channel == CASES:
                for envelope in to_moderators(event):
                    self.signal(envelope)
            elif event.channel == CATALOGUE:
                self.signal(told(event))
            else:
                self.publish(event)
                if self.previews is not None and event.event in EVENTS and may_link(event.data):
                    self.previews.look(event)

    def publish(self, logged: Logged) -> None:
        publication = publication_of(
            logged.channel,
            self.store.epoch,
            logged.offset,
            logged.event,
            logged.data,
            logged.sender,
            logged.time,
        )
        envelope = Envelope(publication, None, self.clock.monotonic())
        if logged.channel not in self.hub.channels:
            self.channels.passed(envelope)  # nobody is in it, but sessions that are away may be
        self.signal(envelope)

    def signal(self, envelope: Envelope) -> None:
        """Give an envelope to the broker."""
        self.metrics.publications += 1
        self.hub.spawn(self._carry(envelope))

    def receipts_moved(self, conversation: str, user: str, read: int, delivered: int) -> None:
        """A member's cursors have moved, durably: tell the others soon."""
        self._moved.add(conversation, user, read, delivered)

    async def _carry(self, envelope: Envelope) -> None:
        await self.hub.broker.publish(envelope)

    def _hinted(self, channel: str, offset: int) -> None:
        """Another process has written: bring those who follow it up to there. Without a channel anything may have been
        missed, and the logs' heads are looked at."""
        if not channel:
            self.hub.spawn(self.hub.live.check_heads(at_once=True))
            self.moderation.stale()
        elif channel == MODERATION:
            self.moderation.stale()
        elif channel == AGENDA:
            pass  # the node that has written it does it when it is due; if it dies, regular looks find that
        elif (live := self.hub.channels.get(channel)) is not None and live.position is not None:
            self.hub.spawn(self.hub.live.catch_up(live, Position(self.store.epoch, offset)))
