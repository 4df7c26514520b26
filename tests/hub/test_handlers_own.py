"""Methods that a part of the server offers by itself: called as an application's are, answered when it likes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from tests.hub.world import World, settle

from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.session import Session
from hubbub.model import Call, Raw, Result

pytestmark = pytest.mark.anyio
Answer = Callable[[Result], object]


class Part:
    """Offers `own.echo`, which answers at once, `own.later`, which answers when it is told to, and `own.refuse`."""

    def __init__(self, world: World) -> None:
        self.calls: list[tuple[Session, Call]] = []
        self.tasks: list[object] = []
        self.waiting: list[tuple[int, Answer]] = []
        world.handlers.own |= {"own.echo": self.echo, "own.later": self.later, "own.refuse": self.refuse}

    async def echo(self, session: Session, command: Call, answer: Answer) -> Result:
        self.calls.append((session, command))
        self.tasks.append(asyncio.current_task())
        return Result(command.id, Raw(command.params))

    async def later(self, session: Session, command: Call, answer: Answer) -> None:
        self.waiting.append((command.id, answer))

    async def refuse(self, session: Session, command: Call, answer: Answer) -> Result:
        raise HubbubError(ErrorCode.CONFLICT, "not now", field="n")

    def answer_all(self) -> None:
        for id, answer in self.waiting:
            answer(Result(id, Raw(b'"done"')))
        self.waiting = []


async def started(**settings: int) -> tuple[World, Part]:
    world = await World(limits=settings).start()
    return world, Part(world)


async def test_it_is_called_with_the_session_and_the_call() -> None:
    world, part = await started()
    alice = await world.connected("alice")
    reply = await alice.ask(type="call", method="own.echo", params={"n": 1}, key="k")
    assert (reply["type"], reply["result"]) == ("result", {"n": 1})
    ((session, command),) = part.calls
    assert (session.user, session.id) == ("alice", alice.session)
    assert (command.key, bytes(command.params)) == ("k", b'{"n":1}')


async def test_it_costs_no_task() -> None:
    world, part = await started()
    alice = await world.connected("alice")
    asyncio.get_running_loop().call_soon(lambda: alice.send(type="call", method="own.echo"))
    await settle()
    assert part.tasks == [None]


async def test_the_same_key_twice_is_its_own_to_judge() -> None:
    world, part = await started()
    alice = await world.connected("alice")
    for number in (1, 2):
        reply = await alice.ask(type="call", method="own.echo", params=number, key="k")
        assert reply["result"] == number
    assert len(part.calls) == 2


async def test_it_may_answer_later_and_holds_up_nobody() -> None:
    world, part = await started()
    alice = await world.connected("alice")
    first = alice.send(type="call", method="own.later")
    second = alice.send(type="call", method="own.later")
    await settle()
    assert alice.take() == []
    assert (await alice.ask(type="ping"))["type"] == "result"
    part.answer_all()
    replies = alice.take()
    assert [(each["id"], each["result"]) for each in replies] == [(first, "done"), (second, "done")]


async def test_what_it_refuses_is_refused_and_counted() -> None:
    world, _ = await started()
    alice = await world.connected("alice")
    reply = await alice.ask(type="call", method="own.refuse")
    assert (reply["code"], reply["message"], reply["field"]) == (ErrorCode.CONFLICT, "not now", "n")
    assert world.metrics.errors[int(ErrorCode.CONFLICT)] == 1


async def test_it_is_a_command_like_others_to_the_rates() -> None:
    world, _ = await started(command_rate=1, command_burst=2)
    alice = await world.connected("alice")
    assert (await alice.ask(type="call", method="own.echo"))["type"] == "result"
    late = await alice.ask(type="call", method="own.echo")
    assert late["code"] == ErrorCode.RATE_LIMITED


async def test_nobody_calls_before_connect() -> None:
    world, part = await started()
    stranger = world.client()
    assert (await stranger.ask(type="call", method="own.echo"))["code"] == ErrorCode.UNAUTHENTICATED
    assert part.calls == []


async def test_an_answer_to_one_who_is_gone_goes_nowhere() -> None:
    world, part = await started()
    alice = await world.connected("alice")
    alice.send(type="call", method="own.later")
    await settle()
    alice.drop()
    part.answer_all()
    assert alice.take() == []


async def test_an_application_cannot_take_its_name() -> None:
    world, _ = await started()

    async def echo(session: Session) -> None: ...

    with pytest.raises(TypeError, match=r"own\.echo"):
        world.handlers.add("own.echo", echo)


async def test_names_that_are_alike_are_others() -> None:
    world, _ = await started()
    alice = await world.connected("alice")
    for method in ("own", "own.", "own.echo2", "Own.echo", "own.echo\0"):
        reply = await alice.ask(type="call", method=method)
        assert (reply["code"], reply["field"]) == (ErrorCode.METHOD_NOT_FOUND, "method")
