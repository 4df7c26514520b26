"""Having messages judged before they are written: by the live rules, and by hooks of the application.

Without hooks this is a call and no more: what rules look for takes microseconds, and the write is in the queue when it
returns. What may wait (hooks) or takes long (long texts, heavy patterns) goes on beside the event loop; the messages of
one sender are written in the order in which they were sent all the same.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from msgspec import Raw, Struct
from msgspec.structs import replace

from hubbub.chat import parts
from hubbub.chat.kinds.plain import decode_text
from hubbub.chat.ledger import Actor, View
from hubbub.chat.model import Mentions, Options
from hubbub.chat.outgoing import Outgoing, Sent
from hubbub.chat.parts import Checked
from hubbub.clock import Timer
from hubbub.errors import HubbubError
from hubbub.hub.eager import in_task
from hubbub.moderation.base import Draft, Finding, Findings, Judgement
from hubbub.moderation.hooks import Hooks
from hubbub.moderation.judge import Judge
from hubbub.moderation.recent import Recent
from hubbub.moderation.rules import Rule
from hubbub.storage.base import Action
from hubbub.storage.tables import blocklists, messages, rulesets
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

log = get_logger("hubbub.chat")

MODERATION = "moderation"
"""In the place of a channel: the live rules or their block lists are not what they were."""
LOOK = 10.0
"""Seconds after which a node looks for new rules that it was not told of."""
Lists = dict[str, tuple[str, ...]]
_rules = msgspec.json.Decoder(tuple[Rule, ...]).decode
_words = msgspec.json.Decoder(tuple[str, ...]).decode


class Live(Struct, frozen=True):
    """What is live: the version (0: there is none), the rules and the lists that they name. `stamp` differs when
    anything does."""

    version: int
    rules: tuple[Rule, ...] = ()
    lists: Lists = {}
    stamp: tuple[Any, ...] = ()


class Examined(Struct, frozen=True):
    """An edit: the parts as hooks leave them, and what was found in them."""

    parts: tuple[Raw, ...]
    findings: Findings


class Moderation:
    """`chat.moderation`. `judge` has the live rules; None while there are none."""

    def __init__(self, chat: Chat) -> None:
        settings = chat.config.moderation
        self.chat = chat
        self.hooks = Hooks(settings.hook_timeout, settings.hook_failure, self._hook_failed)
        self.recent = Recent(settings.remembered)
        self.refused: dict[tuple[str, str, str], None] = {}
        """Attempts to send what was refused (conversation, sender, key), the last ones: each is counted once."""
        self.judge: Judge | None = None
        self._stamp: tuple[Any, ...] | None = None
        self._loading = asyncio.Lock()
        # One thread: of several, each would keep the interpreter from the event loop for a while.
        self._beside = ThreadPoolExecutor(1, "moderation")
        self._timer: Timer | None = None
        self._turns: dict[str, asyncio.Future[None]] = {}
        """By sender, when the last of its messages that took longer is in the queue."""

    @property
    def active(self) -> bool:
        """Whether there is anything to be asked."""
        return self.judge is not None or bool(self.hooks)

    # --- life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take what is live."""
        await self._look()
        self._wait()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._beside.shutdown(wait=False, cancel_futures=True)

    def stale(self) -> None:
        """Something may have changed: look soon."""
        self.chat.hub.spawn(self._look())

    async def load(self) -> None:
        """Judge by what is live now, from when this returns."""
        if not self.chat.config.moderation.enabled:
            return
        async with self._loading:
            stamp = await self.chat.read(stamp_of)
            if stamp == self._stamp:
                return
            live = await self.chat.read(live_of)
            window = self.chat.config.moderation.flood_window
            judge = await asyncio.to_thread(Judge, live.version, live.rules, live.lists, window=window)
            self.judge = judge if judge else None
            self._stamp = live.stamp

    async def _look(self) -> None:
        try:
            await self.load()
        except HubbubError as error:  # the database is away, or has rules that this version does not take
            log.warning("moderation: the live rules could not be read; the old ones stay", error=str(error))

    def _wait(self) -> None:
        if not self.chat.store.lossless:
            self._timer = self.chat.clock.call_later(LOOK, self._again)

    def _again(self) -> None:
        self.stale()
        self._wait()

    def _hook_failed(self) -> None:
        self.chat.metrics.handler_errors += 1

    # --- judging --------------------------------------------------------------------------------------------------

    def write(self, action: Action[Outgoing, Sent], outgoing: Outgoing) -> asyncio.Future[Sent]:
        """Write a message once it is judged. As `Store.write`, it is in the queue when this returns, if nothing needs
        to be waited for. Raises what `Store.write` does."""
        draft = draft_of(outgoing)
        if not outgoing.sender:
            return self.chat.store.write(action, outgoing, outgoing.conversation)
        if self._quick(outgoing.sender, draft):
            judged = self._judged(outgoing, draft, ())
            return self.chat.store.write(action, judged, outgoing.conversation)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sent] = loop.create_future()
        turn: asyncio.Future[None] = loop.create_future()
        before = self._turns.get(outgoing.sender)
        self._turns[outgoing.sender] = turn
        self.chat.hub.spawn(self._in_turn(action, outgoing, draft, before, turn, answer))
        return answer

    async def examine(self, outgoing: Outgoing) -> Outgoing:
        """The message with what rules and hooks have found in it, for whoever then writes it with `Delivery`: what is
        scheduled, forwarded or sent by a program. Raises what a hook refuses with, and MODERATION_UNAVAILABLE."""
        if not self.active or not outgoing.sender or outgoing.released is not None:
            return outgoing
        return await self._examine(outgoing, draft_of(outgoing))

    async def examine_edit(
        self, user: str, conversation: str, message: int, given: tuple[Raw, ...]
    ) -> Examined:
        """What an edit says (as hooks leave it), and what was found in it. Raises what hooks and the check of parts
        refuse with."""
        draft = self._draft_of_edit(user, conversation, message, given)
        left, found = await self._asked(draft) if self.hooks else (draft, ())
        found = await self._found(left, found)
        return Examined(left.parts if left.parts is not draft.parts else given, Findings("edit", found))

    def look_at_edit(self, user: str, conversation: str, message: int, given: tuple[Raw, ...]) -> Examined:
        """The same without hooks, for an edit that begins in a transaction: a program's of its card."""
        if self.judge is None:
            return Examined(given, Findings("edit", ()))
        draft = self._draft_of_edit(user, conversation, message, given)
        return Examined(given, Findings("edit", self.judge.find(draft, 0.0)))

    def _draft_of_edit(self, user: str, conversation: str, message: int, given: tuple[Raw, ...]) -> Draft:
        content = parts.check(given, self.chat.config.limits)
        return draft_of_parts(
            content, None, what="edit", sender=user, conversation=conversation, message=message
        )

    def _quick(self, sender: str, draft: Draft) -> bool:
        return (
            not self.hooks
            and sender not in self._turns
            and (self.judge is None or not self.judge.costly(draft))
        )

    async def _in_turn(
        self,
        action: Action[Outgoing, Sent],
        outgoing: Outgoing,
        draft: Draft,
        before: asyncio.Future[None] | None,
        turn: asyncio.Future[None],
        answer: asyncio.Future[Sent],
    ) -> None:
        """Judge, wait until what the sender has sent before is in the queue, write."""
        store, sender = self.chat.store, outgoing.sender
        try:
            try:
                judged = await self._examine(outgoing, draft)
            finally:
                if before is not None:
                    await asyncio.wait((before,))
                turn.set_result(None)
                if self._turns.get(sender) is turn:
                    del self._turns[sender]
            sent = await store.write(action, judged, outgoing.conversation)
        except HubbubError as error:
            if not answer.done():
                answer.set_exception(error)
        except BaseException as error:
            if not answer.done():
                answer.cancel()
            raise error
        else:
            if not answer.done():
                answer.set_result(sent)

    async def _examine(self, outgoing: Outgoing, draft: Draft) -> Outgoing:
        found: tuple[Finding, ...] = ()
        if self.hooks:
            if await self.chat.read(lambda view: _sent_before(view, outgoing)):
                return outgoing
            left, found = await self._asked(draft)
            if left.parts is not draft.parts:
                options = replace(outgoing.options or Options(), masked=True)
                outgoing = replace(outgoing, content=self._checked(left), options=options)
                draft = left
        if self.judge is not None and self.judge.costly(draft):
            found = await self._found(draft, found)
            return replace(outgoing, findings=Findings("send", found)) if found else outgoing
        return self._judged(outgoing, draft, found)

    def _judged(self, outgoing: Outgoing, draft: Draft, hooks: tuple[Finding, ...]) -> Outgoing:
        found = hooks
        if self.judge is not None:
            found = self.judge.find(draft, self.chat.clock.now(), self.recent) + hooks
        return replace(outgoing, findings=Findings(draft.what, found)) if found else outgoing

    async def _found(self, draft: Draft, hooks: tuple[Finding, ...]) -> tuple[Finding, ...]:
        judge = self.judge
        if judge is None:
            return hooks
        if judge.costly(draft):
            looked = await asyncio.get_running_loop().run_in_executor(self._beside, judge.look, draft)
        else:
            looked = judge.look(draft)
        return judge.settle(looked, draft, self.chat.clock.now(), self.recent) + hooks

    async def _asked(self, draft: Draft) -> tuple[Draft, tuple[Finding, ...]]:
        return await in_task(self.hooks.ask, draft, self._replaced)

    def _replaced(self, draft: Draft, judgement: Judgement) -> Draft:
        given = tuple(Raw(msgspec.json.encode(part)) for part in judgement.parts or ())
        checked = parts.check(given, self.chat.config.limits)
        said = {name: getattr(draft, name) for name in _KEPT}
        return draft_of_parts(checked, None, **said, mentions=draft.mentions, everyone=draft.everyone)

    def _checked(self, draft: Draft) -> Checked:
        return parts.check(draft.parts, self.chat.config.limits)


