"""What must hold of that which stands on messages: polls and checklists."""

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa

from hubbub.chat.events import State
from hubbub.chat.kinds.checklist import checklist_in
from hubbub.chat.kinds.poll import CLOSE, PollPart, poll_in
from hubbub.chat.ledger import View
from hubbub.chat.model import Annotations, Message
from hubbub.chat.rows import ConversationRow
from hubbub.storage.tables import agenda, votes

NAMED = 10


def check_standing(view: View, row: ConversationRow, fresh: State) -> None:
    """Raises AssertionError for a count that is not the count of the votes, a name that nobody may know, and a tick on
    what is not there. `fresh` is the conversation as it was read."""
    for message in fresh.messages.values():
        standing = message.annotations or Annotations()
        assert message.annotations != Annotations(), "nothing is kept as null"
        cast = sorted((user, option) for user, option in view.execute(_of(message)))
        poll = poll_in(message.parts)
        if poll is None:
            assert standing.poll is None
            assert not cast, "votes go with the poll"
        else:
            _check_poll(view, message, poll, standing, cast)
        checklist = checklist_in(message.parts)
        ids = [item.id for item in checklist.items] if checklist is not None else []
        done = [item.id for item in standing.done]
        assert len(set(done)) == len(done)
        assert set(done) <= set(ids)


def _of(message: Message) -> sa.Select[tuple[str, str]]:
    return sa.select(votes.c.user, votes.c.option).where(
        votes.c.conversation == message.conversation, votes.c.message == message.seq
    )


def _check_poll(
    view: View, message: Message, poll: PollPart, standing: Annotations, cast: list[tuple[str, str]]
) -> None:
    state = standing.poll
    assert state is not None
    assert state.voters == len({user for user, _ in cast})
    assert all(count <= poll.most for count in Counter(user for user, _ in cast).values())
    assert {option for _, option in cast} <= set(poll.ids)
    if poll.results == "always" or state.closed is not None:
        counts = Counter(option for _, option in cast)
        assert [(each.id, each.votes) for each in state.options] == [(id, counts[id]) for id in poll.ids]
    else:
        assert state.options == ()
    for each in state.options:
        if poll.anonymous:
            assert each.users == ()
        else:
            assert len(set(each.users)) == len(each.users) == min(each.votes, NAMED)
            assert {(user, each.id) for user in each.users} <= set(cast)
    planned = sa.select(agenda.c.due).where(
        agenda.c.conversation == message.conversation,
        agenda.c.message == message.seq,
        agenda.c.kind == CLOSE,
    )
    due = list(view.execute(planned).scalars())
    if state.closed is None and poll.closes is not None:
        assert due == [poll.closes], "it will be closed once"
    else:
        assert due == []
