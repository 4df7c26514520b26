from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hubbub.errors import ErrorCode, HubbubError
from hubbub.socketio.handlers import EventHandler, Namespace, Namespaces, event_handler

if TYPE_CHECKING:
    from somewhere import Unknown  # type: ignore[import-not-found]

pytestmark = pytest.mark.anyio


class Order(msgspec.Struct):
    id: int
    lines: list[str] = []


def handler(function: Any, **options: Any) -> EventHandler:
    return EventHandler.of(function, "the handler of 'x'", **options)


# --- signatures -------------------------------------------------------------------------------------------------


async def nothing(socket: Any) -> None: ...
async def one(socket: Any, data: Any) -> None: ...
async def some(socket: Any, a: Any, b: Any = 1, c: Any = 2) -> None: ...
async def all_of_them(socket: Any, *rest: Any) -> None: ...
async def one_and_more(socket: Any, a: Any, *rest: Any) -> None: ...
async def whatever(*everything: Any) -> None: ...
def plain(socket: Any, data: Any) -> None: ...


class Methods:
    async def method(self, socket: Any, data: int) -> None: ...
    async def __call__(self, socket: Any, data: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "fewest", "most", "awaits"),
    [
        (nothing, 0, 0, True),
        (one, 1, 1, True),
        (some, 1, 3, True),
        (all_of_them, 0, None, True),
        (one_and_more, 1, None, True),
        (whatever, 0, None, True),
        (plain, 1, 1, False),
        (Methods().method, 1, 1, True),
        (Methods(), 1, 1, True),
        (functools.partial(some, c=3), 1, 2, True),
        (lambda socket, data: None, 1, 1, False),
    ],
)
def test_what_a_signature_says(function: Any, fewest: int, most: int | None, awaits: bool) -> None:
    found = handler(function)
    assert (found.fewest, found.awaits) == (fewest, awaits)
    if not isinstance(function, functools.partial):  # its keyword leaves a parameter that may not be given
        assert found.most == most


@pytest.mark.parametrize(
    ("function", "options", "complaint"),
    [
        (lambda: None, {}, "at least 1 parameter: the socket first"),
        (lambda socket: None, {"names_event": True}, "at least 2 parameters"),
        (lambda a, b: None, {"names_event": True, "names_namespace": True}, "at least 3 parameters"),
        (lambda socket, *, data: None, {}, "positional arguments only"),
    ],
)
def test_what_could_never_be_called_is_refused_at_once(
    function: Any, options: dict[str, bool], complaint: str
) -> None:
    with pytest.raises(TypeError, match=complaint):
        handler(function, **options)


def test_annotations_that_no_json_fits_are_refused_at_once() -> None:
    async def receive(socket: Any, data: dict[Order, int] | list[Order] | set[int]) -> None: ...

    with pytest.raises(TypeError):
        handler(receive)


def test_names_that_only_a_type_checker_sees_are_passed_over() -> None:
    async def receive(socket: Unknown, data: Unknown) -> None: ...

    assert handler(receive).types is None


@pytest.mark.parametrize("leading", [0, 1, 2])
def test_names_stand_before_the_socket(leading: int) -> None:
    async def receive(a: str, b: str, socket: Any, c: int) -> None: ...

    found = handler(receive, names_event=leading > 0, names_namespace=leading > 1)
    assert (found.fewest, found.most) == (3 - leading, 3 - leading)


# --- arguments --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "given", "complaint"),
    [
        (nothing, [1], "takes 0 arguments, not 1"),
        (one, [], "takes 1 arguments, not 0"),
        (one, [1, 2], "takes 1 arguments, not 2"),
        (some, [], "takes 1 to 3 arguments, not 0"),
        (some, [1, 2, 3, 4], "takes 1 to 3 arguments, not 4"),
        (one_and_more, [], "takes 1 or more arguments, not 0"),
    ],
)
def test_too_few_and_too_many(function: Any, given: list[Any], complaint: str) -> None:
    with pytest.raises(HubbubError, match=complaint) as refusal:
        handler(function).arguments(given)
    assert refusal.value.code is ErrorCode.VALIDATION_FAILED


@pytest.mark.parametrize(
    ("function", "given"), [(some, [1]), (some, [1, 2, 3]), (all_of_them, []), (one, [{}])]
)
def test_what_is_not_annotated_comes_as_it_is(function: Any, given: list[Any]) -> None:
    assert handler(function).arguments(given) is given


async def typed(socket: Any, order: Order, count: int = 1, note: Any = None, *rest: str) -> None: ...


def test_what_is_annotated_is_converted() -> None:
    assert handler(typed).arguments([{"id": 1, "lines": ["a"]}]) == [Order(1, ["a"])]
    assert handler(typed).arguments([{"id": 1}, 2, {"x": 1}, 3]) == [Order(1), 2, {"x": 1}, 3]
    assert handler(Methods()).types == handler(Methods().method).types == (int,)


def test_bytes_stay_bytes() -> None:
    async def receive(socket: Any, data: bytes, pair: tuple[bytes, int]) -> None: ...

    assert handler(receive).arguments([b"\1", [b"\2", 3]]) == [b"\1", (b"\2", 3)]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([1], "arguments[0]"),
        ([{}], "arguments[0]"),
        ([{"id": 1, "lines": ["a", 2]}], "arguments[0].lines[1]"),
        ([{"id": 1}, "x"], "arguments[1]"),
    ],
)
def test_what_does_not_fit_is_named(given: list[Any], field: str) -> None:
    with pytest.raises(HubbubError) as refusal:
        handler(typed).arguments(given)
    assert (refusal.value.code, refusal.value.field) == (ErrorCode.VALIDATION_FAILED, field)


