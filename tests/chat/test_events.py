from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from hubbub.chat.events import (
    ConversationCreated,
    ConversationUpdated,
    LogEvent,
    MemberChanged,
    MessageCreated,
    MessageDeleted,
    MessageUpdated,
    ReactionsChanged,
    Receipt,
    Receipts,
    State,
    apply,
    decode_event,
)
from hubbub.chat.model import Conversation, Member, Message, ReactionCount

HELLO = Raw(b'{"type":"text","text":"hello"}')
CREATED = ConversationCreated(
    conversation="c",
    seq=1,
    time=1.0,
    actor="ada",
    created=Conversation("c", "group", name="X", seq=1, members=2, created=1.0),
    members=(Member("ada", "owner"), Member("bob")),
)


def begin() -> State:
    return apply(None, CREATED)


def message(seq: int, **fields: object) -> Message:
    return Message("c", seq, "ada", float(seq), (HELLO,), **fields)  # type: ignore[arg-type]


def said(seq: int, **fields: object) -> MessageCreated:
    replies = fields.pop("replies", 0)
    return MessageCreated(
        conversation="c",
        seq=seq,
        time=float(seq),
        actor="ada",
        message=message(seq, **fields),
        replies=replies,  # type: ignore[arg-type]
    )


def test_a_log_begins_with_its_creation() -> None:
    state = begin()
    assert state.conversation == CREATED.created
    assert set(state.members) == {"ada", "bob"}
    with pytest.raises(AssertionError):
        apply(None, said(2))


def test_a_message_counts_and_its_sender_has_read_it() -> None:
    state = apply(begin(), said(2, number=1))
    assert state.messages == {2: message(2, number=1)}
    conversation = state.conversation
    assert (conversation.seq, conversation.messages, conversation.last_message) == (2, 1, 2)
    assert conversation.last_activity == 2.0
    assert (state.members["ada"].read, state.members["ada"].delivered) == (2, 2)
    assert state.members["bob"].read == 0


def test_a_reply_in_a_thread_counts_at_its_root_alone() -> None:
    state = apply(apply(begin(), said(2, number=1)), said(3, thread=2, thread_number=1, replies=1))
    assert (state.messages[2].replies, state.messages[2].last_reply) == (1, 3.0)
    assert (state.conversation.messages, state.conversation.last_message, state.conversation.seq) == (1, 2, 3)
    assert state.members["ada"].read == 2


def test_a_system_message_has_a_place_and_no_number() -> None:
    system = MessageCreated(
        conversation="c", seq=2, time=2.0, message=Message("c", 2, None, 2.0, (HELLO,), "system")
    )
    state = apply(begin(), system)
    assert (state.conversation.seq, state.conversation.messages, state.conversation.last_activity) == (
        2,
        0,
        0.0,
    )
    assert 2 in state.messages


def test_what_has_become_of_a_message_takes_its_place() -> None:
    edited = message(2, number=1, version=2, edited=3.0)
    gone = Message("c", 2, "ada", 2.0, (), number=1, deleted=4.0)
    state = apply(begin(), said(2, number=1))
    state = apply(state, MessageUpdated(conversation="c", seq=3, time=3.0, message=edited))
    assert state.messages == {2: edited}
    state = apply(state, MessageDeleted(conversation="c", seq=4, time=4.0, message=gone))
    assert state.messages == {2: gone}
    assert state.conversation.seq == 4


def test_reactions_are_replaced_and_those_on_unknown_messages_left() -> None:
    hearts = (ReactionCount("heart", 1, ("bob",)),)
    state = apply(begin(), said(2, number=1))
    for about, expected in ((2, hearts), (99, hearts)):
        reacted = ReactionsChanged(
            conversation="c", seq=3, time=3.0, message=about, name="heart", added=True, reactions=hearts
        )
        state = apply(state, reacted)
        assert state.messages[2].reactions == expected
    assert set(state.messages) == {2}


def test_members_and_the_conversation_are_replaced() -> None:
    left = Member("bob", "member", "left", 2.0)
    state = apply(begin(), MemberChanged(conversation="c", seq=2, time=2.0, member=left, members=1))
    assert state.members["bob"] == left
    assert state.conversation.members == 1
    renamed = Conversation("c", "group", name="Y", seq=3, members=1, created=1.0)
    state = apply(state, ConversationUpdated(conversation="c", seq=3, time=3.0, updated=renamed))
    assert state.conversation == renamed


def test_receipts_move_cursors_and_are_in_no_log() -> None:
    state = apply(begin(), Receipts("c", (Receipt("bob", 1, 1), Receipt("stranger", 1, 1))))
    assert (state.members["bob"].read, state.members["bob"].delivered) == (1, 1)
    assert "stranger" not in state.members
    assert state.conversation.seq == 1


@pytest.mark.parametrize("event", [CREATED, said(2, number=1)], ids=["created", "message"])
def test_an_event_is_read_as_it_was_written(event: LogEvent) -> None:
    assert decode_event(msgspec.json.encode(event)) == event


def test_an_event_of_another_name_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_event(b'{"type":"conversation.exploded","conversation":"c","seq":1,"time":1}')


def test_applying_leaves_the_state_before_as_it_was() -> None:
    before = begin()
    apply(before, said(2, number=1))
    assert before == begin()
