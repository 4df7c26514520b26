"""Every id of the API with whatever may be written there, by `call` and, in part, by REST: it is no fault of the
server's, and those from outside write nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from tests.api.chat_server import ChatServer
from tests.chat import checks
from tests.chat.attempts import ATTEMPTS, Place, furnish
from tests.chat.speaking import native, request_of, rest

from hubbub.chat.directory import OPERATIONS
from hubbub.chat.paging import cursor
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio
NUMBERS = (10**6, -1, 0, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**40)
TEXTS = (
    "",
    " ",
    ".",
    "../",
    "../me",
    "me",
    "direct",
    "query",
    "%2F",
    "\0",
    "a\nb",
    "\u202e",
    "日本語",
    "👩‍👩‍👧",
    "e\u0301" * 5,
    "'; DROP TABLE users; --",
    "1",
    "1e3",
    "null",
    "true",
    "x" * 10_000,
)
OTHERS: tuple[Any, ...] = (None, True, 1.5, [], {})
VALUES: dict[str, tuple[Any, ...]] = {
    "conversation": (*TEXTS, 1, *OTHERS),
    "user": (*TEXTS, 1, *OTHERS),
    "message": (*NUMBERS, *TEXTS, *OTHERS),
    "thread": (*NUMBERS, *TEXTS, *OTHERS),
}
STORED: dict[str, tuple[Any, ...]] = {
    "conversation": ("\0", "日本語", "'; DROP TABLE users; --"),
    "user": ("\0", "日本語", "'; DROP TABLE users; --"),
    "message": (*NUMBERS, "\0"),
    "thread": (*NUMBERS, "\0"),
}
"""What could be more than one of the databases can take. The rest is the same to both: SQLite has it tried."""
REST = 5
"""One attempt of so many goes by REST, too. No number of values can be divided by it: each meets every so manieth
operation, and each operation some of them."""
CURSORS = [
    cursor(*values) for length in (1, 2, 3, 4) for values in product(("\0", 2**63, 1e308), repeat=length)
]
OF_MESSAGES = ("message", "thread")
FAULTS = (ErrorCode.INTERNAL, ErrorCode.TIMEOUT, ErrorCode.STORE_UNAVAILABLE)
OF_ANYBODY = {"blocks.add", "conversations.create", "conversations.direct"}
"""What anybody may do with users that there are."""


@pytest.fixture
async def server(database: str) -> AsyncIterator[ChatServer]:
    limits = {"command_rate": 0.0, "error_burst": 10**6}
    running = await ChatServer(database, limits=limits).start()
    yield running
    await running.world.check()
    await running.stop()


def attempts(server: ChatServer, field: str, place: Place) -> list[tuple[str, dict[str, Any]]]:
    """Each operation that the id concerns, with each value."""
    found = []
    values = (VALUES if server.world.store.dialect == "sqlite" else STORED)[field]
    for name, attempt in ATTEMPTS.items():
        if name in OPERATIONS:
            for value in (*values, *((place.group.deleted,) if field in OF_MESSAGES else ())):
                params = attempt(replace(place.group, **{field: value}))
                if params != attempt(place.group):
                    found.append((name, params))
    return found


@pytest.mark.parametrize("field", VALUES)
async def test_a_stranger_writes_nothing_and_breaks_nothing(server: ChatServer, field: str) -> None:
    place = await furnish(server.world)
    before = await server.world.read(checks.everything)
    by_rest, by_call = rest(server, "stranger"), await native(server, "stranger")
    tried = 0
    for number, (name, params) in enumerate(attempts(server, field, place)):
        if name in OF_ANYBODY:
            continue
        answers = [await by_call(name, params)]
        if number % REST == 0 and request_of(OPERATIONS[name], params) is not None:
            answers.append(await by_rest(name, params))
        for code, content in answers:
            assert code == "done" or content[0] not in FAULTS, (name, params, content)
            tried += 1
    assert tried > 50
    assert await server.world.read(checks.everything) == before


@pytest.mark.parametrize("field", VALUES)
async def test_an_owner_breaks_nothing(server: ChatServer, field: str) -> None:
    """By all ids that are wrong, the server's own operations too; what is right by chance may be done."""
    place = await furnish(server.world)
    by_call = await native(server, "ada")
    for number, (name, params) in enumerate(attempts(server, field, place)):
        by_rest = rest(server, "" if OPERATIONS[name].server else "ada")
        answers = [await by_call(name, params)]
        if number % REST == 0 and request_of(OPERATIONS[name], params) is not None:
            answers.append(await by_rest(name, params))
        for code, content in answers:
            assert code == "done" or content[0] not in FAULTS, (name, params, content)
            if code == "refused" and content[0] == ErrorCode.VALIDATION_FAILED:
                assert content[1], "it names the field"


async def test_no_field_breaks_anything(server: ChatServer) -> None:
    """Every field of every operation, with whatever JSON; cursors that nobody has given among it."""
    place = await furnish(server.world)
    by_call = await native(server, "ada")
    numbers = [each for each in NUMBERS if each < 2**64]
    strange: tuple[Any, ...] = ("\0", *numbers, 1e308)
    cursors = CURSORS[::7]
    if server.world.store.dialect == "sqlite":
        strange = (*strange, "\u202e", "x" * 300, -1e308, *OTHERS)
        cursors = CURSORS
    for name, operation in OPERATIONS.items():
        for field in operation.params.__struct_encode_fields__:
            if field in VALUES or operation.server:
                continue
            for value in (*strange, *(cursors if field in ("cursor", "token") else ())):
                code, content = await by_call(name, {**ATTEMPTS[name](place.group), field: value})
                assert code == "done" or content[0] not in FAULTS, (name, field, value, content)
