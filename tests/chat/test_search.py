from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.chat.talk import limited, say, text
from tests.chat.test_search_query import HOSTILE
from tests.chat.world import World

from hubbub.chat.search import Mark
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def find(world: World, user: str, query: str, **params: Any) -> list[str]:
    """The snippets of what is found."""
    page = await world.do("search", user, query=query, **params)
    return [hit.snippet for hit in page.hits]


async def found(world: World, user: str, query: str, **params: Any) -> set[str]:
    return set(await find(world, user, query, **params))


async def test_words_phrases_beginnings_and_what_must_not_be_there(chat: World) -> None:
    group = await chat.group("ada", "bob")
    for said in (
        "The quarterly report is late",
        "A report, quarterly as ever",
        "Reporting to the café",
        "see https://example.com/CAFE-bar",
    ):
        await say(chat, group, "ada", said)
    assert await found(chat, "bob", "report") == {
        "The quarterly report is late",
        "A report, quarterly as ever",
    }
    assert await found(chat, "bob", "REPORT quarterly late") == {"The quarterly report is late"}
    assert await found(chat, "bob", '"quarterly report"') == {"The quarterly report is late"}
    assert await found(chat, "bob", "report -late") == {"A report, quarterly as ever"}
    assert len(await find(chat, "bob", "repor*")) == 3
    assert len(await find(chat, "bob", "repor", prefix=True)) == 3
    assert await find(chat, "bob", "repor") == []
    assert len(await find(chat, "bob", "cafe")) == len(await find(chat, "bob", "CAFÉ")) == 2
    assert await find(chat, "bob", "example.com") == ["see https://example.com/CAFE-bar"]
    assert await find(chat, "bob", "-report") == []
    assert await find(chat, "bob", "") == []
    assert await found(chat, "bob", "report -quarterly*") == set()


async def test_writing_without_spaces(chat: World) -> None:
    group = await chat.group("ada", "bob")
    for said in (
        "東京都は雨です",
        "京都の天気",
        "ｶﾞﾗｽの窓",
        "한국어를 배워요",
        "สวัสดีครับ",
        "東と西",
        "हिन्दी में",
    ):
        await say(chat, group, "ada", said)
    for query, expected in {
        "東京": {"東京都は雨です"},
        "京都": {"東京都は雨です", "京都の天気"},
        "東京都": {"東京都は雨です"},
        "東": {"東京都は雨です", "東と西"},
        "西": {"東と西"},
        "雨 東京": {"東京都は雨です"},
        "ガラス": {"ｶﾞﾗｽの窓"},
        "한국": {"한국어를 배워요"},
        "สวัสดี": {"สวัสดีครับ"},
        "हिन्दी": {"हिन्दी में"},
        "京 -東": {"京都の天気"},
    }.items():
        assert await found(chat, "bob", query) == expected, query


async def test_filters(chat: World) -> None:
    group = await chat.group("ada", "bob")
    other = await chat.group("ada", "bob")
    first = await say(chat, group, "ada", "word one")
    second = await say(chat, group, "bob", "word two")
    await say(chat, group, "ada", "word reply", thread=first.seq)
    await say(chat, group, "bob", "word answer", thread=second.seq)
    await say(chat, other, "ada", "word elsewhere")
    everything = {"word one", "word two", "word reply", "word answer"}
    assert await found(chat, "bob", "word") == everything | {"word elsewhere"}
    assert await found(chat, "bob", "word", conversation=group) == everything
    assert await found(chat, "bob", "word", sender="bob") == {"word two", "word answer"}
    assert await found(chat, "bob", "word", conversation=group, thread=first.seq) == {
        "word one",
        "word reply",
    }
    assert await found(chat, "bob", "word", conversation=group, in_thread=True) == {
        "word reply",
        "word answer",
    }
    assert await found(chat, "bob", "word", in_thread=False, sender="ada") == {"word one", "word elsewhere"}
    before = {"conversation": group, "before": second.created}
    assert await found(chat, "bob", "word", **before) == {"word one"}
    assert await found(chat, "bob", "word", after=second.created, conversation=group) == everything - {
        "word one"
    }
    await chat.refused(ErrorCode.VALIDATION_FAILED, "search", "bob", query="x", thread=1, at="thread")
    assert await found(chat, "", "word", conversation=other) == {"word elsewhere"}
    assert await found(chat, "", "word") == everything | {"word elsewhere"}


