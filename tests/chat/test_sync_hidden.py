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
