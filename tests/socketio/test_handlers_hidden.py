"""Annotations that only a type checker can resolve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hubbub.errors import HubbubError
from hubbub.socketio.handlers import EventHandler

if TYPE_CHECKING:
    from decimal import Decimal

    from hubbub.socketio import Socket


async def half_hidden(socket: Socket, number: int, price: Decimal) -> None: ...


def test_a_hidden_name_does_not_hide_the_others() -> None:
    handler = EventHandler.of(half_hidden, "the handler")
    assert list(handler.arguments([1, "9.99"])) == [1, "9.99"]
    with pytest.raises(HubbubError) as caught:
        handler.arguments(["one", "9.99"])
    assert caught.value.field == "arguments[0]"
