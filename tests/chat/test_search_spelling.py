"""What a search that finds nothing proposes, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chat.talk import say
from tests.chat.world import World

pytestmark = pytest.mark.anyio


async def meant(chat: World, user: str, query: str, **params: Any) -> str | None:
    page = await chat.do("search", user, query=query, **params)
    assert page.did_you_mean is None or page.hits == ()
    found: str | None = page.did_you_mean
    return found


@pytest.mark.parametrize("order", ["relevance", "newest"])
async def test_a_typo_is_put_right(chat: World, order: str) -> None:
    group = await chat.group("ada", "bob")
    for said in (
        "The Quarterly report is late",
        "the budget, the budget",
        "a budgie",
        "Über die Straße, Zoë",
    ):
        await say(chat, group, "ada", said)
    for query, expected in {
        "quaterly": "quarterly",
        "Quaterly REPPORT": "quarterly report",
        "\u201cquaterly repport\u201d late": '"quarterly report" late',
        "budgt": "budget",  # as near as budgie, but said more often
        "report -late budgte": "report -late budget",
        "quaterl*": "quarterly*",
        "strasze -budgte": "straße -budgte",
        "uber strase": "uber straße",
        "well-budgte": "well-budget",
        "xylophonist": None,
        "late budget": None,  # both are there, only never together
        "rep": None,
        "teh": None,
        "": None,
        "-quaterly": None,
    }.items():
        assert await meant(chat, "bob", query, order=order) == expected, query
        assert await meant(chat, "bob", query, order=order, conversation=group) == expected, query
    assert await meant(chat, "bob", "report") is None
    assert await meant(chat, "bob", "quaterl", prefix=True) == "quarterly"
    assert await meant(chat, "bob", "budgxx quarterl", prefix=True) == "budget quarterl"


async def test_words_that_one_may_not_read_are_never_proposed(chat: World) -> None:
    group = await chat.group("ada", "bob", history="joined")
    first = await say(chat, group, "ada", "before eve: zeppelin")
    await chat.user("eve")
    await chat.do("members.add", "ada", conversation=group, users=["eve"])
    await say(chat, group, "ada", "after: nothing")
    hidden = await say(chat, group, "ada", "xylophone")
    await chat.do("messages.delete", "eve", conversation=group, message=hidden.seq, **{"for": "me"})
    deleted = await say(chat, group, "ada", "marimba")
    await chat.do("messages.delete", "ada", conversation=group, message=deleted.seq)
    edited = await say(chat, group, "ada", "trumpet")
    await chat.do(
        "messages.edit",
        "ada",
        conversation=group,
        message=edited.seq,
        parts=[{"type": "text", "text": "flute"}],
    )
    other = await chat.group("ada", "bob")
    await say(chat, other, "ada", "harpsichord")
    moderated = await chat.group("ada", "eve", permissions={"read": "moderator"})
    await say(chat, moderated, "ada", "bassoon")
    left = await chat.group("ada", "eve")
    await say(chat, left, "ada", "clarinet")
    await chat.do("members.leave", "eve", conversation=left)
    for query in ("zeppelim", "xylophome", "marimbo", "trumpot", "harpsichort", "bassoom", "clarinot"):
        assert await meant(chat, "eve", query) is None, query
        assert await meant(chat, "eve", query, conversation=group) is None, query
    assert await meant(chat, "eve", "nothimg") == "nothing"
    assert await meant(chat, "ada", "zeppelim") == "zeppelin"
    assert await meant(chat, "ada", "clarinot bassoom") == "clarinet bassoon"
    assert await meant(chat, "", "harpsichort") == "harpsichord"
    assert first.seq


async def test_it_asks_with_the_same_filters(chat: World) -> None:
    group = await chat.group("ada", "bob")
    root = await say(chat, group, "ada", "zeppelin")
    await say(chat, group, "bob", "marimba", thread=root.seq)
    newest = await say(chat, group, "bob", "trumpet")
    assert await meant(chat, "bob", "zeppelim", sender="bob") is None
    assert await meant(chat, "bob", "zeppelim", sender="ada") == "zeppelin"
    assert await meant(chat, "bob", "zeppelin trumpot", sender="bob") == "zeppelin trumpet"
    assert await meant(chat, "bob", "marimbo", in_thread=True) == "marimba"
    assert await meant(chat, "bob", "marimbo", in_thread=False) is None
    assert await meant(chat, "bob", "marimbo", conversation=group, thread=root.seq) == "marimba"
    assert await meant(chat, "bob", "trumpot", conversation=group, thread=root.seq) is None
    assert await meant(chat, "bob", "trumpot", after=newest.created + 1) is None
    assert await meant(chat, "bob", "trumpot", after=newest.created) == "trumpet"
    assert await meant(chat, "bob", "trumpot", before=root.created) is None
    assert await meant(chat, "bob", "zeppelim", conversation=group, before=newest.created + 1) == "zeppelin"


async def test_only_the_newest_messages_are_read(chat: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.chat.search_spelling.MESSAGES", 3)
    monkeypatch.setattr("hubbub.chat.search_recent.CONVERSATIONS", 2)
    groups = [await chat.group("ada", name=f"g{number}") for number in range(3)]
    for word in ("zeppelin", "marimba", "trumpet"):
        for group in groups:
            await say(chat, group, "ada", word)
    assert await meant(chat, "ada", "trumpot") == "trumpet"
    assert await meant(chat, "ada", "zeppelim") is None
    for number in range(3):
        await say(chat, groups[0], "ada", f"bassoon {number}")
    assert await meant(chat, "ada", "trumpot") is None
    assert await meant(chat, "ada", "bassoom") == "bassoon"
    monkeypatch.setattr("hubbub.chat.search_spelling.MESSAGES", 100)
    assert await meant(chat, "ada", "trumpot") == "trumpet"
    monkeypatch.setattr("hubbub.chat.search_spelling.WORDS", 1)
    assert await meant(chat, "ada", "trumpot bassoom") == "trumpet bassoom"


async def test_it_is_of_the_first_page_only(chat: World) -> None:
    group = await chat.group("ada")
    await say(chat, group, "ada", "zeppelin one")
    await say(chat, group, "ada", "zeppelin two")
    page = await chat.do("search", "ada", query="zeppelin", order="newest", limit=1)
    assert await meant(chat, "ada", "zeppelim", order="newest", cursor=page.next) is None
