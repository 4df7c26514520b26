from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from tests.chat.review import audited, report, restrict, staff
from tests.chat.talk import say, text
from tests.chat.world import World

from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Transaction, each
from hubbub.storage.tables import audit

pytestmark = pytest.mark.anyio


async def acts(chat: World, who: str = "", **params: Any) -> list[tuple[str, str | None]]:
    found = (await chat.do("audit.list", who, **params)).acts
    return [(act.act, act.actor) for act in found]


async def test_what_is_done_by_privilege_is_written_down(chat: World) -> None:
    id = await chat.group("ada", "bob", "eve")
    seq = (await say(chat, id, "bob", "rude")).seq
    of: dict[str, Any] = {"conversation": id}
    await chat.do("conversations.update", "ada", **of, name="Ours")
    await chat.do("messages.edit", "bob", **of, message=seq, parts=text("x"))
    assert await audited(chat) == [], "what anybody does of its own is nobody else's"
    await chat.do("members.update", "ada", **of, user="eve", role="moderator")
    await chat.do("members.update", "eve", **of, user="eve", role="member")
    await chat.do("members.update", "", **of, user="eve", role="moderator")
    await chat.do("conversations.update", "ada", **of, closed=True)
    await chat.do("conversations.update", "", **of, closed=False)
    await chat.do("messages.edit", "", **of, message=seq, parts=text("polite"))
    await chat.do("messages.delete", "eve", **of, message=seq)
    await chat.do("members.remove", "eve", **of, user="bob")
    await chat.do("members.add", "", **of, users=["bob"])
    await chat.do("members.leave", "bob", **of)
    await chat.do("users.upsert", "", user="eve", name="Eve")
    await chat.do("users.upsert", "", user="eve", name="Eve")
    await chat.do("users.upsert", "", user="eve", office="moderator")
    assert await audited(chat) == [
        ("members.update", "ada", "eve"),
        ("members.update", None, "eve"),
        ("conversations.update", "ada", None),
        ("conversations.update", None, None),
        ("messages.edit", None, "bob"),
        ("messages.delete", "eve", "bob"),
        ("members.remove", "eve", "bob"),
        ("members.add", None, "bob"),
        ("users.upsert", None, "eve"),
        ("users.office", None, "eve"),
    ]


async def test_it_is_looked_through(chat: World) -> None:
    await staff(chat)
    id = await chat.group("ada", "bob", "eve")
    await restrict(chat, "ada", "bob", "mute", conversation=id)
    await restrict(chat, "mo", "eve", "ban", reason="Spam")
    begin = chat.clock.now()
    case = await report(chat, "ada", user="bob")
    await chat.do("cases.decide", "mo", case=case, action="warn")
    for who in ("", "chief"):
        assert await acts(chat, who) == [
            ("cases.decide", "mo"),
            ("restrictions.ban", "mo"),
            ("restrictions.mute", "ada"),
            ("users.office", None),
            ("users.office", None),
        ]
    assert await acts(chat, actor="ada") == [("restrictions.mute", "ada")]
    assert await acts(chat, actor="") == [("users.office", None)] * 2
    assert await acts(chat, act="restrictions.") == [("restrictions.ban", "mo"), ("restrictions.mute", "ada")]
    assert await acts(chat, act="restrictions.mute") == [("restrictions.mute", "ada")]
    assert await acts(chat, act="restrictions") == []
    assert await acts(chat, user="eve") == [("restrictions.ban", "mo")]
    assert await acts(chat, conversation=id) == [("restrictions.mute", "ada")]
    assert await acts(chat, since=begin + 0.0001) == [("cases.decide", "mo")]
    assert len(await acts(chat, until=begin + 0.0001)) == 4
    (ban,) = (await chat.do("audit.list", "", user="eve")).acts
    assert bytes(ban.data) == b'{"until":null,"reason":"Spam"}'
    found: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = await chat.do("audit.list", "chief", limit=2, **cursor)
        found += [act.id for act in page.acts]
        if page.next is None:
            break
        cursor = {"cursor": page.next}
    assert found == sorted(found, reverse=True)
    assert len(found) == 5


async def test_it_is_for_admins(chat: World) -> None:
    await staff(chat)
    await chat.users("ada")
    for who in ("mo", "ada"):
        await chat.refused(ErrorCode.PERMISSION_DENIED, "audit.list", who)
    for wrong in ({"act": "a_"}, {"act": "%"}):
        if wrong["act"] == "%":
            await chat.refused(ErrorCode.VALIDATION_FAILED, "audit.list", "", **wrong)
        else:
            assert await acts(chat, **wrong) == []
    await chat.refused(ErrorCode.VALIDATION_FAILED, "audit.list", "", at="cursor", cursor="x")


async def test_what_is_refused_is_not_written_down(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await chat.refused(ErrorCode.PERMISSION_DENIED, "members.remove", "bob", conversation=id, user="ada")
    assert await audited(chat) == []


@pytest.mark.parametrize("how", ["update", "delete"])
async def test_nobody_changes_it_or_takes_it_out(chat: World, how: str) -> None:
    await staff(chat)

    def tamper(tx: Transaction, item: None) -> None:
        tx.execute(audit.delete() if how == "delete" else audit.update().values(act="nothing"))

    before = await audited(chat)
    with pytest.raises((HubbubError, sa.exc.DBAPIError)):
        await chat.store.write(each("tamper", tamper), None)
    assert await audited(chat) == before
