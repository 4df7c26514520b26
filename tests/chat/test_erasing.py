"""Erasing a person: nothing of it is left, and what others have stays whole."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from tests.chat import checks
from tests.chat.later import items, quiet
from tests.chat.review import case_of, report, restrict
from tests.chat.talk import said, text
from tests.chat.world import World

from hubbub.chat import erasing
from hubbub.chat.erasing import renamed
from hubbub.chat.events import UserErased
from hubbub.chat.ledger import View, inbox_of
from hubbub.chat.rights import ALIAS
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Transaction, each
from hubbub.storage.tables import audit, users

pytestmark = pytest.mark.anyio
GONE = "zoe-the-erased"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'"old"', b'"new"'),
        (b'"older"', b'"older"'),
        (b'{"actor":"old","users":["a","old"]}', b'{"actor":"new","users":["a","new"]}'),
        (b'{"old":"x"}', b'{"old":"x"}'),
        (b'{"message":{"kind":"user","parts":["old"]}}', b'{"message":{"kind":"user","parts":["old"]}}'),
        (
            b'{"message":{"kind":"system","parts":[{"users":["old"]}]}}',
            b'{"message":{"kind":"system","parts":[{"users":["new"]}]}}',
        ),
        (b'{"custom":{"id":"old"},"by":"old","n":1.50}', b'{"custom":{"id":"old"},"by":"new","n":1.50}'),
    ],
)
def test_an_id_is_replaced_where_it_is_one(raw: bytes, expected: bytes) -> None:
    assert renamed(raw, b'"old"', b'"new"') == expected


async def erase(chat: World, user: str = GONE, **params: Any) -> str:
    """Begin, and let it be done; the alias."""
    alias: str = (await chat.do("rights.erase", "", user=user, **params)).alias
    await quiet(chat)
    assert await items(chat, erasing.KIND) == []
    return alias


async def left_of(chat: World, id: str = GONE) -> list[str]:
    """Tables in which the id still stands."""
    tables = await chat.read(checks.everything)
    return sorted(name for name, rows in tables.items() if id in repr(rows))


async def furnish(chat: World) -> tuple[str, str, str]:
    """A group, a direct conversation and a topic in which the person did what one can do."""
    group = await chat.group("ada", "bob", GONE)
    direct = await chat.direct("ada", GONE)
    topic = await chat.topic(GONE, "ada")
    root = (await chat.do("messages.send", GONE, conversation=group, parts=text("I began this"))).message
    await chat.do("messages.send", "bob", conversation=group, parts=text("a reply"), thread=root.seq)
    await chat.do("messages.send", GONE, conversation=group, parts=text("an answer"), thread=root.seq)
    await chat.do(
        "messages.send", "ada", conversation=group, parts=text("look"), mentions={"users": [GONE, "bob"]}
    )
    hers = (await chat.do("messages.send", "ada", conversation=group, parts=text("hers"))).message
    for name in ("+1", "eyes"):
        await chat.do("reactions.add", GONE, conversation=group, message=hers.seq, name=name)
    await chat.do("reactions.add", "bob", conversation=group, message=hers.seq, name="+1")
    await chat.do("messages.edit", GONE, conversation=group, message=root.seq, parts=text("I began it"))
    await chat.do("messages.forward", "ada", conversation=group, message=root.seq, to=[topic])
    await chat.do("bookmarks.add", GONE, conversation=group, message=hers.seq, note="mine")
    await chat.do("drafts.set", GONE, conversation=group, parts=text("unsaid"))
    await chat.do("blocks.add", GONE, user="bob")
    await chat.do("blocks.remove", GONE, user="bob")
    await chat.do("blocks.add", "bob", user=GONE)
    await chat.do(
        "scheduled.create", GONE, conversation=group, parts=text("later"), at=chat.clock.now() + 9_000
    )
    await chat.do("messages.send", GONE, conversation=direct, parts=text("between us"))
    await chat.do("receipts.mark", GONE, marks=[{"conversation": group, "read": hers.seq}])
    return group, direct, topic


async def test_the_id_is_nowhere_and_threads_stay_readable(chat: World) -> None:
    group, direct, _ = await furnish(chat)
    assert len(await left_of(chat)) > 8
    alias = await erase(chat)
    assert alias.startswith(ALIAS)
    assert await left_of(chat) == []
    page = await chat.do("messages.list", "bob", conversation=group)
    words = [(message.sender, *said(message)) for message in page.messages if message.kind == "user"]
    assert words == [(alias, "I began it"), ("ada", "look"), ("ada", "hers")]
    root, _, hers = [message for message in page.messages if message.kind == "user"]
    thread = await chat.do("messages.list", "bob", conversation=group, thread=root.seq)
    assert [(message.sender, *said(message)) for message in thread.messages] == [
        ("bob", "a reply"),
        (alias, "an answer"),
    ]
    state = await chat.state(group)
    assert state.members[alias].state == "left"
    assert [each.users for each in hers.reactions] == [
        (alias, "bob"),
        (alias,),
    ]
    (found,) = (await chat.do("users.query", "ada", ids=[alias])).users
    assert (found.name, found.avatar) == ("", None)
    pair = await chat.do("conversations.get", "ada", conversation=direct)
    assert (pair.peer, pair.conversation.closed) == (alias, True)
    told = [event for event in await chat.log(group) if isinstance(event, UserErased)]
    assert [event.user for event in told] == [alias]


async def test_what_it_wrote_is_deleted_if_that_is_asked_for(chat: World) -> None:
    group, direct, _ = await furnish(chat)
    alias = await erase(chat, messages="delete")
    assert await left_of(chat) == []
    for id in (group, direct):
        state = await chat.state(id)
        assert all(m.deleted is not None for m in state.messages.values() if m.sender == alias)
    assert (await chat.do("search", "ada", query="began", conversation=group)).hits == ()
    tables = await chat.read(checks.everything)
    assert "an answer" not in repr(tables)


async def test_acts_are_those_of_the_alias(chat: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done by the person, on it, and with its id somewhere in what is known of the act."""
    monkeypatch.setattr(erasing, "SPAN", 2)
    await chat.user(GONE, office="admin")
    await chat.users("bob")
    await restrict(chat, GONE, "bob", "mute", reason=f"says {GONE}")
    await restrict(chat, "", "bob", "shadow", reason=GONE)
    await chat.do("rights.export", "", user=GONE)
    await chat.do("rights.export", GONE, user="bob")
    await chat.do("users.upsert", "", user="bob", office="moderator")
    before = await every_act(chat)
    alias = await erase(chat)
    after = await every_act(chat)
    assert after[-1] | {"act": "rights.erased", "user": alias} == after[-1]

    def expected(act: dict[str, Any]) -> dict[str, Any]:
        given = {name: alias if act[name] == GONE else act[name] for name in ("actor", "user")}
        return act | given | {"data": act["data"].replace(f'"{GONE}"', f'"{alias}"')}

    assert after[: len(before)] == [expected(act) for act in before]
    assert sum(alias in (act["actor"], act["user"]) for act in after) >= 5
    assert any(f"says {GONE}" in act["data"] for act in after), "what somebody has written stays"


