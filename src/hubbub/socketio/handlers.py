"""What an application registers for Socket.IO: handlers of events by namespace, and how they are called."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, get_type_hints

import msgspec

from hubbub import jsondata
from hubbub.errors import ErrorCode, HubbubError
from hubbub.protocols.socketio import RESERVED

Function = Callable[..., Any]
Predicate = Callable[[str, Any], bool | Awaitable[bool]]
"""Whether a dynamic namespace exists, by its name and the client's `auth`."""
Pattern = re.Pattern[str] | Predicate
NamespaceName = str | Pattern

ANY = "*"
OWN_ARGUMENTS = {"connect": 2, "disconnect": 1}
"""How many arguments handlers of what is no event get behind the socket: environ and auth, the reason."""
_VARIABLE = (inspect.Parameter.VAR_POSITIONAL,)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class EventHandler:
    """A function and what its signature says. It is called with the event's name if it `names_event`, the namespace's
    if it `names_namespace`, the socket, and `fewest` to `most` arguments; `types` are their annotations, None where
    nothing is to be converted."""

    function: Function
    names_event: bool
    names_namespace: bool
    fewest: int
    most: int | None
    types: tuple[Any, ...] | None
    concurrent: bool
    awaits: bool

    @classmethod
    def of(
        cls,
        function: Function,
        what: str,
        *,
        names_event: bool = False,
        names_namespace: bool = False,
        concurrent: bool = False,
    ) -> EventHandler:
        """Raises TypeError for a function that takes too few parameters, or annotations that JSON cannot be."""
        parameters = list(inspect.signature(function).parameters.values())
        leading = 1 + names_event + names_namespace
        positional = [each for each in parameters if each.kind in _POSITIONAL]
        variable = any(each.kind in _VARIABLE for each in parameters)
        if len(positional) < leading and not variable:
            raise TypeError(
                f"{what} takes at least {leading} parameter{'s' * (leading > 1)}: the socket first"
            )
        own = positional[leading:]
        types = tuple(_type(function, each.name) for each in own)
        converted = any(each is not Any for each in types)
        if converted:
            for each in types:
                msgspec.json.Decoder(each)
        if any(each.kind is each.KEYWORD_ONLY and each.default is each.empty for each in parameters):
            raise TypeError(f"{what} is called with positional arguments only")
        required = sum(each.default is each.empty for each in own)
        awaits = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004
        )
        most = None if variable else len(own)
        kinds = types if converted else None
        return cls(function, names_event, names_namespace, required, most, kinds, concurrent, awaits)

    def arguments(self, values: Sequence[Any]) -> Sequence[Any]:
        """`values` as the handler's annotations want them. Raises VALIDATION_FAILED."""
        if len(values) < self.fewest or (self.most is not None and len(values) > self.most):
            wanted = str(self.fewest) if self.most == self.fewest else f"{self.fewest} or more"
            if self.most is not None and self.most != self.fewest:
                wanted = f"{self.fewest} to {self.most}"
            raise HubbubError(
                ErrorCode.VALIDATION_FAILED, f"the event takes {wanted} arguments, not {len(values)}"
            )
        if self.types is None:
            return values
        converted = list(values)
        for number, (value, kind) in enumerate(zip(values, self.types, strict=False)):
            if kind is not Any:
                try:
                    converted[number] = msgspec.convert(value, kind)
                except msgspec.ValidationError as error:
                    message, path = jsondata.invalid_field(error)
                    where = f"arguments[{number}]" + (f".{path}" if path else "")
                    raise HubbubError(ErrorCode.VALIDATION_FAILED, message, field=where) from None
        return converted


def _type(function: Function, name: str) -> Any:
    """The annotation of one parameter: alone, as those of others may name what only a type checker sees."""
    annotated = _annotated(function)
    annotations = getattr(annotated, "__annotations__", {})
    if name not in annotations:
        return Any
    alone = SimpleNamespace(__annotations__={name: annotations[name]})
    try:
        return get_type_hints(
            alone, getattr(inspect.unwrap(annotated), "__globals__", {}), include_extras=True
        )[name]
    except NameError:
        return Any  # taken as it comes


def _annotated(function: Function) -> Any:
    """What of `function` has its annotations: itself, or the method that makes an object callable."""
    if isinstance(function, functools.partial):
        return _annotated(function.func)
    return function if inspect.isroutine(function) else type(function).__call__


@dataclass(slots=True)
class Namespace:
    """The handlers of one namespace, or of all that a pattern matches."""

    events: dict[str, EventHandler] = field(default_factory=dict)
    connect: EventHandler | None = None
    disconnect: EventHandler | None = None

    def add(self, event: str, function: Function, *, names_namespace: bool, concurrent: bool) -> None:
        """Raises TypeError for a second handler of `event`, or one that could never be called."""
        what = f"the handler of {event!r}"
        if event in OWN_ARGUMENTS:
            if getattr(self, event) is not None:
                raise TypeError(f"there is {what} already")
            handler = EventHandler.of(function, what, names_namespace=names_namespace)
            if handler.fewest > OWN_ARGUMENTS[event]:
                raise TypeError(f"{what} takes too many parameters")
            setattr(self, event, handler)
            return
        if event in RESERVED:
            raise TypeError(f"{event!r} is reserved: no client can send it")
        if event in self.events:
            raise TypeError(f"there is {what} already")
        self.events[event] = EventHandler.of(
            function,
            what,
            names_event=event == ANY,
            names_namespace=names_namespace,
            concurrent=concurrent,
        )


class Namespaces:
    """All of an application's handlers. `/` is always there."""

    def __init__(self) -> None:
        self.named: dict[str, Namespace] = {}
        self.patterns: list[tuple[Pattern, Namespace]] = []

    def add(self, event: str, function: Function, namespace: NamespaceName, *, concurrent: bool) -> None:
        """Raises TypeError and ValueError for what could never be called."""
        if isinstance(namespace, str):
            if namespace != ANY and (not namespace.startswith("/") or "," in namespace):
                raise ValueError(f"{namespace!r} is not a namespace: they begin with / and have no comma")
            found = self.named.setdefault(namespace, Namespace())
        else:
            found = next((each for pattern, each in self.patterns if pattern == namespace), Namespace())
            if all(each is not found for _, each in self.patterns):
                self.patterns.append((namespace, found))
        found.add(event, function, names_namespace=namespace == ANY, concurrent=concurrent)

    @property
    def several(self) -> bool:
        """Whether there are others than `/`."""
        return bool(self.patterns) or any(name != "/" for name in self.named)

    async def of(self, name: str, auth: Any) -> tuple[Namespace, ...] | None:
        """The handlers for a namespace, the most particular first; None if there is no such namespace."""
        found = [self.named[name]] if name in self.named else []
        if not found:
            for pattern, handlers in self.patterns:
                if isinstance(pattern, re.Pattern):
                    fits: Any = pattern.fullmatch(name) is not None
                else:
                    fits = pattern(name, auth)
                    if inspect.isawaitable(fits):
                        fits = await fits
                if fits:
                    found.append(handlers)
                    break
        if (every := self.named.get(ANY)) is not None:
            found.append(every)
        return tuple(found) if found or name == "/" else None


def event_handler(handlers: Sequence[Namespace], event: str) -> EventHandler | None:
    """The handler of `event`: the most particular namespace first, in it the event's own before the catch-all."""
    for namespace in handlers:
        found = namespace.events.get(event) or namespace.events.get(ANY)
        if found is not None:
            return found
    return None
