from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from msgspec import UNSET, Raw
from tests.chat.world import World

from hubbub.chat.events import UserUpdated
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Transaction, each
from hubbub.storage.tables import users

pytestmark = pytest.mark.anyio


async def seen(chat: World, user: str, time: float) -> None:
    """Have a user been there."""

    def write(tx: Transaction, item: str) -> None:
        tx.execute(users.update().where(users.c.id == item).values(last_seen=time))

    await chat.store.write(each("seen", write), user)


async def test_a_user_is_made_and_changed_by_what_is_given(chat: World) -> None:
    made = await chat.do(
        "users.upsert", "", user="ada", kind="agent", name="Ada", avatar="/ada.png", custom={"a": [1, None]}
    )
    assert (made.id, made.kind, made.name, made.avatar) == ("ada", "agent", "Ada", "/ada.png")
    assert made.custom == Raw(b'{"a":[1,null]}')
    assert made.created == made.updated
    changed = await chat.do("users.upsert", "", user="ada", name="Ada L.")
    assert (changed.kind, changed.name, changed.avatar, changed.custom) == (
        "agent",
        "Ada L.",
        "/ada.png",
        made.custom,
    )
    assert changed.updated > made.updated
    gone = await chat.do("users.upsert", "", user="ada", name="", avatar=None, custom=None, kind="service")
    assert (gone.kind, gone.name, gone.avatar, gone.custom) == ("service", "", None, UNSET)
    assert gone.created == made.created


async def test_a_user_is_told_of_changes_and_of_nothing_else(chat: World) -> None:
    await chat.user("ada", name="Ada")
    assert await chat.inbox("ada") == []
    await chat.user("ada", name="Ada")
    assert await chat.inbox("ada") == []
    await chat.user("ada", name="A.")
    await chat.do("me.update", "ada", name="A.")
    await chat.do("me.update", "ada", show_last_seen="nobody")
    assert [type(event) for event in await chat.inbox("ada")] == [UserUpdated, UserUpdated]


async def test_only_the_server_makes_users(chat: World) -> None:
    await chat.user("ada")
    await chat.refused(ErrorCode.PERMISSION_DENIED, "users.upsert", "ada", user="ada", name="Root")


NO_PROFILES: tuple[tuple[dict[str, Any], ErrorCode, str | None], ...] = (
    ({"name": "adm\u200bin"}, ErrorCode.VALIDATION_FAILED, "name"),
    ({"name": "a\u0000"}, ErrorCode.VALIDATION_FAILED, "name"),
    ({"name": "x" * 101}, ErrorCode.LIMIT_EXCEEDED, "name"),
    ({"avatar": "javascript:alert(1)"}, ErrorCode.VALIDATION_FAILED, "avatar"),
    ({"custom": "x" * 8_191}, ErrorCode.MESSAGE_TOO_LARGE, "custom"),
    ({"kind": "god"}, ErrorCode.VALIDATION_FAILED, "kind"),
    ({"show_last_seen": "some"}, ErrorCode.VALIDATION_FAILED, "show_last_seen"),
    ({"created": 1}, ErrorCode.VALIDATION_FAILED, None),
    ({"__proto__": {}}, ErrorCode.VALIDATION_FAILED, None),
    ({"last_seen": 1}, ErrorCode.VALIDATION_FAILED, None),
)


async def test_what_is_no_profile_is_refused(chat: World) -> None:
    await chat.user("ada")
    for fields, code, at in NO_PROFILES:
        await chat.refused(code, "users.upsert", "", user="ada", at=at, **fields)
        await chat.refused(code, "users.upsert", "", user="new", at=at, **fields)
        if "kind" not in fields:
            await chat.refused(code, "me.update", "ada", at=at, **fields)


async def test_nobody_gives_itself_a_kind(chat: World) -> None:
    await chat.user("ada")
    await chat.refused(ErrorCode.VALIDATION_FAILED, "me.update", "ada", kind="service")
    await chat.refused(ErrorCode.VALIDATION_FAILED, "me.update", "ada", id="bob")


