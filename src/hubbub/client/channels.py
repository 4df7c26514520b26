"""The channels that a session is in: what of each was seen, and who reads it. What comes twice is dropped by its
offset, and what is missing is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from hubbub import model
from hubbub.client import wire
from hubbub.client.events import ChannelEvent, Event, Gap, Reconnected, Reconnecting, Recovered
from hubbub.client.failures import refusal
from hubbub.client.session import Session
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Connected, Position, Publication, Subscribed

RETRY = 1.0
"""Seconds after which a subscription is tried again that was refused for the moment."""


class Reader(Protocol):
    """Who reads a channel, or whatever nobody else reads."""

    def give(self, event: ChannelEvent) -> None: ...
    def fail(self, error: Exception) -> None:
        """Nothing more comes: the client has ended."""
        ...


class Listener(Reader, Protocol):
    """Who reads whole kinds of channels, into which the server puts the session: it catches up by its own means."""

    def connected(self, resumed: bool) -> None: ...


@dataclass(slots=True)
class Entry:
    """A channel. `position` is what was seen last, or where to catch up from; `entered`: the server has us in it;
    `anew`: it had, and was asked again by a session that is not the one from then."""

    token: str | None = None
    presence: bool = True
    position: Position | None = None
    readers: list[Reader] = field(default_factory=list)
    entered: bool = False
    anew: bool = False
    ours: bool = True
    head: Position | None = None
    """Where it was when the server put us into it."""
    answer: Subscribed | None = None
    """How we got in."""
    early: list[Publication] = field(default_factory=list)
    """What came before the answer to our subscribe: over HTTP they travel apart."""


class Channels:
    """The Receiver of a session. `others` reads what no reader of its own has, and all that is not of a channel."""

    def __init__(self, others: Reader, told: Callable[[Event], None]) -> None:
        self.session: Session
        self.entries: dict[str, Entry] = {}
        self._others = others
        self._told = told
        self._leaving: Counter[str] = Counter()
        """Channels that we have left, by how often the server has yet to confirm it."""
        self._listeners: list[tuple[tuple[str, ...], Listener]] = []
        self._failure: Exception | None = None

    # --- what users do ------------------------------------------------------------------------------------

    def listen(self, prefixes: tuple[str, ...], listener: Listener) -> None:
        """Give all that happens in channels which begin so, and have no readers, to `listener`."""
        self._listeners.append((prefixes, listener))

    def unlisten(self, listener: Listener) -> None:
        self._listeners = [each for each in self._listeners if each[1] is not listener]

    async def enter(
        self, name: str, reader: Reader, token: str | None, since: Position | None, presence: bool
    ) -> Subscribed | None:
        """Have `reader` get what happens in a channel. None if others here read it already: it joins them from now on.

        Raises HubbubError if the server refuses.
        """
        if (known := self.entries.get(name)) is not None and (known.readers or known.entered):
            known.readers.append(reader)
            return None
        entry = self.entries[name] = Entry(token, presence, since, [reader])
        try:
            return await self.session.ask(
                lambda id: model.Subscribe(id, name, token, since, presence), Subscribed, resend=True
            )
        except HubbubError as error:
            # The answer was lost with a connection, but the resumed session is in the channel.
            if error.code == ErrorCode.ALREADY_SUBSCRIBED and entry.answer is not None:
                return entry.answer
            if self.entries.get(name) is entry and not entry.entered:
                del self.entries[name]
                for other in entry.readers[1:]:
                    other.give(model.ServerUnsubscribed(name, int(error.code), error.message))
            raise
        except BaseException:
            self.leave(name, reader)
            raise

    def leave(self, name: str, reader: Reader) -> None:
        """`reader` gets nothing more; the last one's leaving is told to the server."""
        entry = self.entries.get(name)
        if entry is None or reader not in entry.readers:
            return
        entry.readers.remove(reader)
        if not entry.readers and entry.ours and self.session.failure is None:
            del self.entries[name]
            self._leave(name)

    def _leave(self, name: str) -> None:
        self._leaving[name] += 1

        def left(reply: wire.Reply | Exception) -> None:
            if isinstance(reply, wire.ResultReply | model.ErrorReply) and self._leaving[name]:
                self._leaving -= Counter((name,))

        self.session.post(lambda id: model.Unsubscribe(id, name), left)

    # --- what the session says ----------------------------------------------------------------------------

    def positions(self) -> dict[str, Position]:
        return {name: each.position for name, each in self.entries.items() if each.position is not None}

    def told(self, event: Reconnecting | Reconnected) -> None:
        self._told(event)

    def resumed(self, reply: Connected) -> None:
        there = {each.channel for each in reply.subscriptions}
        for each in reply.subscriptions:
            self.subscribed(each)
        for name in [name for name, each in self.entries.items() if each.entered and name not in there]:
            self._removed(
                model.ServerUnsubscribed(name, int(ErrorCode.NOT_SUBSCRIBED), "unsubscribed by the server")
            )
        for name, entry in list(self.entries.items()):
            if entry.anew:  # what we asked was lost on the way
                self._again(name, entry)
        for _, listener in self._listeners:
            listener.connected(True)

    def renewed(self, reply: Connected) -> None:
        """All channels again, each from the last position that we have seen. Those into which the server had put us it
        puts us into anew; whoever listens to those catches up by its own means."""
        self._leaving.clear()
        for name, entry in list(self.entries.items()):
            if self._listener(name) is not None and not entry.readers:
                del self.entries[name]
            elif entry.entered or entry.anew:
                self._again(name, entry)
            else:
                entry.early.clear()  # of the session that is gone; `enter` asks again
        for _, listener in self._listeners:
            listener.connected(False)

    def _again(self, name: str, entry: Entry) -> None:
        entry.entered, entry.anew = False, True
        entry.early.clear()

        def answered(reply: wire.Reply | Exception) -> None:
            if self.entries.get(name) is not entry or not isinstance(reply, model.ErrorReply):
                return
            if reply.code == ErrorCode.ALREADY_SUBSCRIBED:
                self._catch_up(name, entry)
            elif refusal(reply).info.temporary:
                loop = self.session.loop
                loop.call_later(max(reply.retry_after or 0.0, RETRY), self._once_more, name, entry)
            else:
                entry.entered = True
                self._removed(model.ServerUnsubscribed(name, reply.code, reply.message))

        self.session.post(
            lambda id: model.Subscribe(id, name, entry.token, entry.position, entry.presence), answered
        )

    def _once_more(self, name: str, entry: Entry) -> None:
        if self.entries.get(name) is entry and not entry.entered and self.session.link is not None:
            self._again(name, entry)

    def _catch_up(self, name: str, entry: Entry) -> None:
        """The server has put us in before we could say from where: what is between is in the log."""
        since = entry.position
        if since is None:
            entry.entered, entry.anew = True, False
            early, entry.early = entry.early, []
            self._flush(early)
            return

        def answered(reply: wire.Reply | Exception) -> None:
            if self.entries.get(name) is not entry or isinstance(reply, Exception):
                return  # the connection is lost; the next session begins anew
            history = wire.decode_history(reply.result) if isinstance(reply, wire.ResultReply) else None
            entry.entered, entry.anew = True, False
            early, entry.early = entry.early, []
            if history is None or not history.complete or history.more:
                position = history.position if history is not None else entry.head or since
                self._give(name, Gap(name, since, position))
                entry.position = position
            else:
                self._give(name, Recovered(name, len(history.publications)))
                self._flush(list(history.publications))
            self._flush(early)

        self.session.post(lambda id: model.HistoryQuery(id, name, since, CATCH_UP), answered)

    def pushed(self, push: wire.Push) -> None:
        if isinstance(push, Publication):
            self.publication(push)
        elif isinstance(push, model.ServerSubscribed):
            known = self.entries.get(push.channel)
            if known is None:
                self.entries[push.channel] = Entry(position=push.position, entered=True, ours=False)
            else:
                known.head = push.position
            self._give(push.channel, push)
        elif isinstance(push, model.ServerUnsubscribed):
            self._removed(push)
        elif isinstance(push, model.Join | model.Leave):
            self._give(push.channel, push)

    def publication(self, item: Publication) -> None:
        entry = self.entries.get(item.channel)
        if entry is not None and not entry.entered:
            entry.early.append(item)
            return
        if entry is not None and item.offset is not None and item.epoch is not None:
            last = entry.position
            if last is not None and last.epoch == item.epoch and item.offset <= last.offset:
                return  # seen already
            entry.position = Position(item.epoch, item.offset)
        self._give(item.channel, item)

    def subscribed(self, reply: Subscribed) -> None:
        """Say whether anything is missing, deliver what was missed, and go on from the reply's position."""
        name = reply.channel
        entry = self.entries.get(name)
        if entry is None and name in self._leaving:  # the resumed session is still in what we have left
            self._leave(name)
            return
        if entry is None:
            entry = self.entries[name] = Entry(ours=False)
        since, entry.entered, entry.answer = entry.position, True, reply
        entry.anew = False
        early, entry.early = entry.early, []
        if since is not None and reply.recoverable and reply.position is not None:
            if reply.recovered:
                self._give(name, Recovered(name, len(reply.publications)))
                self._flush(list(reply.publications))
            else:
                self._give(name, Gap(name, since, reply.position))
        entry.position = reply.position
        self._flush(early)

    def failed(self, error: Exception) -> None:
        self._failure = error
        readers = {id(reader): reader for entry in self.entries.values() for reader in entry.readers}
        for reader in (*readers.values(), *(each for _, each in self._listeners), self._others):
            reader.fail(error)

    # --- who reads ----------------------------------------------------------------------------------------

    def _flush(self, publications: list[Publication]) -> None:
        for publication in publications:
            self.publication(publication)

    def _removed(self, push: model.ServerUnsubscribed) -> None:
        entry = self.entries.pop(push.channel, None)
        readers = entry.readers if entry is not None else []
        if readers:
            for reader in tuple(readers):
                reader.give(push)
        elif push.channel not in self._leaving:
            self._give(push.channel, push)

    def _give(self, name: str, event: ChannelEvent) -> None:
        entry = self.entries.get(name)
        if entry is not None and entry.readers:
            for reader in tuple(entry.readers):
                reader.give(event)
        elif name not in self._leaving:
            (self._listener(name) or self._others).give(event)

    def _listener(self, name: str) -> Listener | None:
        for prefixes, listener in self._listeners:
            if name.startswith(prefixes):
                return listener
        return None


CATCH_UP = 1_000
"""Publications that are read from a log at once."""
