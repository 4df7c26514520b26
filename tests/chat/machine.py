"""Random users do random things on two devices each: the rules. (`machine_stage.py` does them.)"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from tests.chat.later import quiet
from tests.chat.machine_content import Content
from tests.chat.machine_devices import Device
from tests.chat.machine_live import check_live, check_synced
from tests.chat.machine_place import Place
from tests.chat.machine_stage import MOST_PLACES, USERS, Deed, answer

from hubbub.chat.model import FOREVER

users = st.sampled_from(USERS)
several = st.lists(users, max_size=3, unique=True)
numbers = st.integers(0, 30)
actors = st.integers(0, 11)
"""Who does something in a conversation: see `Stage.actor`."""
roles = st.sampled_from(("owner", "admin", "moderator", "member", "reader"))
words = st.lists(st.sampled_from(("red", "blue", "tea")), min_size=1, max_size=2).map(" ".join)
permissions = st.dictionaries(
    st.sampled_from(
        ("read", "read", "send", "reply", "react", "delete_any", "mention_all", "invite", "edit_own")
    ),
    st.sampled_from(("reader", "member", "moderator", "owner")),
    max_size=2,
)
bursts = st.lists(st.tuples(st.integers(0, 7), actors, users, numbers), min_size=1, max_size=6)
keys = st.sampled_from((None, None, None, "k1", "k2"))


class Machine(Content):
    """See `Stage`."""

    @initialize(
        kinds=st.lists(st.sampled_from(("group", "topic", "broadcast")), min_size=1, max_size=2),
        history=st.sampled_from(("all", "joined")),
    )
    def begin(self, kinds: list[str], history: str) -> None:
        self.run(self._arrive())
        for kind in kinds:
            self.create(USERS[0], kind, dict.fromkeys(USERS[:3]), False, history)

    # --- conversations ------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.model.places) < MOST_PLACES)
    @rule(
        user=users,
        kind=st.sampled_from(("group", "group", "topic", "broadcast")),
        others=st.dictionaries(users, st.none() | roles, max_size=3),
        invite=st.booleans(),
        history=st.sampled_from(("all", "joined")),
    )
    def create(self, user: str, kind: str, others: dict[str, str | None], invite: bool, history: str) -> None:
        place = Place(kind, history, f"n{len(self.model.places)}")
        named = [
            {"user": other} if role is None else {"user": other, "role": role}
            for other, role in others.items()
            if other != user
        ]
        params = {"kind": kind, "name": place.name, "history": history, "members": named, "invite": invite}
        self.do(
            Deed(
                "conversations.create",
                user,
                params,
                lambda: self.model.create(user, place, others, invite),
                _named,
                self.key(),
                place=place,
            )
        )

    @rule(user=users, other=users)
    def direct(self, user: str, other: str) -> None:
        def check(result: Any, place: Place) -> None:
            assert result.created is (not place.id)
            _named(result.conversation, place)

        self.do(
            Deed(
                "conversations.direct",
                user,
                {"user": other},
                lambda: self.model.direct(user, other),
                check,
            )
        )

    @precondition(lambda self: self.model.places)
    @rule(
        number=numbers,
        who=actors,
        change=st.one_of(
            st.fixed_dictionaries({"name": st.sampled_from(("x", "y"))}),
            st.fixed_dictionaries({"permissions": permissions}),
            st.fixed_dictionaries({"history": st.sampled_from(("all", "joined"))}),
            st.fixed_dictionaries({"closed": st.booleans()}),
        ),
    )
    def update(self, number: int, who: int, change: dict[str, Any]) -> None:
        place = self.place(number)
        user = self.actor(place, who)

        def model() -> None:
            if "name" in change:
                self.model.describe(user, place, change["name"])
            else:
                self.model.manage(user, place, **change)

        self.do(self.deed("conversations.update", user, place, model, **change))

    @precondition(lambda self: self.model.places)
    @rule(number=numbers, who=actors, archived=st.booleans(), muted=st.booleans())
    def settings(self, number: int, who: int, archived: bool, muted: bool) -> None:
        place = self.place(number)
        user = self.actor(place, who)
        self.do(
            self.deed(
                "conversations.settings",
                user,
                place,
                lambda: self.model.settings(user, place, archived=archived, muted=muted),
                archived=archived,
                muted_until=FOREVER if muted else None,
            )
        )

    # --- members ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.model.places)
    @rule(
        number=numbers,
        who=actors,
        others=st.lists(users, min_size=1, max_size=2),
        role=st.none() | roles,
        invite=st.booleans(),
    )
    def add(self, number: int, who: int, others: list[str], role: str | None, invite: bool) -> None:
        place = self.place(number)
        user = self.actor(place, who)
        self.do(self.adding(place, user, others, role, invite))

    @precondition(lambda self: self.model.places)
    @rule(number=numbers, user=users)
    def join(self, number: int, user: str) -> None:
        place = self.place(number)
        self.do(self.deed("members.join", user, place, lambda: self.model.join(user, place)))

    @precondition(lambda self: self.model.places)
    @rule(number=numbers, who=actors)
    def leave(self, number: int, who: int) -> None:
        place = self.place(number)
        user = self.actor(place, who)
        self.do(self.deed("members.leave", user, place, lambda: self.model.leave(user, place)))

    @precondition(lambda self: self.model.places)
    @rule(number=numbers, who=actors, other=users, role=roles)
    def give(self, number: int, who: int, other: str, role: str) -> None:
        place = self.place(number)
        user = self.actor(place, who)
        self.do(
            self.deed(
                "members.update",
                user,
                place,
                lambda: self.model.give(user, place, other, role),
                user=other,
                role=role,
            )
        )

    @precondition(lambda self: self.model.places)
    @rule(number=numbers, who=actors, other=users)
    def remove(self, number: int, who: int, other: str) -> None:
        place = self.place(number)
        self.do(self.removing(place, self.actor(place, who), other))

    # --- messages -----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.model.places)
    @rule(
        number=numbers,
        who=actors,
        said=words,
        mentioned=several,
        everyone=st.booleans(),
        replying=st.none() | numbers,
        key=keys,
    )
    def send(
        self,
        number: int,
        who: int,
        said: str,
        mentioned: list[str],
        everyone: bool,
        replying: int | None,
        key: str | None,
    ) -> None:
        place = self.place(number)
        user = self.actor(place, who)
        reply_to = None if replying is None else self.seq(place, replying)
        self.do(self.sending(place, user, said, tuple(mentioned), everyone, None, reply_to, key))

    @precondition(lambda self: any(place.posts for place in self.model.places))
    @rule(number=numbers, who=actors, said=words, mentioned=several, root=numbers)
    def reply(self, number: int, who: int, said: str, mentioned: list[str], root: int) -> None:
        place = self.place(number)
        user = self.actor(place, who)
        thread = self.seq(place, root, roots=True)
        self.do(self.sending(place, user, said, tuple(mentioned), thread=thread))

    @precondition(lambda self: any(place.posts for place in self.model.places))
    @rule(
        number=numbers,
        who=actors,
        message=numbers,
        said=words,
        mentions=st.none() | st.tuples(several.map(tuple), st.booleans()),
    )
    def edit(
        self,
        number: int,
        who: int,
        message: int,
        said: str,
        mentions: tuple[tuple[str, ...], bool] | None,
    ) -> None:
        place = self.place(number)
        user = self.actor(place, who)
        seq = self.seq(place, message)
        post = place.posts.get(seq)
        if post is not None and post.sender is not None and message % 2:
            user = post.sender
        self.do(self.editing(place, user, seq, said, mentions))

    @precondition(lambda self: any(place.posts for place in self.model.places))
    @rule(number=numbers, who=actors, message=numbers, everybody=st.booleans())
    def delete(self, number: int, who: int, message: int, everybody: bool) -> None:
        place = self.place(number)
        user = self.actor(place, who)
        self.do(self.deleting(place, user, self.seq(place, message), everybody))

    @precondition(lambda self: any(place.posts for place in self.model.places))
    @rule(
        number=numbers,
        who=actors,
        message=numbers,
        name=st.sampled_from(("+1", "👍")),
        added=st.booleans(),
    )
    def react(self, number: int, who: int, message: int, name: str, added: bool) -> None:
        place = self.place(number)
        user = self.actor(place, who)
        self.do(self.reacting(place, user, self.seq(place, message), name, added))

    # --- threads, receipts, blocks ------------------------------------------------------------------------------------

    @precondition(lambda self: any(place.posts for place in self.model.places))
    @rule(number=numbers, who=actors, root=numbers, following=st.booleans())
    def follow(self, number: int, who: int, root: int, following: bool) -> None:
        place = self.place(number)
        user = self.actor(place, who)
        seq = self.seq(place, root, roots=True)
        self.do(
            self.deed(
                "threads.follow" if following else "threads.unfollow",
                user,
                place,
                lambda: self.model.follow(user, place, seq, following),
                thread=seq,
            )
        )

    @precondition(lambda self: any(place.follows for place in self.model.places))
    @rule(number=numbers, which=numbers, up_to=numbers)
    def read_thread(self, number: int, which: int, up_to: int) -> None:
        places = [place for place in self.model.places if place.follows]
        place = places[number % len(places)]
        root, user = sorted(place.follows)[which % len(place.follows)]
        seq = self.seq(place, up_to)
        self.do(
            self.deed(
                "threads.read",
                user,
                place,
                lambda: self.model.read_thread(user, place, root, seq),
                thread=root,
                seq=seq,
            )
        )

    @precondition(lambda self: self.model.places)
    @rule(
        number=numbers,
        who=actors,
        marks=st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4)), min_size=2, max_size=3),
    )
    def mark(self, number: int, who: int, marks: list[tuple[int, int]]) -> None:
        """So many events before the newest, or far beyond it; older marks may come later."""
        place = self.place(number)
        user = self.actor(place, who)
        for each in marks:
            seqs = [max(place.head - back, 0) if back >= 0 else place.head + 5 for back in each]
            params = {"marks": [{"conversation": place.id, "read": seqs[0], "delivered": seqs[1]}]}
            model = partial(self.model.mark, user, place, *seqs)
            self.do(Deed("receipts.mark", user, params, model, place=place))

    @rule(user=users, other=users, blocked=st.booleans())
    def block(self, user: str, other: str, blocked: bool) -> None:
        operation = "blocks.add" if blocked else "blocks.remove"
        params = {"user": other}
        self.do(Deed(operation, user, params, lambda: self.model.block(user, other, blocked)))
        place = next((each for each in self.model.places if set(each.pair) == {user, other}), None)
        if place is not None:
            self.do(self.sending(place, user, "red"), self.sending(place, other, "blue"))

    # --- at once, and again -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.model.places)
    @rule(number=numbers, what=bursts)
    def at_once(self, number: int, what: list[tuple[int, int, str, int]]) -> None:
        self.do(*self.burst(number, what))

    @precondition(lambda self: self.repeatable)
    @rule(number=numbers)
    def again(self, number: int) -> None:
        """The same key gives the first answer, and does nothing."""
        deed = self.repeatable[-1 - number % len(self.repeatable)]

        def check(result: Any, _: Any) -> None:
            assert answer(result) == deed.outcome, deed.operation

        again = Deed(deed.operation, deed.user, deed.params, lambda: None, check, deed.key, place=deed.place)
        self.do(again)
        self.repeatable.pop()

    # --- devices ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: any(device.connected for device in self.devices))
    @rule(number=numbers)
    def drop(self, number: int) -> None:
        there = [device for device in self.devices if device.connected]
        there[number % len(there)].drop()

    @precondition(lambda self: any(not device.connected for device in self.devices))
    @rule(number=numbers)
    def resume(self, number: int) -> None:
        away = [device for device in self.devices if not device.connected]
        self.run(self._resume(away[number % len(away)]))

    async def _resume(self, device: Device) -> None:
        if await device.resume():
            await self.quiet()
            check_live(device, self.model)
        else:
            await self._return(device, None, named=True)

    @precondition(lambda self: any(not device.connected for device in self.devices))
    @rule(number=numbers, size=st.none() | st.integers(1, 2), named=st.booleans())
    def come_back(self, number: int, size: int | None, named: bool) -> None:
        """With another session, and the token of the last sync."""
        away = [device for device in self.devices if not device.connected]
        self.run(self._return(away[number % len(away)], size, named=named))

    async def _return(self, device: Device, size: int | None, *, named: bool) -> None:
        await device.connect()
        await device.sync(live=True, size=size, named=named)
        await self.quiet()
        check_synced(device, self.model)
        check_live(device, self.model)

    @precondition(lambda self: any(device.connected for device in self.devices))
    @rule(number=numbers, named=st.booleans())
    def sync(self, number: int, named: bool) -> None:
        there = [device for device in self.devices if device.connected]
        self.run(self._sync(there[number % len(there)], named))

    async def _sync(self, device: Device, named: bool) -> None:
        await device.sync(live=False, named=named)
        check_synced(device, self.model)

    @precondition(lambda self: self.model.places and any(not device.connected for device in self.devices))
    @rule(
        number=numbers,
        device=numbers,
        what=bursts,
        resuming=st.booleans(),
    )
    def come_back_meanwhile(
        self, number: int, device: int, what: list[tuple[int, int, str, int]], resuming: bool
    ) -> None:
        """A device comes back while things happen."""
        away = [each for each in self.devices if not each.connected]
        back = away[device % len(away)]

        async def return_() -> None:
            if not (resuming and await back.resume()):
                await back.connect()
                await back.sync(live=True)

        deeds = self.burst(number, what)
        self.run(self._meanwhile(deeds, return_))

    async def _meanwhile(self, deeds: list[Deed], coming: Callable[[], Coroutine[Any, Any, None]]) -> None:
        returning = asyncio.ensure_future(coming())
        await asyncio.sleep(0)
        await self._do(deeds, [returning])

    @precondition(
        lambda self: any(not device.connected for device in self.devices) or self.model.something_ends
    )
    @rule()
    def much_later(self) -> None:
        """So much that sessions which are away are gone, and what was said or forbidden for a while is over."""
        self.run(self._later())

    async def _later(self) -> None:
        for _ in range(int(self.world.config.sessions.resume_window) // 2 + 2):
            self.world.clock.advance(2.0)
            await self.quiet()
            await quiet(self.world)
            self.model.pass_time(self.world.clock.now())
        await self.quiet()


def _named(mine: Any, place: Place) -> None:
    place.id = mine.conversation.id
