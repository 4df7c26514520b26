"""Where random users do what they do: a server, two devices of each user, and the model beside them.

Every step is done to the server and to the model. Then both must agree about what each user is shown, and each device
that follows must know what has happened from what it was told alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from hypothesis.stateful import RuleBasedStateMachine
from tests.chat.machine_devices import Device
from tests.chat.machine_live import check_live, check_synced
from tests.chat.machine_look import check_all, check_lists, check_place
from tests.chat.machine_model import Model, RefusedError
from tests.chat.machine_place import RANKS, Place, Post
from tests.chat.talk import text
from tests.chat.world import World

from hubbub.chat.ledger import View
from hubbub.errors import HubbubError

T = TypeVar("T")
USERS = ("ada", "bob", "cyd", "dan")
MOST_PLACES = 8
LOOK = 20
"""Steps after which everything is looked at."""


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


class Stage(RuleBasedStateMachine):
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
            deed.outcome = answer(outcome)
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
            user = USERS[turn]
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

    # --- what can be done at once ---------------------------------------------------------------------------------

    def deed(
        self, operation: str, user: str, place: Place, model: Callable[[], Any], /, **params: Any
    ) -> Deed:
        params["conversation"] = place.id
        key = self.key() if operation not in ("receipts.mark", "messages.send") else None
        return Deed(operation, user, params, model, key=key, place=place)

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

    def removing(self, place: Place, user: str, other: str) -> Deed:
        return self.deed(
            "members.remove", user, place, lambda: self.model.remove(user, place, other), user=other
        )

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

    def deleting(self, place: Place, user: str, seq: int, everybody: bool) -> Deed:
        given = {"message": seq, "for": "all" if everybody else "me"}
        return self.deed(
            "messages.delete",
            user,
            place,
            lambda: self.model.delete(user, place, seq, everybody),
            **given,
        )

    def reacting(self, place: Place, user: str, seq: int, name: str, added: bool) -> Deed:
        return self.deed(
            "reactions.add" if added else "reactions.remove",
            user,
            place,
            lambda: self.model.react(user, place, seq, name, added),
            message=seq,
            name=name,
        )

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


def answer(result: Any) -> Any:
    """An answer that is kept with its key. What messages said is not kept, for they may be deleted."""
    told = msgspec.json.decode(msgspec.json.encode(result))
    for each in (told, told.get("conversation")):
        if isinstance(each, dict):
            each.pop("last_message", None)
    return told
