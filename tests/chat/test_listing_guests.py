"""What those who have not joined are shown of a conversation that one reads from joining on."""

from __future__ import annotations

import pytest
from tests.chat.talk import say
from tests.chat.world import World

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("history", ["joined", "all"])
async def test_guests_see_the_newest_message_only_where_they_may_read_it(chat: World, history: str) -> None:
    topic = await chat.topic("ada", history=history)
    sent = await say(chat, topic, "ada", "before")
    await chat.users("bob", "cyd")
    await chat.do("members.add", "ada", conversation=topic, users=["cyd"], invite=True)
    wanted = sent if history == "all" else None
    for user in ("bob", "cyd"):
        assert (await chat.do("conversations.get", user, conversation=topic)).last_message == wanted
        (found,) = (await chat.do("conversations.discover", user)).conversations
        assert found.last_message == wanted
    (invitation,) = (await chat.do("conversations.list", "cyd", state="invited")).conversations
    assert invitation.last_message == wanted
    await chat.do("members.join", "bob", conversation=topic)
    assert (await chat.do("conversations.get", "bob", conversation=topic)).last_message == wanted
    later = await say(chat, topic, "ada", "after")
    assert (await chat.do("conversations.get", "bob", conversation=topic)).last_message == later
