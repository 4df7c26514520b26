"""The agenda: what is to be done at some time, exactly once, whatever dies and however many nodes there are.

How to have something done later:

1. In an action: `ledger.schedule("poll.close", due, conversation=..., message=..., data=...)`. `data` is a struct or
   anything else that is JSON. The item is there if the action's transaction is committed, and only then.
2. In the module of the subject a handler, and the table that `chat/directory.py` collects (`HANDLERS`):

       def _close(ledger: Ledger, item: Item, prepared: None) -> None: ...

       HANDLERS = (Handler("poll.close", _close),)

`run` is called in a transaction that deletes the item, so that both happen or neither. It is called with the
conversation of the item locked, perhaps long after `due`, and must look at what is there by then: the message may be
deleted, the user gone. What is no longer to be done is done by returning; nothing needs to be taken off the agenda for
that (`cancel` does, where there may be many).

What must be waited for (a page is fetched, a file is scanned, a program is asked) is done by an async `prepare`, whose
result `run` gets. The item is claimed for `lease` seconds meanwhile, so that one node does it; it may be done again if
that node dies. Whatever was changed in the item since it was prepared makes it be prepared again.

Both may raise: a temporary HubbubError (and anything that is none: it is logged) has the item done again, after a
second, two, four, up to an hour; when that goes on for `patience` seconds after `due`, or the error is not temporary,
the item is deleted and `refused` is called in the transaction that does it, to tell whom it concerns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from hubbub.chat.ledger import AGENDA, Ledger, View
from hubbub.config import Config
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.base import Action, Logged, Transaction, each
from hubbub.storage.tables import agenda
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

T = TypeVar("T")
R = TypeVar("R")
log = get_logger("hubbub.chat")

LOOK = 5.0
"""Seconds after which the agenda is looked at in any case: another node may have died, or the clock been set."""
ROOM = 64
"""Items that one node does at once."""
PAGE = 2 * ROOM
BUSY = 0.2
"""Seconds until the next look when other nodes are about to do all that is due."""
BACKOFF = (1.0, 3600.0)
"""Seconds until something is tried again: at first, and at most."""
TROUBLE = (ErrorCode.STORE_UNAVAILABLE, ErrorCode.STORE_FULL, ErrorCode.DRAINING)
"""What the store says of itself."""


About = tuple[float, str, int]
"""When something is due about which message: its conversation and seq."""
EXPIRE = "message.expire"
"""Here for `Delivery`; `chat/expiry.py` has the handler."""


class Item(Struct, frozen=True):
    """A row of the agenda. `next` is when it is tried: `due`, or later if it failed or is being prepared."""

    id: int
    kind: str
    due: float
    user: str | None
    conversation: str | None
    message: int | None
    data: str
    created: float
    next: float
    attempts: int

    def read(self, type: type[T]) -> T:
        """What `schedule` was given as `data`."""
        return msgspec.json.decode(self.data, type=type)


COLUMNS = ("kind", "due", "conversation", "message", "data", "created", "next", "attempts")
ITEM = tuple(agenda.c[name] for name in Item.__struct_fields__)


def forget(ledger: Ledger, item: Item, error: HubbubError) -> None:
    """For what nobody waits for."""


@dataclass(frozen=True, slots=True)
class Handler:
    """What is done with items of a kind; see the module. Times are seconds."""

    kind: str
    run: Callable[[Ledger, Item, Any], Any]
    prepare: Callable[[Chat, Item], Awaitable[Any]] | None = None
    refused: Callable[[Ledger, Item, HubbubError], object] = forget
    lease: float = 30.0
    patience: float = 86_400.0


def schedule_many(tx: Transaction, kind: str, about: Sequence[About]) -> None:
    """As `Ledger.schedule` for each, without data."""
    if about:
        rows = [(kind, due, *message, "null", tx.now, due, 0) for due, *message in about]
        bulk.insert(tx, agenda, COLUMNS, rows)
        tx.outbox.append(Logged(AGENDA, 0, kind, b"", None, min(due for due, _, _ in about)))


def cancel(ledger: Ledger, kind: str, *, conversation: str, message: int) -> int:
    """Take all of a kind that is about a message off the agenda; how many that were."""
    where = (agenda.c.conversation == conversation, agenda.c.message == message, agenda.c.kind == kind)
    return ledger.execute(agenda.delete().where(*where)).rowcount


# --- writing ------------------------------------------------------------------------------------------------------


class Done(Struct, frozen=True):
    """An item was done by this call. `result` is what its handler gave."""

    result: Any = None


class _Doing(Struct, frozen=True):
    config: Config
    handler: Handler
    item: Item
    prepared: Any = None
    refusal: HubbubError | None = None
    """Why it is not to be run but given up."""
    patient: bool = False
    """Whether to wait for another node that has it."""


class _PutOff(Struct, frozen=True):
    item: Item
    next: float
    attempts: int


def _do(tx: Transaction, doing: _Doing) -> Done | None:
    """None: it is not there any more, or not as it was; or another node has it."""
    ledger, item = Ledger(tx, doing.config), doing.item
    if item.conversation is not None:  # first, as all that locks a conversation does
        ledger.find(item.conversation, lock=True)
    query = sa.select(*ITEM).where(agenda.c.id == item.id).with_for_update(skip_locked=not doing.patient)
    row = tx.execute(query).first()
    if row is None or Item(*row) != item:
        return None
    tx.execute(agenda.delete().where(agenda.c.id == item.id))
    if doing.refusal is not None:
        return Done(doing.handler.refused(ledger, item, doing.refusal))
    return Done(doing.handler.run(ledger, item, doing.prepared))


def _put_off(tx: Transaction, put_off: _PutOff) -> Item | None:
    item = put_off.item
    where = (agenda.c.id == item.id, agenda.c.next == item.next, agenda.c.attempts == item.attempts)
    values = {"next": put_off.next, "attempts": put_off.attempts}
    row = tx.execute(agenda.update().where(*where).values(values).returning(*ITEM)).first()
    return None if row is None else Item(*row)


DO: Action[_Doing, Done | None] = each("agenda.do", _do)
PUT_OFF: Action[_PutOff, Item | None] = each("agenda.put_off", _put_off)


# --- running ------------------------------------------------------------------------------------------------------


class Agenda:
    """Does what is due, on one node."""

    def __init__(self, chat: Chat, handlers: Iterable[Handler], look: float = LOOK) -> None:
        self.handlers = {handler.kind: handler for handler in handlers}
        """By kind. What is of another kind waits for a node that knows it."""
        self._chat = chat
        self._look = look
        self._woken = asyncio.Event()
        self._planned = 0.0
        """When the next look will be."""
        self._troubled = False
        """Whether the store has refused something since the last look."""
        self._oldest: float | None = None
        self._serving: asyncio.Task[None] | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        """What is under way, by the item's id."""
        self._preparing: set[int] = set()
        chat.metrics.gauges["agenda_late_seconds"] = self._late

    def start(self) -> None:
        self._serving = asyncio.create_task(self._serve())

    async def stop(self) -> None:
        """Begin nothing more, and return when what is under way is done, or given back if it was being prepared."""
        if self._serving is None:
            return
        self._serving.cancel()
        await asyncio.wait([self._serving])
        self._serving = None
        for id in self._preparing:
            self._tasks[id].cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    @property
    def resting(self) -> bool:
        """Whether this node does nothing, and knows when it will look again."""
        return not self._tasks and self._planned < float("inf")

    def wake(self, due: float) -> None:
        """Something is due at that time."""
        if due < self._planned:
            self._woken.set()

    async def do(self, item: Item, handler: Handler) -> Done | None:
        """Do an item now, whatever it says of when. None if it is not there any more as it was. Raises what refuses
        it; it stays on the agenda then."""
        prepared = None if handler.prepare is None else await handler.prepare(self._chat, item)
        doing = _Doing(self._chat.config, handler, item, prepared, patient=True)
        return await self._chat.store.write(DO, doing, item.conversation or "")

    async def _store(self, action: Action[T, R], given: T, item: Item) -> R:
        try:
            future = self._chat.store.write(action, given, item.conversation or "")
        except HubbubError as error:
            raise _TroubleError(error) from None
        try:
            return await future
        except HubbubError as error:
            if error.code in TROUBLE:
                raise _TroubleError(error) from None
            raise

    def _late(self) -> float:
        return 0.0 if self._oldest is None else max(self._chat.clock.now() - self._oldest, 0.0)

    async def _serve(self) -> None:
        while True:
            self._woken.clear()
            self._planned = float("inf")  # whatever comes up meanwhile is looked for again
            try:
                wait = await self._begin_due()
            except HubbubError:  # the store has logged it
                wait = self._look
            except Exception:
                log.exception("the agenda could not be looked at")
                wait = self._look
            if wait > 0:
                await self._sleep(wait)

    async def _sleep(self, seconds: float) -> None:
        clock = self._chat.clock
        self._planned = clock.now() + seconds
        timer = clock.call_later(seconds, self._woken.set)
        await self._woken.wait()
        timer.cancel()

    async def _begin_due(self) -> float:
        """Begin all that is due; the seconds until there is more."""
        found, following = await self._chat.read(self._due)
        self._oldest = min((item.due for item in found), default=None)
        begun = self._troubled = False
        for item in found:
            if item.id in self._tasks:
                continue
            await self._until_fewer_than(ROOM)
            self._tasks[item.id] = asyncio.create_task(self._take(item))
            begun = True
        if len(found) == PAGE:
            await self._until_fewer_than(ROOM // 2)
            if self._troubled:
                return self._look
            return 0.0 if begun else BUSY
        return min(self._look, max(following - self._chat.clock.now(), 0.0))

    def _due(self, view: View) -> tuple[list[Item], float]:
        known = agenda.c.kind.in_(self.handlers)
        query = sa.select(*ITEM).where(agenda.c.next <= view.now, known)
        found = view.execute(query.order_by(agenda.c.next, agenda.c.id).limit(PAGE))
        items = [Item(*row) for row in found]
        later = sa.select(agenda.c.next).where(agenda.c.next > view.now, known).order_by(agenda.c.next)
        following = view.execute(later.limit(1)).scalar()
        return items, float("inf") if following is None else following

    async def _until_fewer_than(self, count: int) -> None:
        while len(self._tasks) >= count:
            await asyncio.wait(list(self._tasks.values()), return_when=asyncio.FIRST_COMPLETED)

    async def _take(self, item: Item) -> None:
        try:
            await self._try(self.handlers[item.kind], item)
        except _TroubleError as trouble:
            if not self._troubled:
                self._troubled = True
                log.warning("the agenda waits for the database", error=trouble.error.code.name)
        except Exception:
            log.exception("something on the agenda waits", kind=item.kind, item=item.id)
        finally:
            del self._tasks[item.id]

    async def _try(self, handler: Handler, item: Item) -> None:
        config, prepared = self._chat.config, None
        try:
            if handler.prepare is not None:
                until = self._chat.clock.now() + handler.lease
                claimed = await self._put_off(item, until, item.attempts + 1)
                if claimed is None:
                    return
                item = claimed
                prepared = await self._prepare(handler, item)
            done = await self._store(DO, _Doing(config, handler, item, prepared), item)
        except _StoppingError:
            await self._put_off(item, item.due, item.attempts)
        except HubbubError as error:
            await self._failed(handler, item, error)
        else:
            self._count(item, "done", done)

    async def _prepare(self, handler: Handler, item: Item) -> Any:
        if self._serving is None:
            raise _StoppingError
        assert handler.prepare is not None
        self._preparing.add(item.id)
        try:
            return await handler.prepare(self._chat, item)
        except HubbubError:
            raise
        except asyncio.CancelledError:
            raise _StoppingError from None
        except Exception:
            log.exception("preparing failed", kind=item.kind, item=item.id)
            raise HubbubError(ErrorCode.INTERNAL) from None
        finally:
            self._preparing.discard(item.id)

    async def _failed(self, handler: Handler, item: Item, error: HubbubError) -> None:
        """Give it up, or try again later."""
        now = self._chat.clock.now()
        if not error.info.temporary or now >= item.due + handler.patience:
            log.info("given up", kind=item.kind, item=item.id, error=error.code.name)
            try:
                doing = _Doing(self._chat.config, handler, item, refusal=error)
                self._count(item, "refused", await self._store(DO, doing, item))
                return
            except HubbubError:
                log.error("nobody could be told", kind=item.kind, item=item.id)
        attempts = item.attempts + (handler.prepare is None)  # a claim has counted already
        pause = max(min(BACKOFF[0] * 2.0 ** min(attempts - 1, 20), BACKOFF[1]), error.retry_after or 0.0)
        if await self._put_off(item, now + pause, attempts) is not None:
            self._chat.metrics.agenda[item.kind, "put off"] += 1
            self.wake(now + pause)

    async def _put_off(self, item: Item, next: float, attempts: int) -> Item | None:
        return await self._store(PUT_OFF, _PutOff(item, next, attempts), item)

    def _count(self, item: Item, outcome: str, done: Done | None) -> None:
        if done is not None:
            metrics = self._chat.metrics
            metrics.agenda[item.kind, outcome] += 1
            metrics.agenda_lag_seconds.observe(max(self._chat.clock.now() - item.due, 0.0))


class _StoppingError(Exception):
    """This node stops: another one is to do it."""


class _TroubleError(Exception):
    """The store takes nothing: it is not the item's fault."""

    def __init__(self, error: HubbubError) -> None:
        self.error = error
