"""Random users do random things on two devices each, and a model says what must have come of it.

Every step is done to the server and to the model. Then both must agree about what each user is shown, and each device
that follows must know what has happened from what it was told alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.chat.machine_devices import Device
from tests.chat.machine_live import check_live, check_synced
from tests.chat.machine_look import check_all, check_lists, check_place
from tests.chat.machine_model import RANKS, Model, Place, Post, RefusedError
from tests.chat.talk import text
from tests.chat.world import World

from hubbub.chat.ledger import View
from hubbub.chat.model import FOREVER
from hubbub.errors import HubbubError

T = TypeVar("T")
USERS = ("ada", "bob", "cyd", "dan")
MOST_PLACES = 8
LOOK = 12
"""Steps after which everything is looked at."""

users = st.sampled_from(USERS)
several = st.lists(users, max_size=3, unique=True)
numbers = st.integers(0, 30)
actors = st.integers(0, 11)
"""Who does something in a conversation: see `Machine.actor`."""
roles = st.sampled_from(("owner", "admin", "moderator", "member", "reader"))
words = st.lists(st.sampled_from(("red", "blue", "tea")), min_size=1, max_size=2).map(" ".join)
permissions = st.dictionaries(
    st.sampled_from(("read", "send", "reply", "react", "delete_any", "mention_all", "invite", "edit_own")),
    st.sampled_from(("reader", "member", "moderator", "owner")),
    max_size=2,
)
bursts = st.lists(st.tuples(st.integers(0, 7), actors, users, numbers), min_size=1, max_size=6)
keys = st.sampled_from((None, None, None, "k1", "k2"))


@dataclass
class Deed:
    """One call of an operation, and what does the same to the model."""

    operation: str
    user: str
    params: dict[str, Any]
    model: Callable[[], Any]
    check: Callable[[Any, Any], object] = lambda result, wanted: None
    key: str | None = None
    outcome: Any = None
    place: Place | None = field(default=None)


class Machine(RuleBasedStateMachine):
    """`database` gives the URL of an empty database, and takes it back."""

    database: Callable[[], Any]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.sound = True
        self.taken = self.database()
        url = self.taken.__enter__()
        self.world: World = self.run(self._begin(url))
        self.model = Model(USERS)
        self.devices: list[Device] = []
        self.steps = 0
        self.repeatable: list[Deed] = []
        self.keys = 0

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        self.sound = False
        result = self.runner.run(coroutine)
        self.sound = True
        return result

    async def _begin(self, url: str) -> World:
        return await World(url).start()

    def teardown(self) -> None:
        try:
            if self.devices and self.sound:
                self.run(self._finish())
        finally:
            self.runner.run(self.world.stop())
            self.runner.close()
            self.taken.__exit__(None, None, None)

    async def _finish(self) -> None:
        for device in self.devices:
            if device.connected:
                await device.sync(live=False)
        await self.quiet()
        await self.look(everything=True)
        for device in self.devices:
            if device.connected:
                check_synced(device, self.model)
        await self.world.check()

    @initialize(
        kinds=st.lists(st.sampled_from(("group", "topic", "broadcast")), min_size=1, max_size=2),
        history=st.sampled_from(("all", "joined")),
    )
    def begin(self, kinds: list[str], history: str) -> None:
        self.run(self._arrive())
        for kind in kinds:
            self.create(USERS[0], kind, dict.fromkeys(USERS[:3]), False, history)

    async def _arrive(self) -> None:
        await self.world.users(*USERS)
        for user in USERS:
            for _ in range(2):
                device = Device(self.world, user)
                await device.connect()
                await device.sync(live=True)
                self.devices.append(device)

    # --- doing --------------------------------------------------------------------------------------------------------

    def place(self, number: int) -> Place:
        return self.model.places[number % len(self.model.places)]

    def actor(self, place: Place, number: int) -> str:
        """Mostly one of those who may do something there: up to 2 the first of them, from 9 on anybody."""
        there = sorted(place.joined, key=lambda user: -RANKS[place.seats[user].role])
        if not there or number > 8:
            return USERS[number % len(USERS)]
        return there[0] if number < 3 else there[number % len(there)]

    def seq(self, place: Place, number: int, *, roots: bool = False) -> int:
        """The seq of a message, the newest for 0, or of something else."""
        posts = [post.seq for post in place.posts.values() if post.counted or not roots]
        if not posts or number == 30:
            return 1 + number % place.head
        return posts[-1 - number % len(posts)]

    def do(self, *deeds: Deed, beside: Sequence[Awaitable[Any]] = ()) -> None:
        """Do these at once, and `beside` them what changes nothing."""
        self.run(self._do(deeds, beside))

    async def _do(self, deeds: Sequence[Deed], beside: Sequence[Awaitable[Any]]) -> None:
        doing = [asyncio.ensure_future(self._one(deed)) for deed in deeds]
        outcomes = await asyncio.gather(*doing)
        self.model.now = self.world.clock.now()
        for deed, outcome in zip(deeds, outcomes, strict=True):
            self._compare(deed, outcome)
        await asyncio.gather(*beside)
        await self.quiet()
        self.steps += 1
        await self.look(everything=self.steps % LOOK == 0, places=[deed.place for deed in deeds])

    async def _one(self, deed: Deed) -> Any:
        try:
            return await self.world.do(deed.operation, deed.user, idempotency_key=deed.key, **deed.params)
        except HubbubError as error:
            return error

    def _compare(self, deed: Deed, outcome: Any) -> None:
        got = outcome.code.name if isinstance(outcome, HubbubError) else "done"
        wanted, result = "done", None
        try:
            result = deed.model()
        except RefusedError as refused:
            wanted = refused.code.name
        assert got == wanted, f"{deed.operation} by {deed.user}: {outcome!r}, not {wanted}"
        if got != "done":
            return
        deed.check(outcome, result)
        if deed.key is not None and deed.operation != "messages.send":
            deed.outcome = _answer(outcome)
            self.repeatable.append(deed)

    async def quiet(self) -> None:
        """Everything that goes on has ended, and the devices have heard of it."""
        tasks = self.world.hub._tasks
        for _ in range(3):
            while tasks:
                await asyncio.wait(set(tasks))
            await self.world.settle()
        for device in self.devices:
            device.hear()
            if device.stale and device.connected:
                await device.sync(live=False)

    async def look(self, *, everything: bool, places: Sequence[Place | None] = ()) -> None:
        def check(view: View) -> None:
            if everything:
                check_all(view, self.model)
                return
            turn = self.steps % len(USERS)
            for user in (USERS[turn], USERS[turn - 2]):
                check_lists(view, self.model, user)
                for place in {id(each): each for each in places if each is not None and each.id}.values():
                    check_place(view, self.model, place, user)

        await self.world.read(check)
        for device in self.devices:
            if device.connected:
                check_live(device, self.model)

    def key(self) -> str:
        self.keys += 1
        return f"key-{self.keys}"

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

    def deed(
        self, operation: str, user: str, place: Place, model: Callable[[], Any], /, **params: Any
    ) -> Deed:
        params["conversation"] = place.id
        key = self.key() if operation not in ("receipts.mark", "messages.send") else None
        return Deed(operation, user, params, model, key=key, place=place)

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

    def adding(self, place: Place, user: str, others: list[str], role: str | None, invite: bool) -> Deed:
        given = {} if role is None else {"role": role}
        return self.deed(
            "members.add",
            user,
            place,
            lambda: self.model.add(user, place, others, role, invite),
            users=others,
            invite=invite,
            **given,
        )

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

    def removing(self, place: Place, user: str, other: str) -> Deed:
        return self.deed(
            "members.remove", user, place, lambda: self.model.remove(user, place, other), user=other
        )

    # --- messages -----------------------------------------------------------------------------------------------------

    def sending(
        self,
        place: Place,
        user: str,
        said: str,
        mentioned: tuple[str, ...] = (),
        everyone: bool = False,
        thread: int | None = None,
        reply_to: int | None = None,
        key: str | None = None,
    ) -> Deed:
        given: dict[str, Any] = {"parts": text(said)}
        if mentioned or everyone:
            given["mentions"] = {"users": mentioned, **({"everyone": "all"} if everyone else {})}
        given |= {} if thread is None else {"thread": thread}
        given |= {} if reply_to is None else {"reply_to": reply_to}

        def check(result: Any, post: Post) -> None:
            assert result.message.seq == post.seq, "the same order for everybody"
            if result.duplicate:
                assert key is not None

        deed = self.deed(
            "messages.send",
            user,
            place,
            lambda: self.model.send(user, place, said, mentioned, everyone, thread, reply_to, key),
            **given,
        )
        deed.key, deed.check = key, check
        return deed

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

    def editing(
        self, place: Place, user: str, seq: int, said: str, mentions: tuple[tuple[str, ...], bool] | None
    ) -> Deed:
        given: dict[str, Any] = {"message": seq, "parts": text(said)}
        if mentions is not None:
            mentioned, everyone = mentions
            given["mentions"] = {"users": mentioned, **({"everyone": "all"} if everyone else {})}
        return self.deed(
            "messages.edit",
            user,
            place,
            lambda: self.model.edit(user, place, seq, said, mentions),
            **given,
        )

    @precondition(lambda self: any(place.posts for place in self.model.places))
    @rule(number=numbers, who=actors, message=numbers, everybody=st.booleans())
    def delete(self, number: int, who: int, message: int, everybody: bool) -> None:
        place = self.place(number)
        user = self.actor(place, who)
        self.do(self.deleting(place, user, self.seq(place, message), everybody))

    def deleting(self, place: Place, user: str, seq: int, everybody: bool) -> Deed:
        given = {"message": seq, "for": "all" if everybody else "me"}
        return self.deed(
            "messages.delete",
            user,
            place,
            lambda: self.model.delete(user, place, seq, everybody),
            **given,
        )

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

    def reacting(self, place: Place, user: str, seq: int, name: str, added: bool) -> Deed:
        return self.deed(
            "reactions.add" if added else "reactions.remove",
            user,
            place,
            lambda: self.model.react(user, place, seq, name, added),
            message=seq,
            name=name,
        )

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
    @rule(number=numbers, who=actors, read=numbers, delivered=numbers)
    def mark(self, number: int, who: int, read: int, delivered: int) -> None:
        place = self.place(number)
        user = self.actor(place, who)
        seqs = [max(place.head - each, 0) if each else place.head + 5 for each in (read, delivered)]
        params = {"marks": [{"conversation": place.id, "read": seqs[0], "delivered": seqs[1]}]}
        self.do(Deed("receipts.mark", user, params, lambda: self.model.mark(user, place, *seqs), place=place))

    @rule(user=users, other=users, blocked=st.booleans())
    def block(self, user: str, other: str, blocked: bool) -> None:
        operation = "blocks.add" if blocked else "blocks.remove"
        params = {"user": other}
        self.do(Deed(operation, user, params, lambda: self.model.block(user, other, blocked)))

    # --- at once, and again -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.model.places)
    @rule(number=numbers, what=bursts)
    def at_once(self, number: int, what: list[tuple[int, int, str, int]]) -> None:
        self.do(*self.burst(number, what))

    def burst(self, number: int, what: list[tuple[int, int, str, int]]) -> list[Deed]:
        """Things that happen at the same time in one conversation."""
        place = self.place(number)
        deeds = []
        for kind, who, other, n in what:
            user = self.actor(place, who)
            seq, root = self.seq(place, n), self.seq(place, n, roots=True)
            match kind:
                case 0 | 1:
                    deeds.append(self.sending(place, user, f"red {n}", (other,) if n % 3 == 0 else ()))
                case 2 | 3:
                    deeds.append(self.sending(place, user, "blue", thread=root, key=f"b{n % 3}"))
                case 4:
                    deeds.append(self.deleting(place, user, seq, bool(n % 4)))
                case 5:
                    deeds.append(self.editing(place, user, seq, f"tea {n}", None))
                case 6:
                    deeds.append(self.removing(place, user, other))
                case _:
                    deeds.append(self.adding(place, user, [other], None, bool(n % 4 == 0)))
        return deeds

    @precondition(lambda self: self.repeatable)
    @rule(number=numbers)
    def again(self, number: int) -> None:
        """The same key gives the first answer, and does nothing."""
        deed = self.repeatable[-1 - number % len(self.repeatable)]

        def check(result: Any, _: Any) -> None:
            assert _answer(result) == deed.outcome, deed.operation

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

    @precondition(lambda self: any(not device.connected for device in self.devices))
    @rule()
    def much_later(self) -> None:
        """So much that sessions which are away are gone."""
        self.run(self._later())

    async def _later(self) -> None:
        for _ in range(int(self.world.config.sessions.resume_window) // 2 + 2):
            self.world.clock.advance(2.0)
            await self.quiet()


def _named(mine: Any, place: Place) -> None:
    place.id = mine.conversation.id


def _answer(result: Any) -> Any:
    """An answer that is kept with its key. What messages said is not kept, for they may be deleted."""
    told = msgspec.json.decode(msgspec.json.encode(result))
    for each in (told, told.get("conversation")):
        if isinstance(each, dict):
            each.pop("last_message", None)
    return told
