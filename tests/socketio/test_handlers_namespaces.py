"""Handlers of one namespace, of those that match, and of all: how they are called, and what is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hubbub.socketio.handlers import NamespaceName, Namespaces, event_handler

pytestmark = pytest.mark.anyio

PATTERN = re.compile("/room-.*")


def by_auth(name: str, auth: Any) -> bool:
    return bool(auth)


async def everything(*arguments: Any) -> None: ...


@pytest.mark.parametrize(
    ("event", "namespace", "leading"),
    [("x", "/", 1), ("*", "/", 2), ("x", "*", 2), ("*", "*", 3), ("connect", "*", 2), ("x", PATTERN, 1)],
)
def test_a_handler_has_room_for_the_names_that_it_is_told_and_the_socket(
    event: str, namespace: NamespaceName, leading: int
) -> None:
    def few(a: Any) -> None: ...
    def enough(a: Any, b: Any) -> None: ...
    def plenty(a: Any, b: Any, c: Any) -> None: ...

    functions = (few, enough, plenty)
    Namespaces().add(event, functions[leading - 1], namespace, concurrent=False)
    for function in functions[: leading - 1]:
        with pytest.raises(TypeError, match=f"at least {leading} parameter"):
            Namespaces().add(event, function, namespace, concurrent=False)


async def test_handlers_of_all_namespaces_are_told_which_one() -> None:
    them = Namespaces()
    them.add("x", everything, "*", concurrent=True)
    them.add("*", everything, "/", concurrent=False)
    every, main = await them.of("/any", None), await them.of("/", None)
    assert every is not None
    assert main is not None
    (x, other) = (event_handler(every, "x"), event_handler(main, "x"))
    assert x is not None
    assert other is not None
    assert (x.names_namespace, x.names_event, x.concurrent) == (True, False, True)
    assert (other.names_namespace, other.names_event, other.concurrent) == (False, True, False)


@pytest.mark.parametrize("namespace", ["/", "/a", "*", PATTERN, by_auth])
@pytest.mark.parametrize("event", ["x", "*", "connect", "disconnect"])
def test_a_second_handler_is_refused_wherever_it_is(event: str, namespace: NamespaceName) -> None:
    them = Namespaces()
    them.add(event, everything, namespace, concurrent=False)
    with pytest.raises(TypeError, match="already"):
        them.add(event, everything, namespace, concurrent=False)
    them.add("y", everything, namespace, concurrent=False)
    them.add(event, everything, "/another", concurrent=False)


async def test_a_predicate_is_not_asked_for_a_namespace_that_has_a_name_and_its_failure_is_not_hidden() -> (
    None
):
    async def fails(name: str, auth: Any) -> bool:
        raise LookupError(name)

    them = Namespaces()
    them.add("x", everything, fails, concurrent=False)
    them.add("x", everything, "/named", concurrent=False)
    assert await them.of("/named", None) == (them.named["/named"],)
    with pytest.raises(LookupError):
        await them.of("/other", None)
