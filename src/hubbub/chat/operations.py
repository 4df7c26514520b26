"""What an operation of the chat is: one thing that can be done, by `call` on any session and by REST alike.

`@write` takes a plain function that works in a transaction (`@prepared` one for which something is awaited before it),
`@read` one that works on a snapshot, `@run` an async one that does more than that, `@begin` one that begins a write and
gives its future: one session may have many of those under way. The name is the method of `call` (with `chat.` before
it); the path is that of REST below `/v1`, whose placeholders are fields of the params; what else the params have is the
body, or for GET and DELETE the query.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, get_args, get_type_hints

from msgspec import Struct

from hubbub.chat.ledger import Actor, Ledger, View

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat
    from hubbub.hub.session import Session

P = TypeVar("P", bound=Struct)
Q = TypeVar("Q")
R = TypeVar("R")
Kind = Literal["write", "read", "run", "begin"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
PREFIX = "chat."


class Nothing(Struct, frozen=True):
    """There is nothing more to say."""


class NoParams(Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and how: `session` is there for `call`s, not for REST; `key` is the idempotency key. `answer` sends
    the result to the session before the operation has returned it, for what is to be pushed behind that."""

    actor: Actor
    session: Session | None = None
    key: str | None = None
    answer: Callable[[Any], object] | None = None


@dataclass(frozen=True, slots=True)
class Operation(Generic[P, R]):
    """See the module. `server`: for the server API alone. `lane`: what it is written in order with (a conversation's
    id); empty for most. `live`: it needs a session, so REST has it without what is live."""

    name: str
    method: Method
    path: str
    kind: Kind
    function: Callable[..., Any]
    params: type[P]
    result: type[R]
    summary: str
    server: bool
    status: int
    lane: Callable[[P], str] | None = None
    prepare: Callable[[Chat, Caller, P], Awaitable[Any]] | None = None
    keyed: bool = False
    """Whether it takes an idempotency key."""

    @property
    def tag(self) -> str:
        return self.name.partition(".")[0].capitalize()


def _operation(
    kind: Kind,
    name: str,
    method: Method,
    path: str,
    function: Callable[..., Any],
    *,
    server: bool,
    status: int,
    lane: Callable[[Any], str] | None = None,
    prepare: Callable[[Chat, Caller, Any], Awaitable[Any]] | None = None,
    keyed: bool = False,
) -> Operation[Any, Any]:
    hints = get_type_hints(function, include_extras=True, localns=_late())
    names = list(hints)
    assert function.__doc__, f"{name} must say what it does"
    result = hints["return"]
    if kind == "begin":
        (result,) = get_args(result)
    return Operation(
        name,
        method,
        path,
        kind,
        function,
        hints[names[2]],
        result,
        function.__doc__.partition("\n")[0].rstrip("."),
        server,
        status,
        lane,
        prepare,
        keyed or kind in ("write", "begin"),
    )


def _late() -> dict[str, Any]:
    """Names that only type checkers see otherwise."""
    return {"Chat": Any}


def _of_conversation(params: Any) -> str:
    return str(getattr(params, "conversation", ""))


def write(
    name: str, method: Method, path: str, *, server: bool = False, status: int = 200
) -> Callable[[Callable[[Ledger, Actor, P], R]], Operation[P, R]]:
    """`def function(ledger, actor, params) -> result`: runs in a transaction, and takes an idempotency key."""

    def make(function: Callable[[Ledger, Actor, P], R]) -> Operation[P, R]:
        return _operation(
            "write", name, method, path, function, server=server, status=status, lane=_of_conversation
        )

    return make


def prepared(
    name: str,
    method: Method,
    path: str,
    prepare: Callable[[Chat, Caller, P], Awaitable[Q]],
) -> Callable[[Callable[[Ledger, Actor, P, Q | None], R]], Operation[P, R]]:
    """As `write`, for what must wait for more before its transaction: the function gets what `prepare` has given."""

    def make(function: Callable[[Ledger, Actor, P, Q | None], R]) -> Operation[P, R]:
        return _operation(
            "write",
            name,
            method,
            path,
            function,
            server=False,
            status=200,
            lane=_of_conversation,
            prepare=prepare,
        )

    return make


def read(
    name: str, method: Method, path: str, *, server: bool = False
) -> Callable[[Callable[[View, Actor, P], R]], Operation[P, R]]:
    """`def function(view, actor, params) -> result`: runs on a snapshot."""

    def make(function: Callable[[View, Actor, P], R]) -> Operation[P, R]:
        return _operation("read", name, method, path, function, server=server, status=200)

    return make


def run(
    name: str, method: Method, path: str, *, server: bool = False, status: int = 200, keyed: bool = False
) -> Callable[[Callable[[Chat, Caller, P], Awaitable[R]]], Operation[P, R]]:
    """`async def function(chat, caller, params) -> result`; `keyed`: it sees to `caller.key` itself."""

    def make(function: Callable[[Chat, Caller, P], Awaitable[R]]) -> Operation[P, R]:
        return _operation("run", name, method, path, function, server=server, status=status, keyed=keyed)

    return make


def begin(
    name: str, method: Method, path: str, *, server: bool = False, status: int = 200
) -> Callable[[Callable[[Chat, Caller, P], asyncio.Future[R]]], Operation[P, R]]:
    """`def function(chat, caller, params) -> Future[result]`: the write is in the queue when it returns."""

    def make(function: Callable[[Chat, Caller, P], asyncio.Future[R]]) -> Operation[P, R]:
        return _operation("begin", name, method, path, function, server=server, status=status)

    return make