_KEPT = ("what", "sender", "conversation", "thread", "reply_to", "message", "key")


def draft_of(outgoing: Outgoing) -> Draft:
    """A message as judges see it."""
    return draft_of_parts(
        outgoing.content,
        outgoing.mentions,
        what="send",
        sender=outgoing.sender,
        conversation=outgoing.conversation,
        thread=outgoing.thread,
        reply_to=outgoing.reply_to,
        key=outgoing.key,
    )


def draft_of_parts(content: Checked, whom: Mentions | None, **fields: Any) -> Draft:
    """`fields` are the others of the Draft."""
    texts: list[tuple[int, str]] = []
    rest: list[str] = []
    for place, part in enumerate(content.parts):
        try:
            texts.append((place, decode_text(bytes(part)).text))
        except msgspec.ValidationError:
            if said := parts.searchable((part,)):
                rest.append(said)
    if whom is not None:
        fields["mentions"] = len(whom.users) + len(whom.groups)
        fields["everyone"] = whom.everyone is not None
    return Draft(parts=content.parts, text=content.text, texts=tuple(texts), rest="\n".join(rest), **fields)


def _sent_before(view: View, outgoing: Outgoing) -> bool:
    """Whether it was sent with its key before: then nobody needs to be asked. Raises what keeps its sender from sending
    there at all: whoever may not costs no hook anything."""
    actor = Actor(outgoing.sender)
    view.access(actor, outgoing.conversation, "send" if outgoing.thread is None else "reply")
    view.refuse_restricted(actor, outgoing.conversation)
    if outgoing.key is None:
        return False
    query = sa.select(messages.c.seq).where(
        messages.c.conversation == outgoing.conversation,
        messages.c.sender == outgoing.sender,
        messages.c.key == outgoing.key,
    )
    return view.execute(query).first() is not None


# --- what is live -------------------------------------------------------------------------------------------------


def stamp_of(view: View) -> tuple[Any, ...]:
    """It differs whenever the live rules or a block list do."""
    rules = sa.select(rulesets.c.id, rulesets.c.changed).where(rulesets.c.state == "live")
    lists = sa.select(sa.func.count(), sa.func.max(blocklists.c.changed))
    return (*(tuple(row) for row in view.execute(rules)), tuple(view.execute(lists).one()))


def live_of(view: View) -> Live:
    row = view.execute(sa.select(rulesets.c.id, rulesets.c.data).where(rulesets.c.state == "live")).first()
    stamp = stamp_of(view)
    if row is None:
        return Live(0, stamp=stamp)
    return Live(row.id, _rules(row.data), lists_of(view), stamp)


def lists_of(view: View) -> Lists:
    """All block lists."""
    query = sa.select(blocklists.c.name, blocklists.c.words)
    return {name: _words(words) for name, words in view.execute(query)}
