"""What one deletes for oneself, on one's other devices."""

from __future__ import annotations

import pytest
from tests.chat.talk import say
from tests.chat.world import World

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("known", [True, False])
async def test_a_device_that_was_away_is_told_what_was_deleted_for_oneself(chat: World, known: bool) -> None:
    id = await chat.group("ada", "bob")
    sent = await say(chat, id, "ada", "hello")
    token = (await chat.do("sync", "bob")).token
    await chat.do("messages.delete", "bob", conversation=id, message=sent.seq, **{"for": "me"})
    positions = {id: sent.seq} if known else {}
    (told,) = (await chat.do("sync", "bob", token=token, positions=positions)).conversations
    assert told.conversation.last_message is None
    if known:
        assert told.hidden == (sent.seq,)
    else:
        assert sent.seq not in [message.seq for message in told.messages]


async def test_threads_whose_root_one_has_deleted_for_oneself_are_told_nowhere(chat: World) -> None:
    id = await chat.group("ada", "bob", "cleo")
    roots = [await say(chat, id, "bob", words) for words in ("one", "two")]
    token = (await chat.do("sync", "bob")).token
    for root in roots:
        await say(chat, id, "ada", "a reply", thread=root.seq)
    await chat.do("messages.delete", "bob", conversation=id, message=roots[0].seq, **{"for": "me"})
    for page in (await chat.do("sync", "bob"), await chat.do("sync", "bob", token=token)):
        assert [each.root.seq for each in page.threads] == [roots[1].seq]
    listed = (await chat.do("threads.list", "bob")).threads
    assert [each.root.seq for each in listed] == [roots[1].seq]
    await chat.do("threads.follow", "cleo", conversation=id, thread=roots[0].seq)
    await say(chat, id, "ada", "more", thread=roots[0].seq)
    (of_another,) = (await chat.do("sync", "cleo")).threads
    assert of_another.root.seq == roots[0].seq
