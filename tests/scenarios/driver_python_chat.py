"""The conversations of a device of the Python driver."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from tests.scenarios.told import EDITED

from hubbub.client import ClientError
from hubbub.errors import HubbubError

if TYPE_CHECKING:
    from tests.scenarios.driver_python import Device

    from hubbub.client.chat import Item, Sending

Row = tuple[str, int | None, str, str, bool, str]


class Conversations:
    """What an application shows of its conversations: lists of messages, and how many are unread."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._chat = device.client.chat
        self._outbox = device.client.outbox
        self._lists: dict[str, tuple[list[Row], bool]] = {}
        self._unread: dict[str, int] = {}
        self._keys: dict[tuple[str, int], str] = {}
        self._due = False

    async def start(self) -> None:
        """Follow, and look whenever something has happened."""
        self._device.follow(self._follow(self._outbox.changes()))
        self._device.follow(self._follow(self._chat))
        await self._chat.start()
        self._look_soon()

    async def _follow(self, happenings: Any) -> None:
        async for _ in happenings:
            self._look_soon()

    def _look_soon(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._due = False
        for known in self._chat.store.conversations():
            if self._unread.get(known.id) != known.membership.unread:
                self._unread[known.id] = known.membership.unread
                self._device.say("unread", conversation=known.id, unread=known.membership.unread)
        for conversation in self._lists:
            self._show(conversation)

    def _show(self, conversation: str) -> None:
        known = self._chat.store.known.get(conversation)
        if known is None:
            return  # not synced yet
        shown = [item for item in self._chat.timeline(conversation) if item.message.kind != "system"]
        rows = [self._row(item) for item in shown]
        start = known.oldest == 0
        before, was_start = self._lists[conversation]
        at, drop, items = difference(before, rows)
        if drop or items or start is not was_start:
            self._lists[conversation] = rows, start
            self._device.say("view", conversation=conversation, at=at, drop=drop, items=items, start=start)

    def _row(self, item: Item) -> Row:
        """An item as it is told. The SDK has no keys: what was said at first is one, for as long as it is known."""
        message = item.message
        text = next((part["text"] for part in map(msgspec.json.decode, message.parts) if "text" in part), "")
        deleted = message.deleted is not None
        key = text.partition(EDITED)[0] if not deleted else f"deleted {message.seq}"
        if message.seq:
            key = self._keys.setdefault((message.conversation, message.seq), key)
        reactions = "|".join(f"{each.name} {each.count} {','.join(each.users)}" for each in message.reactions)
        return key, message.seq or None, item.status, text, deleted, reactions

    async def watch(self, conversation: str) -> None:
        self._lists[conversation] = [], False
        self._look_soon()

    async def rewind(self, conversation: str) -> None:
        known = self._chat.store.known
        while conversation in known and known[conversation].oldest:
            await self._chat.load_before(conversation)
        self._look_soon()

    async def read(self, conversation: str, seq: int) -> None:
        await self._chat.mark_read(conversation, seq)
        self._look_soon()

    async def edit(self, conversation: str, message: int, text: str) -> None:
        await self._chat.messages.edit(conversation, message, [{"type": "text", "text": text}])

    async def delete(self, conversation: str, message: int) -> None:
        await self._chat.messages.delete(conversation, message)

    async def react(self, conversation: str, message: int, name: str) -> None:
        await self._chat.reactions.add(conversation, message, name)

    async def unreact(self, conversation: str, message: int, name: str) -> None:
        await self._chat.reactions.remove(conversation, message, name)

    async def send(self, conversation: str, text: str) -> None:
        sending = await self._chat.send(conversation, text)
        self._device.follow(self._tell(conversation, text, sending))

    async def _tell(self, conversation: str, text: str, sending: Sending) -> None:
        from tests.scenarios.driver_python import refusal

        try:
            message = await sending
        except HubbubError as error:
            self._device.say("sent", conversation=conversation, text=text, error=refusal(error))
        except ClientError:
            pass  # it waits in the outbox
        else:
            self._device.say("sent", conversation=conversation, text=text, seq=message.seq)


def difference(before: list[Row], after: list[Row]) -> tuple[int, int, list[Row]]:
    """Where the two differ: from which place on, how many of `before` are gone, and what is there instead."""
    at = 0
    while at < min(len(before), len(after)) and before[at] == after[at]:
        at += 1
    end = 0
    while end < min(len(before), len(after)) - at and before[-1 - end] == after[-1 - end]:
        end += 1
    return at, len(before) - at - end, after[at : len(after) - end]