async def test_long_before_is_found_at_once(chat: World) -> None:
    """With clocks that differ by minutes."""
    group = await chat.group("ada", "bob")
    await say(chat, group, "ada", "word one")
    chat.clock.advance(1_000.0)
    late = await say(chat, group, "ada", "word two")
    chat.clock.advance(1_000.0)
    await say(chat, group, "ada", "word three")
    assert await find(chat, "bob", "word", conversation=group, before=late.created) == ["word one"]
    assert await find(chat, "bob", "word", conversation=group, before=late.created + 1) == [
        "word two",
        "word one",
    ]


async def test_whoever_may_not_read_finds_nothing(chat: World) -> None:
    group = await chat.group("ada", "bob", "eve")
    await say(chat, group, "ada", "secret one")
    await chat.users("mallory", "zoe")
    assert len(await find(chat, "eve", "secret")) == 1
    await chat.do("members.remove", "ada", conversation=group, user="eve")
    await say(chat, group, "ada", "secret two")
    await chat.do("members.add", "ada", conversation=group, users=["zoe"], invite=True)
    for user in ("eve", "mallory", "zoe"):
        page = await chat.do("search", user, query="secret")
        assert (page.hits, page.next) == ((), None)
    for user in ("eve", "mallory"):
        await chat.refused(ErrorCode.NOT_FOUND, "search", user, query="secret", conversation=group)
    await chat.refused(ErrorCode.PERMISSION_DENIED, "search", "zoe", query="secret", conversation=group)


async def test_who_joined_later_finds_what_came_then(chat: World) -> None:
    group = await chat.group("ada", "bob", history="joined")
    await say(chat, group, "ada", "word before")
    await chat.user("eve")
    await chat.do("members.add", "ada", conversation=group, users=["eve"])
    await say(chat, group, "ada", "word after")
    assert await find(chat, "eve", "word") == ["word after"]
    assert await find(chat, "eve", "word", conversation=group) == ["word after"]


async def test_topics_are_searched_by_guests_only_by_name(chat: World) -> None:
    topic = await chat.topic("ada", name="Public")
    await say(chat, topic, "ada", "word here")
    await chat.user("guest")
    assert await find(chat, "guest", "word") == []
    assert await find(chat, "guest", "word", conversation=topic) == ["word here"]
    await chat.do("conversations.update", "ada", conversation=topic, permissions={"read": "moderator"})
    await chat.do("members.add", "ada", conversation=topic, users=["guest"])
    assert await find(chat, "guest", "word") == []
    assert await find(chat, "ada", "word") == ["word here"]
    await chat.refused(ErrorCode.PERMISSION_DENIED, "search", "guest", query="word", conversation=topic)


async def test_no_query_is_wrong(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await say(chat, group, "ada", "a b x not or and near terms")
    for query in HOSTILE:
        if "\ud800" in query:
            continue  # no JSON
        if len(query) > chat.config.limits.query_length:
            await chat.refused(ErrorCode.LIMIT_EXCEEDED, "search", "bob", query=query, at="query")
            continue
        await find(chat, "bob", query, prefix=True)
        await find(chat, "bob", query, conversation=group, order="newest")


async def test_a_query_has_a_length(database: str) -> None:
    async with limited(database, limits={"query_length": 5}) as chat:
        await chat.user("ada")
        await find(chat, "ada", "éééé")
        await find(chat, "ada", "ééééé")
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "search", "ada", query="éééééé", at="query")


