from __future__ import annotations

import asyncio

import pytest
from msgspec import Struct

from hubbub.chat.directory import MODULES, OPERATIONS
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.operations import PREFIX, Caller, Nothing, begin, read, run, write


class Params(Struct, frozen=True):
    conversation: str = ""


def test_an_operation_is_known_by_its_function() -> None:
    @write("things.make", "POST", "/things", server=True, status=201)
    def make(ledger: Ledger, actor: Actor, params: Params) -> Nothing:
        """Make a thing. At once.

        More.
        """
        return Nothing()

    assert (make.params, make.result, make.summary) == (Params, Nothing, "Make a thing. At once")
    assert (make.kind, make.server, make.status, make.tag) == ("write", True, 201, "Things")
    assert make.lane is not None
    assert make.lane(Params("c")) == "c"


def test_what_a_begun_write_gives_is_what_its_future_does() -> None:
    @begin("things.send", "POST", "/things")
    def send(chat: object, caller: Caller, params: Params) -> asyncio.Future[Nothing]:
        """Send a thing."""
        raise NotImplementedError

    assert send.result is Nothing


def test_what_says_nothing_of_itself_is_refused() -> None:
    with pytest.raises(AssertionError, match="must say what it does"):

        @read("things.get", "GET", "/things")
        def get(view: View, actor: Actor, params: Params) -> Nothing:
            return Nothing()

    with pytest.raises(AssertionError):

        @run("things.run", "GET", "/things")
        async def go(chat: object, caller: Caller, params: Params) -> Nothing:
            return Nothing()


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_can_be_called_and_described(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation.params.__struct_config__.forbid_unknown_fields, "mass assignment"
    assert operation.params.__struct_config__.frozen
    assert operation.path.startswith("/")
    assert not name.startswith(PREFIX)
    placeholders = {piece[1:-1] for piece in operation.path.split("/") if piece.startswith("{")}
    assert placeholders <= set(operation.params.__struct_fields__)
    assert operation.summary


def test_names_and_addresses_are_each_ones_own() -> None:
    everything = [operation for module in MODULES for operation in module]
    assert len({operation.name for operation in everything}) == len(everything)
    assert len({(operation.method, operation.path) for operation in everything}) == len(everything)
