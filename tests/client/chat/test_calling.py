from __future__ import annotations

from msgspec import UNSET

from hubbub.client.chat.calling import Operation
from hubbub.client.chat.operations import Operations
from hubbub.client.chat.operations.table import TABLE


def test_what_says_nothing_is_not_sent() -> None:
    operation = Operation("PUT", "/x", "write", None, ("avatar",))
    params = {"user": "ada", "name": UNSET, "avatar": None, "limit": None, "closed": False}
    assert operation.given(params) == {"user": "ada", "avatar": None, "closed": False}
    assert [operation.keyed, Operation("GET", "/x", "read", None).keyed] == [True, False]


def test_every_operation_is_a_method() -> None:
    async def call(*arguments: object) -> None: ...

    operations = Operations(call)  # type: ignore[arg-type]
    for name in TABLE:
        group, _, method = name.partition(".")
        there = getattr(operations, group)
        if method:
            method = method.replace(".", "_")
            assert hasattr(there, method) or hasattr(there, f"{method}_"), name