async def test_highlights_are_of_what_was_written(chat: World) -> None:
    group = await chat.group("ada", "bob")
    parts = [*text("nothing"), {"type": "x", "text": "straße"}, *text("Die STRASSE,\nin 東京都")]
    await chat.do("messages.send", "ada", conversation=group, parts=parts)
    (hit,) = (await chat.do("search", "bob", query="straße 京都")).hits
    assert [(each.part, each.start, each.end) for each in hit.highlights] == [(2, 4, 11), (2, 17, 19)]
    assert hit.snippet == "Die STRASSE, in 東京都"
    assert hit.marks == (Mark(4, 11), Mark(17, 19))
    assert 0 < hit.score < 1


async def test_pages_have_all_matches_once(database: str) -> None:
    async with limited(database, chat={"search_candidates": 7}) as chat:
        group = await chat.group("ada", "bob")
        other = await chat.group("ada", "bob")
        for number in range(20):
            await say(chat, group, "ada", f"word number{number} " + "word " * (number % 3))
            await say(chat, other, "ada", f"word other{number}")
        for order in ("newest", "relevance"):
            for where, count in (({"conversation": group}, 20), ({}, 40)):
                seen: list[Any] = []
                after: str | None = None
                while True:
                    given: dict[str, Any] = {"order": order, "limit": 3, **where} | (
                        {"cursor": after} if after else {}
                    )
                    page = await chat.do("search", "bob", query="word", **given)
                    assert 0 < len(page.hits) <= 3
                    seen += page.hits
                    after = page.next
                    if after is None:
                        break
                    if order == "newest":
                        await say(chat, group, "ada", "newer words")
                ids = [(hit.message.conversation, hit.message.seq) for hit in seen]
                assert len(ids) == len(set(ids)) == count
                if order == "newest":
                    assert ids == sorted(ids, key=lambda id: -id[1]) or not where
                else:
                    scores = [hit.score for hit in seen]
                    assert scores[:7] == sorted(scores[:7], reverse=True)


async def test_cursors_of_something_else(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await say(chat, group, "ada", "word")
    await say(chat, group, "ada", "word")
    page = await chat.do("search", "bob", query="word", order="newest", limit=1)
    assert page.next is not None
    for cursor in (page.next, "x", "W10", "!", "é", "WyJyIiwtMSwwLDBd", "WyJyIiwwLDBd"):
        await chat.refused(
            ErrorCode.VALIDATION_FAILED, "search", "bob", query="word", cursor=cursor, at="cursor"
        )
    await chat.do("search", "bob", query="word", order="newest", cursor=page.next)
    await chat.refused(ErrorCode.LIMIT_EXCEEDED, "search", "bob", query="word", limit=201, at="limit")


WORDS = ["straße", "東京都", "café", "report", "re", "🎉", "ガラス", "x"]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), min_size=1, max_size=6),
    st.lists(st.sampled_from([*WORDS, "strasse", "京", "-x", "re*", '"x re"']), min_size=1, max_size=2),
)
async def test_what_is_found_is_what_has_all_the_words(
    chat: World, said: list[list[str]], asked: list[str]
) -> None:
    group = await chat.group("ada", "bob")
    for words in said:
        await say(chat, group, "ada", " ".join(words))
    wanted = [word for word in asked if not word.startswith("-")]
    expected = sorted(" ".join(words) for words in said if wanted and all(has(words, word) for word in asked))
    assert sorted(await find(chat, "bob", " ".join(asked), conversation=group)) == expected


def has(words: list[str], asked: str) -> bool:
    plain = " " + " ".join(words).replace("straße", "strasse") + " "
    if asked.startswith("-"):
        return f" {asked[1:]} " not in plain
    if asked.endswith("*"):
        return f" {asked[:-1]}" in plain
    if asked.startswith('"'):
        return f" {asked.strip(chr(34))} " in plain
    if asked in ("京", "東京都", "ガラス"):
        return asked in plain
    return f" {asked.replace('straße', 'strasse')} " in plain
