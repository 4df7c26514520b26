"""After anything at all, what is kept beside messages is what would be made of them anew: the search index, and every
counter. What `World.check` compares is compared, too: the log against a fresh read, unread counts, polls, pins, files.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.chat.checks import everything
from tests.chat.later import pass_time
from tests.chat.test_search_index import check_index
from tests.chat.world import World

from hubbub.chat.directory import OPERATIONS
from hubbub.chat.events import MessagesExpunged, UserErased
from hubbub.chat.ledger import Actor, View
from hubbub.chat.listing import for_users
from hubbub.chat.rows import CONVERSATION, MESSAGE, ConversationRow, message_of
from hubbub.errors import HubbubError
from hubbub.storage.tables import (
    conversations,
    followers,
    mentions,
    messages,
    reactions,
    users,
    versions,
    votes,
)

pytestmark = pytest.mark.anyio
USERS = ("ada", "bob", "cleo", "dan", "zoe", "yan")
WORDS = ("red", "blue", "naïve café", "東京タワー", "tea-time", "https://example.org/a", "ﬁne", "...")
STEPS = 240
MINUTE = 60.0
SHORT = 20 * MINUTE


class Life:
    """What random users do, in three conversations, until two of them are erased."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.places: list[str] = []
        self.written: defaultdict[str, list[int]] = defaultdict(list)
        self.asked: defaultdict[str, list[int]] = defaultdict(list)
        self.done: Counter[str] = Counter()
        self.people = list(USERS)

    async def begin(self) -> None:
        owner, *others = USERS
        self.places = [
            await self.world.group(owner, *others),
            await self.world.group(owner, *others, history="joined"),
            await self.world.topic(owner, *others),
        ]

    async def act(self, operation: str, actor: str, /, **params: Any) -> Any:
        """Whoever may not, does not."""
        try:
            result = await self.world.do(operation, actor, **params)
        except HubbubError as error:
            self.done[error.code.name] += 1
            return None
        self.done[operation] += 1
        return result

    def some_part(self) -> dict[str, Any]:
        pick = self.random
        said = " ".join(pick.choices(WORDS, k=pick.randint(1, 4)))
        options = [{"id": id, "text": pick.choice(WORDS)} for id in ("1", "2", "3")]
        kinds: list[dict[str, Any]] = [
            *[{"type": "text", "text": said}] * 4,
            {"type": "poll", "question": said, "options": options, "multiple": pick.random() < 0.5},
            {"type": "checklist", "title": said, "items": options, "anyone": True},
            {"type": "card", "title": said, "text": pick.choice(WORDS)},
        ]
        return pick.choice(kinds)

    async def send(self, place: str, user: str) -> None:
        pick = self.random
        params: dict[str, Any] = {}
        written = self.written[place]
        if written and pick.random() < 0.3:
            params["thread"] = pick.choice(written)
        if pick.random() < 0.3:
            params["mentions"] = {"users": [pick.choice(self.people)]}
        if pick.random() < 0.2:
            params["expires_in"] = pick.randint(1, 30) * MINUTE
        part = self.some_part()
        sent = await self.act("messages.send", user, conversation=place, parts=[part], **params)
        if sent is not None:
            written.append(sent.message.seq)
            if part["type"] in ("poll", "checklist"):
                self.asked[place].append(sent.message.seq)

    async def step(self) -> None:
        pick = self.random
        place, user, other = pick.choice(self.places), pick.choice(self.people), pick.choice(self.people)
        written = self.written[place]
        kind = pick.random()
        if kind < 0.3 or not written:
            await self.send(place, user)
            return
        # Mostly of the newest.
        about: dict[str, Any] = {"conversation": place, "message": pick.choice(written[-12:])}
        if kind < 0.42:
            await self.act("messages.edit", user, **about, parts=[self.some_part()])
        elif kind < 0.5:
            await self.act("messages.delete", user, **about, **{"for": pick.choice(("all", "all", "me"))})
        elif kind < 0.6:
            operation = pick.choice(("reactions.add", "reactions.add", "reactions.remove"))
            await self.act(operation, user, **about, name=pick.choice(("+1", "🎉")))
        elif kind < 0.68:
            about["message"] = pick.choice(self.asked[place][-4:] or written)
            await self.act("polls.vote", user, **about, options=[pick.choice("123")])
            await self.act("checklists.check", user, **about, item=pick.choice("123"))
        elif kind < 0.73:
            await self.act(pick.choice(("pins.add", "pins.add", "pins.remove")), user, **about)
            await self.act("bookmarks.add", user, **about)
        elif kind < 0.78:
            marks = [{"conversation": place, "read": pick.choice(written)}]
            await self.act("receipts.mark", user, marks=marks)
        elif kind < 0.82:
            operation = pick.choice(("restrictions.set", "restrictions.lift"))
            given = {"until": self.world.clock.now() + SHORT} if operation == "restrictions.set" else {}
            chosen = pick.choice(("mute", "mute", "ban", "shadow"))
            await self.act(operation, "ada", user=other, kind=chosen, conversation=place, **given)
        elif kind < 0.86:
            await self.act("members.leave", user, conversation=place)
        elif kind < 0.9:
            await self.act("members.add", "ada", conversation=place, users=[other])
        elif kind < 0.94:
            await self.act("retention.update", "", conversation=place, retention=pick.choice((None, SHORT)))
        else:
            await pass_time(self.world, pick.randint(1, 10) * MINUTE)

    async def erase(self, user: str, how: str) -> None:
        self.people.remove(user)
        await self.act("rights.erase", "", user=user, messages=how)
        await pass_time(self.world, MINUTE)
        tables = await self.world.read(everything)
        # Nobody names them any more: what is counted for them is counted for their aliases.
        assert [name for name, rows in tables.items() if user in repr(rows)] == []


