"""A try at each operation of the chat, with whatever ids: for tests of who may do what, and of what ids can do.

`ATTEMPTS` must know every operation; `test_outsiders` fails for one that is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.chat.attempts_agenda import AGENDA
from tests.chat.attempts_cases import CASES
from tests.chat.attempts_commands import COMMANDS
from tests.chat.attempts_files import FILES
from tests.chat.attempts_moderation import MODERATION
from tests.chat.attempts_pins import PINS
from tests.chat.attempts_polls import POLLS, RICH
from tests.chat.attempts_rights import RIGHTS
from tests.chat.world import World


@dataclass(frozen=True, slots=True)
class Ids:
    """What an attempt is about. All are there if nothing else is said."""

    conversation: Any
    message: Any
    thread: Any
    user: Any = "bob"
    deleted: int = 0
    """A message that was deleted for everybody."""


Params = dict[str, Any]
PARTS = [{"type": "text", "text": "hello"}]
ATTEMPTS: dict[str, Callable[[Ids], Params]] = (
    {
        "users.upsert": lambda ids: {"user": ids.user, "name": "Mallory"},
        "users.get": lambda ids: {"user": ids.user},
        "users.query": lambda ids: {"ids": [ids.user]},
        "users.queue": lambda ids: {"user": ids.user},
        "me.get": lambda ids: {},
        "me.update": lambda ids: {"name": "Mallory"},
        "blocks.add": lambda ids: {"user": ids.user},
        "blocks.remove": lambda ids: {"user": ids.user},
        "blocks.list": lambda ids: {},
        "conversations.create": lambda ids: {"kind": "group", "members": [{"user": ids.user}]},
        "conversations.direct": lambda ids: {"user": ids.user},
        "conversations.get": lambda ids: {"conversation": ids.conversation},
        "conversations.update": lambda ids: {"conversation": ids.conversation, "name": "Mine"},
        "conversations.settings": lambda ids: {"conversation": ids.conversation, "archived": True},
        "conversations.list": lambda ids: {},
        "conversations.discover": lambda ids: {},
        "members.list": lambda ids: {"conversation": ids.conversation},
        "members.add": lambda ids: {"conversation": ids.conversation, "users": [ids.user]},
        "members.join": lambda ids: {"conversation": ids.conversation},
        "members.leave": lambda ids: {"conversation": ids.conversation},
        "members.update": lambda ids: {"conversation": ids.conversation, "user": ids.user, "role": "reader"},
        "members.remove": lambda ids: {"conversation": ids.conversation, "user": ids.user},
        "messages.send": lambda ids: {
            "conversation": ids.conversation,
            "parts": PARTS,
            "thread": ids.thread,
            "reply_to": ids.message,
            "mentions": {"users": [ids.user]},
        },
        "messages.get": lambda ids: {"conversation": ids.conversation, "message": ids.message},
        "messages.list": lambda ids: {"conversation": ids.conversation, "around": ids.message},
        "messages.edit": lambda ids: {
            "conversation": ids.conversation,
            "message": ids.message,
            "parts": PARTS,
            "mentions": {"users": [ids.user]},
        },
        "messages.delete": lambda ids: {"conversation": ids.conversation, "message": ids.message},
        "messages.versions": lambda ids: {"conversation": ids.conversation, "message": ids.message},
        "reactions.add": lambda ids: {
            "conversation": ids.conversation,
            "message": ids.message,
            "name": "eyes",
        },
        "reactions.remove": lambda ids: {
            "conversation": ids.conversation,
            "message": ids.message,
            "name": "+1",
        },
        "reactions.list": lambda ids: {"conversation": ids.conversation, "message": ids.message},
        "threads.list": lambda ids: {},
        "threads.follow": lambda ids: {"conversation": ids.conversation, "thread": ids.thread},
        "threads.unfollow": lambda ids: {"conversation": ids.conversation, "thread": ids.thread},
        "threads.read": lambda ids: {
            "conversation": ids.conversation,
            "thread": ids.thread,
            "seq": ids.message,
        },
        "receipts.mark": lambda ids: {"marks": [{"conversation": ids.conversation, "read": ids.message}]},
        "receipts.list": lambda ids: {"conversation": ids.conversation, "message": ids.message},
        "events.list": lambda ids: {"conversation": ids.conversation, "since": 0},
        "search": lambda ids: {
            "query": "hello",
            "conversation": ids.conversation,
            "sender": ids.user,
            "thread": ids.thread,
        },
        "sync": lambda ids: {},
        "presence.query": lambda ids: {"users": [ids.user]},
        "presence.follow": lambda ids: {"users": [ids.user]},
        "presence.unfollow": lambda ids: {"users": [ids.user]},
        "presence.set": lambda ids: {"away": True},
        "typing.start": lambda ids: {"conversation": ids.conversation, "thread": ids.thread},
    }
    | AGENDA
    | RIGHTS
    | FILES
    | CASES
    | COMMANDS
    | POLLS
    | PINS
    | MODERATION
)
"""The params of each operation, such that an owner may do it."""
USERS = ("ada", "bob", "removed", "invited", "blocked", "stranger", "late")


@dataclass(frozen=True, slots=True)
class Place:
    """What there is to be attacked."""

    group: Ids
    topic: Ids
    late: Ids
    """In a group of which `late` sees only what came after this."""


async def furnish(world: World) -> Place:
    """`ada` owns all, `bob` is a member, and the others are what they are called. (`blocked` is by both.)"""
    await world.users(*USERS)
    for user in ("ada", "bob"):
        await world.do("blocks.add", user, user="blocked")
    await world.do("commands.register", "", name="remind", owner="bob", everywhere=True)
    talk = await furnish_group(world)
    topic = await world.topic("ada", "bob", name="Public")
    talk_of_topic = await _talk(world, topic)
    quiet = await world.group("ada", "bob", history="joined")
    talk_before = await _talk(world, quiet)
    await world.do("members.add", "ada", conversation=quiet, users=["late"])
    return Place(talk, talk_of_topic, talk_before)


async def furnish_group(world: World) -> Ids:
    """Another group like the first."""
    group = await world.group("ada", "bob", "removed", name="Ops")
    await world.do("members.add", "ada", conversation=group, users=["invited"], invite=True)
    talk = await _talk(world, group)
    await world.do("members.remove", "ada", conversation=group, user="removed")
    return talk


async def _talk(world: World, conversation: str) -> Ids:
    """A rich message with a thread and a reaction, by `ada`, and one that is deleted; the ids of a conversation."""
    sent = await world.do("messages.send", "ada", conversation=conversation, parts=[*PARTS, *RICH])
    root = sent.message.seq
    await world.do("messages.send", "bob", conversation=conversation, parts=PARTS, thread=root)
    await world.do("reactions.add", "ada", conversation=conversation, message=root, name="+1")
    gone = await world.do("messages.send", "ada", conversation=conversation, parts=PARTS)
    await world.do("messages.delete", "ada", conversation=conversation, message=gone.message.seq)
    return Ids(conversation, root, root, deleted=gone.message.seq)
