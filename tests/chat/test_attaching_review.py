"""Files of what is under review: who has an office opens them, which is written down; nobody else does."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.attachments.pictures import png
from tests.chat import checks
from tests.chat.later import quiet
from tests.chat.review import report, staff
from tests.chat.sharing import shared, stored
from tests.chat.world import World

from hubbub.chat.sending import SEND, SendMessage, outgoing_of
from hubbub.errors import ErrorCode
from hubbub.moderation.base import Finding, Findings
from hubbub.storage.tables import audit

pytestmark = pytest.mark.anyio


async def looks(chat: World) -> list[tuple[Any, ...]]:
    """What the audit log says of files that were opened for a case."""
    names = ("actor", "user", "conversation", "message", "data")
    query = sa.select(*(audit.c[name] for name in names)).where(audit.c.act == "files.review")
    found = await chat.read(lambda view: view.execute(query.order_by(audit.c.id)).all())
    return [(*row[:4], msgspec.json.decode(row[4])) for row in found]


async def url(chat: World, who: str, file: str, **params: Any) -> str:
    found: str = (await chat.do("files.url", who, file=file, **params)).url
    return found


async def closed(chat: World, who: str, *files: str) -> None:
    """`who` opens none of them, and that leaves nothing behind."""
    for file in files:
        await chat.refused(ErrorCode.NOT_FOUND, "files.url", who, file=file)
    before = await chat.read(checks.everything)
    assert (await chat.do("files.urls", who, files=[{"file": file} for file in files])).urls == (None,) * len(
        files
    )
    assert await chat.read(checks.everything) == before


async def reported(chat: World) -> tuple[str, str, int, str]:
    """A conversation, a file that bob shows there, the message, and the case about it."""
    await staff(chat)
    id = await chat.group("ada", "bob", "cyd")
    file = (await stored(chat, "bob", png(), "cat.png")).id
    seq = await shared(chat, "bob", id, file)
    return id, file, seq, await report(chat, "ada", conversation=id, message=seq)


async def held(chat: World, id: str, user: str, file: str) -> str:
    """Have a message with a file held; the case about it."""
    raw = msgspec.json.encode({"conversation": id, "parts": [{"type": "file", "file": file}]})
    outgoing = outgoing_of(chat.chat, user, msgspec.json.decode(raw, type=SendMessage), None)
    findings = Findings("send", (Finding("rude", "hold", "", 3),))
    await chat.store.write(SEND, msgspec.structs.replace(outgoing, findings=findings))
    (case,) = (await chat.do("cases.list", "")).cases
    found: str = case.id
    return found


async def test_who_reviews_a_message_opens_its_files_and_that_is_written_down(chat: World) -> None:
    id, file, seq, case = await reported(chat)
    unseen = (await stored(chat, "bob")).id
    for who in ("mo", "chief"):
        assert file in await url(chat, who, file)
        await closed(chat, who, unseen)
    both = await chat.do("files.urls", "mo", files=[{"file": file}, {"file": unseen}, {"file": file}])
    assert [each is not None for each in both.urls] == [True, False, True]
    said = {"case": case, "file": file}
    assert await looks(chat) == [(who, "bob", id, seq, said) for who in ("mo", "chief", "mo")]


async def test_nobody_else_does(chat: World) -> None:
    _, file, _, _ = await reported(chat)
    await chat.users("eve")
    await closed(chat, "eve", file)
    # By itself and by its token the file is as closed as before: what is not written down is not opened.
    await chat.refused(ErrorCode.NOT_FOUND, "files.get", "mo", file=file)
    assert file in await url(chat, "cyd", file)
    assert await looks(chat) == [], "who may read the message needs no case"
    await chat.do("users.upsert", "", user="mo", office="none")
    await closed(chat, "mo", file)


async def test_only_as_long_as_the_case_waits(chat: World) -> None:
    _, file, _, case = await reported(chat)
    await chat.do("cases.decide", "chief", case=case, action="warn")
    await closed(chat, "mo", file)
    await chat.do("cases.appeal", "bob", case=case, text="It is my cat.")
    await url(chat, "mo", file)
    await chat.do("cases.answer", "mo", case=case, granted=False)
    await closed(chat, "mo", file)


async def test_not_what_somebody_else_works_on_nor_what_is_about_oneself(chat: World) -> None:
    _, file, _, case = await reported(chat)
    await chat.do("cases.claim", "chief", case=case)
    await closed(chat, "mo", file)
    await url(chat, "chief", file)
    chat.clock.advance(chat.config.moderation.claim_ttl + 1)
    await url(chat, "mo", file)
    id = await chat.group("ada", "chief")
    borrowed = (await stored(chat, "ada")).id
    seq = await shared(chat, "ada", id, borrowed)
    await chat.do("messages.forward", "chief", conversation=id, message=seq, to=[id])
    await chat.do("members.leave", "chief", conversation=id)
    newest = (await chat.do("messages.list", "ada", conversation=id, limit=2)).messages
    own = next(each.seq for each in newest if each.sender == "chief")
    await report(chat, "ada", conversation=id, message=own)
    await closed(chat, "chief", borrowed)
    await url(chat, "mo", borrowed)


async def test_a_held_message_is_reviewed_with_its_files(chat: World) -> None:
    await staff(chat)
    id = await chat.group("ada", "bob")
    file, other = (await stored(chat, "bob")).id, (await stored(chat, "bob")).id
    case = await held(chat, id, "bob", file)
    await url(chat, "mo", file)
    await closed(chat, "mo", other)
    await closed(chat, "ada", file)
    assert await looks(chat) == [("mo", "bob", id, None, {"case": case, "file": file})]
    await chat.do("cases.decide", "mo", case=case, action="reject")
    await chat.do("cases.appeal", "bob", case=case, text="Why?")
    await url(chat, "chief", file)
    await chat.do("cases.answer", "chief", case=case, granted=False)
    await closed(chat, "mo", file)


async def test_what_is_deleted_is_gone_for_reviewers_too(chat: World) -> None:
    id, file, seq, _ = await reported(chat)
    await chat.do("messages.delete", "bob", conversation=id, message=seq)
    await quiet(chat)
    await closed(chat, "mo", file)


async def test_thumbnails_are_opened_in_the_same_way(chat: World) -> None:
    await staff(chat)
    id = await chat.group("ada", "bob")
    file = await stored(chat, "bob", png(900, 700), "cat.png")
    assert file.facts.thumbnails
    await report(chat, "ada", conversation=id, message=await shared(chat, "bob", id, file.id))
    assert "thumbnail" in await url(chat, "mo", file.id, thumbnail=0)
    await chat.refused(ErrorCode.NOT_FOUND, "files.url", "mo", file=file.id, thumbnail=9)
    assert len(await looks(chat)) == 1
