"""What an application adds: typed handlers of calls, rules that authorize, and hooks of a session's life."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, get_type_hints

import msgspec

from hubbub import jsondata
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.session import Session
from hubbub.model import OPERATIONS, Call, Operation, Result

Hook = Callable[..., Awaitable[Any]]
Own = Callable[[Session, Call, Callable[[Result], object]], Awaitable[Result | None]]
"""A method of the server's own: gets the session, the call and what answers it. It gives the result, or None when it
has answered by itself or will."""


@dataclass(frozen=True, slots=True)
class Handler:
    """One method that clients may call. `params` is the annotation of its second parameter; None takes none."""

    method: str
    function: Hook
    params: Any
    result: Any
    doc: str

    async def __call__(self, session: Session, raw: bytes) -> bytes:
        """Decode, run, encode. Raises VALIDATION_FAILED with the field that does not fit."""
        if self.params is None:
            value = await self.function(session)
        else:
            try:
                decoded = msgspec.json.decode(raw, type=self.params)
            except msgspec.ValidationError as error:
                message, path = jsondata.invalid_field(error)
                raise HubbubError(ErrorCode.VALIDATION_FAILED, message, field=path or "params") from None
            value = await self.function(session, decoded)
        return msgspec.json.encode(value)


@dataclass(frozen=True, slots=True)
class Rule:
    """`@app.authorize(operation, pattern)`: its verdict is final for the channels that match."""

    operation: Operation
    pattern: str
    function: Hook

    def __post_init__(self) -> None:
        """Raises TypeError for what could never be asked."""
        if self.operation not in OPERATIONS:
            raise TypeError(f"there is no operation {self.operation!r}; known are {', '.join(OPERATIONS)}")
        check_parameters(self.function, f"the rule for {self.pattern!r}", ("session", "channel"))


def check_parameters(function: Hook, what: str, names: tuple[str, ...]) -> None:
    """Raises TypeError for a `function` that is not `async` or does not take these parameters."""
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"{what} must be `async def`")
    try:
        inspect.signature(function).bind(*names)
    except TypeError:
        raise TypeError(f"{what} must take ({', '.join(names)})") from None


@dataclass(slots=True)
class Handlers:
    """All of an application's handlers; filled before the start."""

    methods: dict[str, Handler] = field(default_factory=dict)
    own: dict[str, Own] = field(default_factory=dict)
    """Methods that the server itself offers, by name. They need no task."""
    rules: list[Rule] = field(default_factory=list)
    connected: list[Hook] = field(default_factory=list)
    disconnected: list[Hook] = field(default_factory=list)
    loaded: list[Hook] = field(default_factory=list)

    def add_hook(self, hooks: list[Hook], function: Hook, parameter: str = "session") -> None:
        """Raises TypeError for one that is not `async` with one parameter."""
        check_parameters(function, f"the hook {getattr(function, '__name__', function)}", (parameter,))
        hooks.append(function)

    def add(self, method: str, function: Hook) -> None:
        """Raises TypeError for a second handler of `method`, or one that is not `async` with one or two parameters."""
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"the handler of {method!r} must be `async def`")
        if method in self.methods or method in self.own:
            raise TypeError(f"there is a handler of {method!r} already")
        parameters = list(inspect.signature(function).parameters.values())
        if not 1 <= len(parameters) <= 2:
            raise TypeError(
                f"the handler of {method!r} takes (session) or (session, params), not {len(parameters)} parameters"
            )
        check_parameters(function, f"the handler of {method!r}", ("session", "params")[: len(parameters)])
        hints = get_type_hints(function, include_extras=True)
        params = hints.get(parameters[1].name, Any) if len(parameters) == 2 else None
        handler = Handler(method, function, params, hints.get("return", Any), inspect.getdoc(function) or "")
        if params is not None:
            msgspec.json.Decoder(
                params
            )  # an annotation that msgspec cannot read is found now, not at the first call
        self.methods[method] = handler