async def test_an_id_that_no_token_has_is_refused(chat: World) -> None:
    for id in ("", "a\nb", "x" * 256, "\u0000"):
        await chat.refused(ErrorCode.VALIDATION_FAILED, "users.upsert", "", user=id, at="user")


async def test_profiles_fit_up_to_the_limits(chat: World) -> None:
    name, custom = "\U0001f600" * 100, "x" * 8_190
    made = await chat.do("users.upsert", "", user="\u00e4 b/c?", name=name, custom=custom)
    assert made.name == name
    assert len(made.custom) == 8_192
    assert (await chat.do("users.get", "", user="\u00e4 b/c?")).name == name


async def test_what_a_limit_refuses_is_counted(chat: World) -> None:
    with pytest.raises(HubbubError):
        await chat.do("users.upsert", "", user="ada", name="x" * 101)
    assert chat.metrics.rejected["name_length"] == 1


async def test_names_are_kept_normalised(chat: World) -> None:
    made = await chat.do("users.upsert", "", user="ada", name=" \uff21da\u0308 ")
    assert made.name == "Ad\u00e4"


async def test_the_twin_of_an_id_is_another_user(chat: World) -> None:
    await chat.users("caf\u00e9", "cafe\u0301", "CAF\u00c9")
    page = await chat.do("users.query", "", ids=["caf\u00e9", "cafe\u0301", "CAF\u00c9"])
    assert len(page.users) == 3


async def test_me_is_who_asks_with_settings_and_counters(chat: World) -> None:
    await chat.user("bob", name="Bob")
    group, other = await chat.group("ada", "bob"), await chat.group("ada", "bob")
    await chat.group("ada", "bob", invite=True)
    parts = [{"type": "text", "text": "hello"}]
    for conversation in (group, group, other):
        await chat.do("messages.send", "ada", conversation=conversation, parts=parts)
    me = await chat.do("me.get", "bob")
    assert (me.user.id, me.user.name, me.show_last_seen) == ("bob", "Bob", "contacts")
    assert (me.unread, me.unread_conversations, me.invitations) == (3, 2, 1)
    await chat.do("conversations.settings", "bob", conversation=other, archived=True)
    await chat.do("conversations.settings", "bob", conversation=group, muted_until=9e15)
    me = await chat.do("me.update", "bob", show_last_seen="everyone")
    assert (me.show_last_seen, me.unread, me.unread_conversations) == ("everyone", 0, 0)


async def test_the_server_is_no_user(chat: World) -> None:
    for operation in ("me.get", "me.update", "blocks.list"):
        await chat.refused(ErrorCode.BAD_REQUEST, operation, "")


async def test_nobody_acts_who_is_not_there(chat: World) -> None:
    topic = await chat.topic("ada")
    for operation, params in (
        ("me.get", {}),
        ("me.update", {"name": "Ghost"}),
        ("blocks.add", {"user": "ada"}),
        ("conversations.create", {"kind": "group"}),
        ("conversations.direct", {"user": "ada"}),
        ("members.join", {"conversation": topic}),
    ):
        fields: dict[str, Any] = dict(params)
        await chat.refused(ErrorCode.NOT_FOUND, operation, "ghost", **fields)


async def test_a_user_that_is_not_there_is_not_found(chat: World) -> None:
    await chat.refused(ErrorCode.NOT_FOUND, "users.get", "", user="nobody", at="user")


async def test_users_by_their_ids(chat: World) -> None:
    await chat.users("ada", "bob", "eve")
    page = await chat.do("users.query", "eve", ids=["bob", "nobody", "ada", "bob"])
    assert [user.id for user in page.users] == ["ada", "bob"]
    assert page.next is None


BY_PREFIX: tuple[tuple[str, list[str]], ...] = (
    ("a", ["ada", "u3"]),
    ("love", ["ada"]),
    ("LOVE", ["ada"]),
    ("ada l", ["ada"]),
    ("ovelace", []),
    ("\u00e9m", ["u3"]),
    ("\u00c9mi", ["u3"]),
    ("e\u0301m", ["u3"]),
    ("\u674e", ["u2"]),
    ("%", []),
    ("_", []),
    ("u", ["u2", "u3"]),
    ("B", ["bob"]),
)


