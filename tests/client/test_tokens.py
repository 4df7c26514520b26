from __future__ import annotations

import asyncio

import pytest

from hubbub.client import ClientError, signing
from hubbub.client.failures import UnreachableError
from hubbub.client.tokens import Tokens, refresh_in
from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio

NOW = 1_790_000_000.0


def token(ttl: float) -> str:
    return signing.token("s" * 32, "ada", now=NOW, ttl=ttl)


async def test_tokens_come_from_texts_functions_and_coroutines() -> None:
    async def later() -> str:
        await asyncio.sleep(0)
        return "c"

    assert [await Tokens(source).fetch() for source in (None, "a", lambda: "b", later)] == [
        None,
        "a",
        "b",
        "c",
    ]
    assert [Tokens(source).fresh for source in (None, "a", later)] == [False, False, True]
    tokens = Tokens(later)
    await tokens.fetch()
    assert tokens.last == "c"


@pytest.mark.parametrize("error", [RuntimeError("backend down"), TimeoutError()])
async def test_a_backend_that_fails_is_asked_again(error: Exception) -> None:
    def broken() -> str:
        raise error

    with pytest.raises(UnreachableError, match="no token could be had") as raised:
        await Tokens(broken).fetch()
    assert raised.value.again


@pytest.mark.parametrize("error", [ClientError("signed out"), HubbubError(ErrorCode.INVALID_TOKEN)])
async def test_an_application_can_say_that_there_will_be_none(error: Exception) -> None:
    def none() -> str:
        raise error

    with pytest.raises(type(error)) as raised:
        await Tokens(none).fetch()
    assert raised.value is error


def test_a_token_is_replaced_before_its_end() -> None:
    assert refresh_in(token(600), NOW + 600, lambda: NOW) == 540
    assert refresh_in(token(86_400), NOW + 86_400, lambda: NOW) == 86_340
    assert refresh_in(token(5), NOW + 5, lambda: NOW) == 4
    assert refresh_in(token(1), NOW + 1, lambda: NOW) == 0.5
    assert refresh_in(token(600), None) is None
    assert refresh_in("not a token", NOW + 600, lambda: NOW) == 540


@pytest.mark.parametrize("off", [-86_400.0, -3_600.0, 3_600.0, 86_400.0])
def test_a_wrong_clock_neither_floods_nor_forgets(off: float) -> None:
    """Between half a minute and the token's life, whatever this machine believes."""
    wait = refresh_in(token(600), NOW + 600, lambda: NOW + off)
    assert wait is not None
    assert 30 <= wait <= 599


def test_a_token_that_cannot_be_read_and_seems_to_have_ended() -> None:
    assert refresh_in("opaque", NOW - 100, lambda: NOW) == 9