# --- one namespace ----------------------------------------------------------------------------------------------


def test_there_is_one_handler_of_each_event() -> None:
    namespace = Namespace()
    for event in ("x", "connect", "disconnect", "*"):
        namespace.add(event, all_of_them, names_namespace=False, concurrent=False)
        with pytest.raises(TypeError, match=f"there is the handler of {re.escape(repr(event))} already"):
            namespace.add(event, all_of_them, names_namespace=False, concurrent=False)
    assert set(namespace.events) == {"x", "*"}


@pytest.mark.parametrize("event", ["connect_error", "disconnecting", "newListener", "removeListener"])
def test_what_no_client_can_send_has_no_handler(event: str) -> None:
    with pytest.raises(TypeError, match="reserved"):
        Namespace().add(event, all_of_them, names_namespace=False, concurrent=False)


@pytest.mark.parametrize(
    ("event", "function", "fine"),
    [
        ("connect", lambda s: None, True),
        ("connect", lambda s, environ: None, True),
        ("connect", lambda s, environ, auth: None, True),
        ("connect", lambda s, environ, auth, more=1: None, True),
        ("connect", lambda s, environ, auth, more: None, False),
        ("disconnect", lambda s, reason: None, True),
        ("disconnect", lambda s, reason, more: None, False),
    ],
)
def test_connect_and_disconnect_take_what_there_is(event: str, function: Any, fine: bool) -> None:
    namespace = Namespace()
    if fine:
        namespace.add(event, function, names_namespace=False, concurrent=False)
    else:
        with pytest.raises(TypeError, match="too many parameters"):
            namespace.add(event, function, names_namespace=False, concurrent=False)


# --- all namespaces ---------------------------------------------------------------------------------------------


def registered(*entries: tuple[str, Any]) -> Namespaces:
    """Handlers of `event` in `namespace`, each a function that is named by its number."""
    found = Namespaces()
    for number, (event, namespace) in enumerate(entries):

        def function(*everything: Any, number: int = number) -> int:
            return number

        found.add(event, function, namespace, concurrent=False)
    return found


async def chosen(namespaces: Namespaces, namespace: str, event: str, auth: Any = None) -> int | None:
    """The number of the handler; None if there is none, -1 if there is no such namespace."""
    found = await namespaces.of(namespace, auth)
    if found is None:
        return -1
    of_event = event_handler(found, event)
    number: int | None = None if of_event is None else of_event.function()
    return number


async def test_the_most_particular_handler_is_chosen() -> None:
    every = registered(("x", "/a"), ("*", "/a"), ("x", "*"), ("*", "*"), ("y", "*"))
    assert await chosen(every, "/a", "x") == 0
    assert await chosen(every, "/a", "y") == 1
    assert await chosen(every, "/b", "x") == 2
    assert await chosen(every, "/b", "y") == 4
    assert await chosen(every, "/b", "z") == 3
    assert await chosen(every, "/", "x") == 2


async def test_a_namespace_is_there_if_something_is_registered_for_it() -> None:
    few = registered(("x", "/a"))
    assert await chosen(few, "/a", "other") is None
    assert await chosen(few, "/b", "x") == -1
    assert await chosen(few, "/", "x") is None  # it always is
    assert await chosen(Namespaces(), "/", "x") is None


async def test_patterns_are_tried_in_their_order_if_there_is_no_such_name() -> None:
    dynamic = registered(("x", re.compile(r"/a\d+")), ("x", re.compile("/a.*")), ("x", "/a1"), ("y", "*"))
    assert await chosen(dynamic, "/a1", "x") == 2
    assert await chosen(dynamic, "/a2", "x") == 0
    assert await chosen(dynamic, "/a2b", "x") == 1
    assert await chosen(dynamic, "/a2", "y") == 3
    only_the_first = registered(("x", re.compile("/a.")), ("y", re.compile("/a.*")))
    assert await chosen(only_the_first, "/a2", "y") is None
    assert await chosen(dynamic, "/b", "x") is None


async def test_handlers_of_equal_patterns_belong_together() -> None:
    dynamic = registered(("x", re.compile("/a.*")), ("y", re.compile("/a.*")))
    assert (await chosen(dynamic, "/a1", "x"), await chosen(dynamic, "/a1", "y")) == (0, 1)
    assert len(dynamic.patterns) == 1


async def test_a_predicate_decides_by_name_and_auth_and_may_wait() -> None:
    def by_name(name: str, auth: Any) -> bool:
        return name == "/named"

    async def by_auth(name: str, auth: Any) -> bool:
        return bool(auth == {"admin": True})

    dynamic = registered(("x", by_name), ("x", by_auth))
    assert await chosen(dynamic, "/named", "x") == 0
    assert await chosen(dynamic, "/other", "x", {"admin": True}) == 1
    assert await chosen(dynamic, "/other", "x", {"admin": False}) == -1


@pytest.mark.parametrize("name", ["chat", "", "/a,b"])
def test_a_name_that_no_namespace_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a namespace"):
        Namespaces().add("x", nothing, name, concurrent=False)


@pytest.mark.parametrize(
    ("entries", "several"),
    [
        ([], False),
        ([("x", "/")], False),
        ([("x", "/"), ("x", "/a")], True),
        ([("x", "*")], True),
        ([("x", re.compile("/"))], True),
    ],
)
def test_whether_there_are_others_than_the_main_one(entries: list[tuple[str, Any]], several: bool) -> None:
    assert registered(*entries).several is several