async def test_users_by_what_an_id_or_a_word_of_a_name_begins_with(chat: World) -> None:
    await chat.user("ada", name="Ada Lovelace")
    await chat.user("bob")
    await chat.user("u2", name="\u674e\u5c0f\u9f8d")
    await chat.user("u3", name="Aur\u00e9lie \u00c9milie")
    for prefix, found in BY_PREFIX:
        page = await chat.do("users.query", "bob", prefix=prefix)
        assert [user.id for user in page.users] == found, prefix


async def test_pages_of_users_have_each_once(chat: World) -> None:
    for number in range(7):
        await chat.user(f"user{number}")
    pages, after = [], None
    while True:
        page = await chat.do("users.query", "user0", prefix="user", limit=3, cursor=after)
        pages.append([user.id for user in page.users])
        if (after := page.next) is None:
            break
        await chat.user(f"user0{len(pages)}")  # before the cursor
    assert pages == [["user0", "user1", "user2"], ["user3", "user4", "user5"], ["user6"]]


NO_QUERIES: tuple[tuple[dict[str, Any], ErrorCode, str], ...] = (
    ({}, ErrorCode.VALIDATION_FAILED, "ids"),
    ({"ids": ["a"], "prefix": "a"}, ErrorCode.VALIDATION_FAILED, "ids"),
    ({"ids": ["a"] * 201}, ErrorCode.LIMIT_EXCEEDED, "ids"),
    ({"prefix": ""}, ErrorCode.VALIDATION_FAILED, "prefix"),
    ({"prefix": "x" * 257}, ErrorCode.LIMIT_EXCEEDED, "prefix"),
    ({"prefix": "x", "limit": 0}, ErrorCode.VALIDATION_FAILED, "limit"),
    ({"prefix": "x", "limit": 201}, ErrorCode.LIMIT_EXCEEDED, "limit"),
    ({"prefix": "x", "cursor": "zz"}, ErrorCode.VALIDATION_FAILED, "cursor"),
)


async def test_a_query_that_is_none_is_refused(chat: World) -> None:
    await chat.user("ada")
    for params, code, at in NO_QUERIES:
        await chat.refused(code, "users.query", "ada", at=at, **params)


@pytest.mark.parametrize(
    ("setting", "to_contact", "to_stranger"),
    [("everyone", True, True), ("contacts", True, False), ("nobody", False, False)],
)
async def test_last_seen_is_shown_as_the_user_says(
    chat: World, setting: str, to_contact: bool, to_stranger: bool
) -> None:
    await chat.group("ada", "bob")
    await chat.topic("zoe", "ada")
    await chat.user("ada", show_last_seen=setting)
    await seen(chat, "ada", 1234.5)
    for viewer, shown in (("bob", to_contact), ("zoe", to_stranger), ("ada", True), ("", True)):
        found = await chat.do("users.get", viewer, user="ada")
        assert found.last_seen == (1234.5 if shown else None), viewer
    await chat.do("blocks.add", "ada", user="bob")
    assert (await chat.do("users.get", "bob", user="ada")).last_seen is None
    await chat.do("blocks.remove", "ada", user="bob")
    await chat.do("blocks.add", "bob", user="ada")
    assert (await chat.do("users.get", "bob", user="ada")).last_seen is None


async def test_who_has_left_is_no_contact(chat: World) -> None:
    group = await chat.group("ada", "bob")
    await seen(chat, "ada", 1234.5)
    await chat.do("members.leave", "bob", conversation=group)
    assert (await chat.do("users.get", "bob", user="ada")).last_seen is None


async def test_every_change_is_stamped_for_sync(chat: World) -> None:
    await chat.users("ada", "bob")
    query = sa.select(users.c.id, users.c.changed)

    async def stamps() -> dict[str, int]:
        return await chat.read(lambda view: {row.id: row.changed for row in view.execute(query)})

    before = await stamps()
    await chat.user("ada", name="Ada")
    after = await stamps()
    assert after["ada"] > before["ada"]
    assert after["bob"] == before["bob"]
