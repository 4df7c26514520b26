"""What a person may ask for."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from tests.chat.later import quiet
from tests.chat.talk import text
from tests.chat.world import World

from hubbub.chat.rights import SECTIONS
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def export(chat: World, actor: str, user: str, limit: int = 200) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await chat.do("rights.export", actor, user=user, limit=limit, **cursor)
        assert len(page.entries) <= limit
        found += [(each.kind, json.loads(bytes(each.data))) for each in page.entries]
        if page.next is None:
            return found
        cursor = {"cursor": page.next}


async def furnish(chat: World) -> str:
    id = await chat.group("ada", "bob")
    for number in range(4):
        sent = await chat.do("messages.send", "bob", conversation=id, parts=text(f"number {number}"))
    await chat.do("messages.send", "ada", conversation=id, parts=text("not bob's"))
    await chat.do("reactions.add", "bob", conversation=id, message=sent.message.seq, name="+1")
    await chat.do("bookmarks.add", "bob", conversation=id, message=sent.message.seq, note="remember")
    await chat.do("drafts.set", "bob", conversation=id, parts=text("unsaid"))
    await chat.do("blocks.add", "bob", user="ada")
    await chat.do("reminders.create", "bob", note="call", at=chat.clock.now() + 900)
    return id


async def test_all_that_is_kept_of_a_person_is_there_once(chat: World) -> None:
    await furnish(chat)
    whole = await export(chat, "bob", "bob")
    kinds = [kind for kind, _ in whole]
    assert kinds.count("message") == 4
    assert {"user", "membership", "reaction", "bookmark", "draft", "planned", "block"} <= set(kinds)
    messages = [data for kind, data in whole if kind == "message"]
    assert [data["parts"][0]["text"] for data in messages] == [f"number {number}" for number in range(4)]
    assert "not bob's" not in json.dumps(whole)
    for limit in (1, 3):
        assert await export(chat, "bob", "bob", limit) == whole


async def test_it_is_for_the_person_the_server_and_admins_and_written_down(chat: World) -> None:
    await furnish(chat)
    await chat.refused(ErrorCode.PERMISSION_DENIED, "rights.export", "ada", user="bob")
    await chat.refused(ErrorCode.NOT_FOUND, "rights.export", "", user="nobody")
    await chat.do("users.upsert", "", user="ada", office="admin")
    assert await export(chat, "ada", "bob", 2) == await export(chat, "", "bob")
    acts = [act for act in (await chat.do("audit.list", "")).acts if act.act == "rights.export"]
    assert [(act.actor, act.user) for act in acts] == [(None, "bob"), ("ada", "bob")]


async def test_a_cursor_of_another_list_is_refused(chat: World) -> None:
    await furnish(chat)
    for values in (
        (len(SECTIONS), None),
        (-1, None),
        (0, ["a", "b"]),
        ("x", None),
    ):
        cursor = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
        await chat.refused(ErrorCode.VALIDATION_FAILED, "rights.export", "bob", user="bob", cursor=cursor)


async def test_erasing_is_for_the_server_and_admins(chat: World) -> None:
    await furnish(chat)
    await chat.refused(ErrorCode.PERMISSION_DENIED, "rights.erase", "bob", user="bob")
    await chat.refused(ErrorCode.NOT_FOUND, "rights.erase", "", user="nobody")
    await chat.do("users.upsert", "", user="ada", office="admin")
    erasure = await chat.do("rights.erase", "ada", user="bob")
    await quiet(chat)
    acts = [(act.act, act.actor, act.user) for act in (await chat.do("audit.list", "")).acts]
    assert ("rights.erase", "ada", erasure.alias) in acts
    assert ("rights.erased", None, erasure.alias) in acts
    await chat.refused(ErrorCode.NOT_FOUND, "rights.erase", "", user=erasure.alias)


async def test_a_legal_hold_keeps_a_person(chat: World) -> None:
    await furnish(chat)
    await chat.do("retention.hold", "", subject="user", id="bob", reason="case 7")
    await chat.refused(ErrorCode.LEGAL_HOLD, "rights.erase", "", user="bob")
    await chat.do("retention.release", "", subject="user", id="bob")
    await chat.do("rights.erase", "", user="bob")
    await quiet(chat)