@pytest.mark.parametrize("seed", [1, 2])
async def test_what_is_counted_and_indexed_is_what_there_is(chat: World, seed: int) -> None:
    life = Life(chat, seed)
    await life.begin()
    for step in range(1, STEPS + 1):
        await life.step()
        if step == STEPS // 3:
            await life.erase("zoe", "keep")
        if step == 2 * STEPS // 3:
            await life.erase("yan", "delete")
        if step % 40 == 0:
            await compare(chat)
    await chat.do("retention.update", "", conversation=life.places[0], retention=SHORT)
    await pass_time(chat, 2 * SHORT)
    await compare(chat)
    log = [type(event) for place in life.places for event in await chat.log(place)]
    assert MessagesExpunged in log
    assert UserErased in log
    for operation in ("messages.edit", "messages.delete", "reactions.add", "polls.vote", "restrictions.set"):
        assert life.done[operation], f"nothing to compare: {life.done}"


async def compare(chat: World) -> None:
    """Raises AssertionError for what is not as it would be made anew."""
    await check_index(chat)
    await chat.check()
    await chat.read(check_messages)
    await chat.read(check_people)


def check_messages(view: View) -> None:
    """Reactions, and what nobody may find of a message that is gone."""
    given: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for row in view.execute(sa.select(reactions.c.conversation, reactions.c.message, reactions.c.name)):
        given[row.conversation, row.message][row.name] += 1
    gone = set()
    for each in view.execute(sa.select(*MESSAGE)):
        message = message_of(each)
        place = message.conversation, message.seq
        assert {each.name: each.count for each in message.reactions} == given.pop(place, {}), place
        if message.deleted is not None:
            gone.add(place)
            assert (message.parts, message.mentions, message.annotations) == ((), None, None)
    assert given == {}
    for table, column in (
        (mentions, mentions.c.seq),
        (versions, versions.c.seq),
        (votes, votes.c.message),
    ):
        left = view.execute(sa.select(table.c.conversation, column).distinct())
        assert gone.isdisjoint(map(tuple, left)), table.name


def check_people(view: View) -> None:
    """What one has unread in all, and in each thread that one follows."""
    for user in view.execute(sa.select(users.c.id).where(users.c.erased.is_(None))).scalars().all():
        me = OPERATIONS["me.get"].function(
            view, Actor(user), msgspec.convert({}, OPERATIONS["me.get"].params)
        )
        counts = []
        for each in view.execute(sa.select(*CONVERSATION)).all():
            mine = for_users(view, ConversationRow(*each), [user])[user].membership
            if mine.state == "joined" and not mine.archived and mine.muted_until is None:
                counts.append(mine.unread)
        assert (me.unread, me.unread_conversations) == (sum(counts), sum(map(bool, counts))), user
    known = set(view.execute(sa.select(conversations.c.id)).scalars())
    for follow in view.execute(sa.select(followers)).all():
        assert follow.conversation in known
        after = (messages.c.conversation == follow.conversation, messages.c.thread == follow.thread)
        read = sa.select(sa.func.max(messages.c.thread_number)).where(*after, messages.c.seq <= follow.read)
        assert follow.read_number == (view.execute(read).scalar() or 0), follow
