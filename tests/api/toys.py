"""Operations that are none of the product's, to test the routes with whatever the chat can or cannot do yet."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.operations import Caller, NoParams, Operation, begin, read, run, write
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import keys

ToyId = Annotated[str, Meta(min_length=1, max_length=20, description="Which toy.")]


class PutToy(Struct, frozen=True, forbid_unknown_fields=True):
    """A toy."""

    toy: ToyId
    name: Annotated[str, Meta(max_length=10, examples=["Teddy"])]
    sizes: tuple[int, ...] = ()
    custom: Raw | UnsetType = UNSET


class FindToy(Struct, frozen=True, forbid_unknown_fields=True):
    """How it should be."""

    toy: ToyId
    size: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    ratio: float | None = None
    big: bool = False
    colors: tuple[Literal["red", "blue"], ...] = ()
    for_: Annotated[Literal["me", "all"], Meta(description="Whose.")] = field(default="me", name="for")
    named: str | None = None


class PartOfToy(Struct, frozen=True, forbid_unknown_fields=True):
    """One of its parts."""

    toy: ToyId
    part: int


class OneToy(Struct, frozen=True, forbid_unknown_fields=True):
    """Which."""

    toy: ToyId


class Toy(Struct, frozen=True, omit_defaults=True):
    """A toy, and who asked for it."""

    toy: str
    by: str = ""
    said: str = ""
    key: str | None = None


class Found(Struct, frozen=True):
    """What was asked for."""

    asked: FindToy


@write("toys.put", "PUT", "/toys/{toy}", status=201)
def put(ledger: Ledger, actor: Actor, params: PutToy) -> Toy:
    """Put a toy there.

    Raises CONFLICT if it is there.
    """
    known = ledger.execute(
        sa.select(keys.c.key).where(keys.c.scope == "toys", keys.c.key == params.toy)
    ).first()
    if known is not None:
        raise HubbubError(ErrorCode.CONFLICT, "there is one", field="toy")
    row = {"scope": "toys", "key": params.toy, "digest": "", "result": params.name, "time": 0.0}
    ledger.execute(keys.insert(), row)
    return Toy(params.toy, actor.user, params.name)


@read("toys.find", "GET", "/toys/{toy}")
def find(view: View, actor: Actor, params: FindToy) -> Found:
    """Find a toy."""
    return Found(params)


@write("toys.drop", "DELETE", "/toys/{toy}")
def drop(ledger: Ledger, actor: Actor, params: FindToy) -> Toy:
    """Drop a toy."""
    ledger.execute(keys.delete().where(keys.c.scope == "toys", keys.c.key == params.toy))
    return Toy(params.toy, actor.user, params.for_)


@begin("toys.begin", "POST", "/toys/{toy}/begin")
def begin_with(chat: Any, caller: Caller, params: OneToy) -> asyncio.Future[Toy]:
    """Begin with a toy."""
    future: asyncio.Future[Toy] = asyncio.get_running_loop().create_future()
    future.set_result(Toy(params.toy, caller.actor.user, key=caller.key))
    return future


@run("toys.who", "POST", "/toys-who")
async def who(chat: Any, caller: Caller, params: NoParams) -> Toy:
    """Say who asks."""
    return Toy("", caller.actor.user, key=caller.key)


@read("toys.list", "GET", "/toys", server=True)
def listed(view: View, actor: Actor, params: NoParams) -> Toy:
    """List them, for the server."""
    return Toy("all")


@read("toys.mine", "GET", "/toys/mine/{toy}")
def mine(view: View, actor: Actor, params: OneToy) -> Toy:
    """One of mine."""
    return Toy(params.toy, said="mine")


@read("toys.part", "GET", "/toys/{toy}/parts/{part}")
def part(view: View, actor: Actor, params: PartOfToy) -> Toy:
    """A part."""
    return Toy(params.toy, said=f"part {params.part}")


@read("toys.my_part", "GET", "/toys/{toy}/parts/me")
def my_part(view: View, actor: Actor, params: OneToy) -> Toy:
    """My own part."""
    return Toy(params.toy, said="my part")


TOYS: tuple[Operation[Any, Any], ...] = (put, find, drop, begin_with, who, listed, mine, part, my_part)
