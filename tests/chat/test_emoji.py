from __future__ import annotations

from typing import Any

import pytest
from tests.chat.talk import limited
from tests.chat.world import World

from hubbub.chat.emoji import Emoji
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio
URL = "https://example.org/parrot.gif"


async def names(chat: World) -> list[str]:
    return [each.name for each in (await chat.do("emoji.list", "ada")).emoji]


async def test_emoji_are_added_and_removed(chat: World) -> None:
    await chat.user("ada", office="moderator")
    made = await chat.do("emoji.add", "ada", name="parrot", url=URL)
    assert made == Emoji("parrot", made.created, url=URL, by="ada")
    alias = await chat.do("emoji.add", "", name="bird", alias="parrot")
    assert (await chat.do("emoji.list", "ada")).emoji == (alias, made)
    again = await chat.do("emoji.add", "", name="parrot", url=URL + "2")
    assert (again.url, again.by) == (URL + "2", None)
    await chat.do("emoji.remove", "", name="parrot")
    assert await names(chat) == [], "with its aliases"
    await chat.refused(ErrorCode.NOT_FOUND, "emoji.remove", "", at="name", name="parrot")
    await chat.do("emoji.add", "", name="parrot", url=URL)
    assert await names(chat) == ["parrot"]


async def test_whose_they_are(chat: World) -> None:
    await chat.users("ada")
    await chat.refused(ErrorCode.PERMISSION_DENIED, "emoji.add", "ada", name="parrot", url=URL)
    await chat.refused(ErrorCode.PERMISSION_DENIED, "emoji.remove", "ada", name="parrot")


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"url": URL, "alias": "parrot"},
        *(
            {"url": url}
            for url in ("http://a.example/", "javascript:alert(1)", "data:image/png,x", "https://a@b/", "")
        ),
        {"alias": "new"},
        {"alias": "bird"},
        *({"url": URL, "name": name} for name in ("", "A", ":a:", "a b", "é", "a" * 65, "<b>")),
        {"url": URL, "file": "x"},
    ],
)
async def test_what_is_no_emoji(chat: World, params: dict[str, Any]) -> None:
    await chat.do("emoji.add", "", name="parrot", url=URL)
    await chat.do("emoji.add", "", name="bird", alias="parrot")
    codes = {"new": ErrorCode.NOT_FOUND}
    code = codes.get(params.get("alias", ""), ErrorCode.VALIDATION_FAILED)
    await chat.refused(code, "emoji.add", "", **{"name": "new", **params})


async def test_aliases_point_at_images(chat: World) -> None:
    await chat.do("emoji.add", "", name="parrot", url=URL)
    await chat.do("emoji.add", "", name="bird", alias="parrot")
    await chat.do("emoji.add", "", name="cat", url=URL)
    await chat.refused(ErrorCode.VALIDATION_FAILED, "emoji.add", "", at="alias", name="parrot", alias="cat")


async def test_limit(database: str) -> None:
    async with limited(database, limits={"emoji": 2}) as chat:
        await chat.users("ada")
        for name in ("a", "b", "b"):
            await chat.do("emoji.add", "", name=name, url=URL)
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "emoji.add", "", at="name", name="c", url=URL)
        await chat.do("emoji.remove", "", name="a")
        await chat.do("emoji.add", "", name="c", url=URL)
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "emoji.add", "", at="name", name="a", url=URL)
        page = await chat.do("emoji.list", "ada", limit=1)
        rest = await chat.do("emoji.list", "ada", cursor=page.next)
        assert [each.name for each in (*page.emoji, *rest.emoji)] == ["b", "c"]