async def test_decisions_are_those_of_the_alias(chat: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "SPAN", 2)
    await chat.user(GONE, office="moderator")
    id = await chat.group("ada", "bob", "cleo")
    decided = []
    for words in ("one", "two", "three", "four", "five"):
        sent = (await chat.do("messages.send", "bob", conversation=id, parts=text(words))).message
        case = await report(chat, "cleo", conversation=id, message=sent.seq)
        decided.append(await chat.do("cases.decide", GONE, case=case, action="warn", text="Be kind."))
    assert all(one.decision.by == GONE for one in decided)
    alias = await erase(chat)
    assert await left_of(chat) == []
    for before in decided:
        now = await case_of(chat, before.id)
        assert now.decision is not None
        assert (now.decision.by, now.decision.text) == (alias, "Be kind.")
        assert now.parts == before.parts, "what was said stays"


async def every_act(chat: World) -> list[dict[str, Any]]:
    query = sa.select(audit).order_by(audit.c.id)
    return await chat.read(lambda view: [dict(row._mapping) for row in view.execute(query)])


@pytest.mark.parametrize(
    "values",
    [
        {"user": "erased-by-nobody"},
        {"user": "bob"},
        {"user": None},
        {"actor": "bob"},
        {"act": "nothing"},
        {"time": 1.0},
        {"data": '{"reason":"other","until":null}'},
        {"data": '{"until":null}'},
        {"data": '{"reason":"x","until":null,"more":1}'},
        {"message": 1},
        {"conversation": "c"},
    ],
)
async def test_nothing_else_of_an_act_can_be_changed(chat: World, values: dict[str, Any]) -> None:
    """Not of somebody who is being erased either."""
    await chat.users(GONE, "bob")
    await restrict(chat, "", GONE, "mute", reason="x")
    await restrict(chat, "", "bob", "mute", reason="x")
    chat.chat.agenda.handlers.pop(erasing.KIND)
    await chat.do("rights.erase", "", user=GONE)
    before = await every_act(chat)

    def change(tx: Transaction, act: str) -> None:
        tx.execute(audit.update().where(audit.c.user.in_((GONE, "bob")), audit.c.act == act).values(values))

    with pytest.raises(HubbubError):
        await chat.store.write(each("test.change", change), "restrictions.mute")
    assert await every_act(chat) == before


async def test_many_events_take_many_transactions(chat: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "BATCH", 5)
    monkeypatch.setattr(erasing, "SPAN", 3)
    await furnish(chat)
    await erase(chat, messages="delete")
    assert await left_of(chat) == []


async def test_it_can_do_nothing_while_it_is_being_erased(chat: World) -> None:
    group = await chat.group("ada", GONE)
    client = await chat.client(GONE)
    chat.chat.agenda.handlers.pop(erasing.KIND)  # nothing goes on
    await chat.do("rights.erase", "", user=GONE)
    await chat.settle()
    assert client.session not in chat.hub.sessions
    await chat.refused(
        ErrorCode.RESTRICTED, "messages.send", GONE, conversation=group, parts=text("still here")
    )
    again = await chat.do("rights.erase", "", user=GONE)
    assert again == await chat.do("rights.erase", "", user=GONE)


async def test_who_comes_back_is_somebody_new(chat: World) -> None:
    group = await chat.group("ada", GONE)
    alias = await erase(chat)
    del chat.chat.heard[inbox_of(GONE)]  # the log of somebody else
    await chat.user(GONE)
    await chat.refused(ErrorCode.NOT_FOUND, "messages.list", GONE, conversation=group)

    def ids(view: View) -> set[str]:
        return set(view.execute(sa.select(users.c.id)).scalars())

    assert await chat.read(ids) == {"ada", GONE, alias}


async def test_others_ids_that_look_alike_stay(chat: World) -> None:
    for user in ("ann", "ann_", "ann%", "xann"):
        await chat.user(user)
    group = await chat.group("ada", "ann", "ann_", "ann%", "xann")
    for user in ("ann", "ann_", "ann%", "xann"):
        await chat.do("messages.send", user, conversation=group, parts=text(f"of {user}"))
    alias = await erase(chat, "ann_")
    senders = [
        message.sender for message in (await chat.state(group)).messages.values() if message.kind == "user"
    ]
    assert senders == ["ann", alias, "ann%", "xann"]
