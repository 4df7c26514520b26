from __future__ import annotations

import inspect
from typing import Any

import msgspec
import pytest

from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.handlers import Handlers, Rule
from hubbub.hub.session import Session

pytestmark = pytest.mark.anyio
NOBODY: Any = None


class Order(msgspec.Struct):
    """What is ordered."""

    item: str
    count: int = 1


class Other(msgspec.Struct):
    """Not to be told from an Order."""

    item: str


async def order(session: Session, params: Order) -> int:
    """Place an order."""
    return params.count


async def bare(session: Session) -> str:
    return "ok"


async def untyped(session: Session, anything: Any) -> Any:
    return anything


async def test_the_annotation_is_the_schema() -> None:
    handlers = Handlers()
    handlers.add("order", order)
    handler = handlers.methods["order"]
    assert (handler.params, handler.result, handler.doc) == (Order, int, "Place an order.")
    assert await handler(NOBODY, b'{"item":"tea","count":3}') == b"3"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"item":5}', "item"),
        (b'{"item":"tea","count":"x"}', "count"),
        (b"{}", "params"),
        (b"null", "params"),
    ],
)
async def test_what_does_not_fit_names_the_field(raw: bytes, field: str) -> None:
    handlers = Handlers()
    handlers.add("order", order)
    with pytest.raises(HubbubError) as failure:
        await handlers.methods["order"](NOBODY, raw)
    assert (failure.value.code, failure.value.field) == (ErrorCode.VALIDATION_FAILED, field)


async def test_handlers_without_params_ignore_what_is_sent() -> None:
    handlers = Handlers()
    handlers.add("bare", bare)
    handlers.add("untyped", untyped)
    assert await handlers.methods["bare"](NOBODY, b'{"x":1}') == b'"ok"'
    assert await handlers.methods["untyped"](NOBODY, b'{"x":[1]}') == b'{"x":[1]}'


def plain(session: Session) -> None: ...


async def none() -> None: ...


async def three(session: Session, params: Any, more: Any) -> None: ...


async def keyword(session: Session, *, params: Any) -> None: ...


async def unreadable(session: Session, params: Order | Other) -> None: ...


@pytest.mark.parametrize("function", [plain, none, three, keyword, unreadable])
def test_handlers_that_could_not_be_called_are_refused_when_registered(function: Any) -> None:
    handlers = Handlers()
    with pytest.raises(TypeError):
        handlers.add("m", function)
    assert not handlers.methods


def test_a_second_handler_of_a_method_is_refused() -> None:
    handlers = Handlers()
    handlers.add("m", bare)
    with pytest.raises(TypeError, match="already"):
        handlers.add("m", order)
    assert handlers.methods["m"].function is bare


async def rule(session: Session, channel: str) -> bool:
    return True


@pytest.mark.parametrize("function", [plain, none, bare, three])
def test_rules_must_be_async_with_a_session_and_a_channel(function: Any) -> None:
    with pytest.raises(TypeError, match="orders"):
        Rule("subscribe", "orders:*", function)
    assert Rule("subscribe", "orders:*", rule).function is rule


def test_a_rule_for_no_operation_is_refused() -> None:
    with pytest.raises(TypeError, match="subscribe, publish, history, presence"):
        Rule("read", "orders:*", rule)  # type: ignore[arg-type]


@pytest.mark.parametrize("function", [plain, none, order])
def test_hooks_must_be_async_with_a_session(function: Any) -> None:
    handlers = Handlers()
    with pytest.raises(TypeError, match="hook"):
        handlers.add_hook(handlers.connected, function)
    handlers.add_hook(handlers.connected, bare)
    assert handlers.connected == [bare]
    assert inspect.iscoroutinefunction(bare)
