"""Votes in polls, and closing them. A message carries how its poll stands; `votes` has who has voted for what.

What everybody is told (the annotation, its event) holds only what everybody may know: no counts before a poll is closed
whose results come later, and nobody's name where a poll is anonymous, not even as who made the event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from hubbub.chat import agenda, limits
from hubbub.chat.kinds.poll import CLOSE, PollPart, poll_in, untouched
from hubbub.chat.ledger import SERVER, Actor, Ledger, View
from hubbub.chat.messages import ByMessage, find, in_shadow, writable
from hubbub.chat.model import Annotations, ConversationId, Message, PollOption, PollState, Seq, UserId
from hubbub.chat.operations import read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.reactions import NAMED
from hubbub.chat.restraint import shadowed
from hubbub.chat.rows import ConversationRow
from hubbub.chat.users import myself
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.tables import votes

OptionId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=20,
        pattern=r"^[0-9-]+$(?!\n)",
        description="Id of the option.",
        examples=["2"],
    ),
]


class Vote(Struct, frozen=True, forbid_unknown_fields=True):
    """All that one votes for; it replaces what one has voted for before."""

    conversation: ConversationId
    message: Seq
    options: Annotated[tuple[OptionId, ...], Meta(min_length=1, max_length=1_000)]


class ListVoters(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of all votes in a poll, or of those for one `option`."""

    conversation: ConversationId
    message: Seq
    option: OptionId | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class Poll(Struct, frozen=True, omit_defaults=True):
    """How a poll stands for who asks: with counts, if `results` are to be seen already. `mine` is what one has voted
    for."""

    conversation: str
    message: int
    poll: PollState
    mine: tuple[str, ...] = ()
    results: bool = False


class Voter(Struct, frozen=True):
    """One user's vote for one option."""

    option: str
    user: str
    time: float


class VoterPage(Struct, frozen=True, omit_defaults=True):
    """Votes by user. `next` is absent on the last page."""

    votes: tuple[Voter, ...]
    next: str | None = None


# --- voting -------------------------------------------------------------------------------------------------------


@write("polls.vote", "PUT", "/conversations/{conversation}/messages/{message}/poll/vote")
def vote(ledger: Ledger, actor: Actor, params: Vote) -> Poll:
    """Vote in a poll, or change one's vote.

    It takes the permission to react. Raises NOT_FOUND (of an option, too), PERMISSION_DENIED, CONVERSATION_CLOSED,
    MESSAGE_DELETED, CONFLICT for a poll that is closed, and VALIDATION_FAILED for more options than it allows.
    """
    return _change(ledger, actor, params, params.options)


@write("polls.retract", "DELETE", "/conversations/{conversation}/messages/{message}/poll/vote")
def retract(ledger: Ledger, actor: Actor, params: ByMessage) -> Poll:
    """Take one's vote back. It is no error if there was none.

    Raises NOT_FOUND, PERMISSION_DENIED, CONVERSATION_CLOSED, MESSAGE_DELETED, and CONFLICT for a poll that is closed.
    """
    return _change(ledger, actor, params, ())


def _change(ledger: Ledger, actor: Actor, params: Vote | ByMessage, options: Sequence[str]) -> Poll:
    user = myself(actor)
    row, member = ledger.access(actor, params.conversation, "react", lock=True)
    writable(ledger, actor, row)
    _, message = find(ledger, actor, row, member, params.message)
    poll, state = _poll(message)
    if state.closed is not None or (poll.closes is not None and poll.closes <= ledger.now):
        raise HubbubError(ErrorCode.CONFLICT, "the poll is closed", field="message")
    chosen = _chosen(poll, options)
    before = _votes_of(ledger, message, user)
    if before == chosen:
        return _view(ledger, actor, message, poll, state)
    named = None if poll.anonymous else user
    if chosen and _in_vain(ledger, actor, row, message):
        return _pretended(ledger, message, poll, state, before, chosen, named)
    of_user = (*_of(message), votes.c.user == user)
    ledger.execute(votes.delete().where(*of_user, votes.c.option.in_(before - chosen)))
    columns = ("conversation", "message", "user", "option", "time")
    rows = [(row.id, message.seq, user, option, ledger.now) for option in sorted(chosen - before)]
    bulk.insert(ledger.tx, votes, columns, rows)
    moved = replace(state, voters=state.voters + bool(chosen) - bool(before))
    if poll.results == "always":
        moved = replace(moved, options=tuple(_moved(ledger, message, moved, before, chosen, named)))
    if moved != state:
        _stand(ledger, row, message, moved, SERVER if poll.anonymous else actor)
    return _view(ledger, actor, message, poll, moved)


def _pretended(
    view: View,
    message: Message,
    poll: PollPart,
    state: PollState,
    before: set[str],
    chosen: set[str],
    named: str | None,
) -> Poll:
    """How the poll would stand. Nothing is written: others do not learn of the vote."""
    shown = poll.results != "closed"
    now = counted(view, message, poll) if shown else state
    now = replace(now, voters=now.voters + (not before))
    if shown:
        now = replace(now, options=tuple(_moved(view, message, now, before, chosen, named)))
    return Poll(message.conversation, message.seq, now, tuple(id for id in poll.ids if id in chosen), shown)


def _in_vain(view: View, actor: Actor, row: ConversationRow, message: Message) -> bool:
    """Whether it only looks done to the actor. Of a message that nobody else sees nobody hears anyway."""
    return not (actor.server or in_shadow(message)) and shadowed(view.restraints(actor.user), row.id)


def _chosen(poll: PollPart, options: Sequence[str]) -> set[str]:
    for option in options:
        if option not in poll.ids:
            raise HubbubError(ErrorCode.NOT_FOUND, "options: there is no such option", field="options")
    chosen = set(options)
    if len(chosen) > poll.most:
        raise HubbubError(
            ErrorCode.VALIDATION_FAILED, f"options: one may vote for {poll.most} at the most", field="options"
        )
    return chosen


def _moved(
    view: View, message: Message, state: PollState, before: set[str], chosen: set[str], user: str | None
) -> Iterable[PollOption]:
    """The options after somebody has changed its vote, without counting anew."""
    for option in state.options:
        count, users = option.votes, option.users
        if option.id in chosen - before:
            count += 1
            if user is not None and len(users) < NAMED:
                users = (*users, user)
        elif option.id in before - chosen:
            count -= 1
            if user in users:
                users = tuple(each for each in _first(view, message, option.id) if each != user)
        yield PollOption(option.id, count, users)


# --- closing ------------------------------------------------------------------------------------------------------


@write("polls.close", "POST", "/conversations/{conversation}/messages/{message}/poll/close")
def close(ledger: Ledger, actor: Actor, params: ByMessage) -> Poll:
    """Close a poll: nobody votes any more, and everybody sees the results.

    It is for who has sent it, and for moderators. To close twice is to close once. Raises NOT_FOUND, PERMISSION_DENIED,
    CONVERSATION_CLOSED and MESSAGE_DELETED.
    """
    row, member = ledger.access(actor, params.conversation, "read", lock=True)
    _, message = find(ledger, actor, row, member, params.message)
    poll, state = _poll(message)
    own = message.sender == (actor.user or None)
    if not own and not ledger.moderates(actor, row):
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED, "permission denied: it is another's poll", field="message"
        )
    if not actor.server:
        writable(ledger, actor, row)
    if state.closed is None and _in_vain(ledger, actor, row, message):
        state = replace(counted(ledger, message, poll), closed=ledger.now, closed_by=actor.user)
    elif state.closed is None:
        if not own:
            ledger.audit(actor, "polls.close", conversation=row.id, user=message.sender, message=message.seq)
        agenda.cancel(ledger, CLOSE, conversation=row.id, message=message.seq)
        state = _close(ledger, row, message, poll, actor)
    return _view(ledger, actor, message, poll, state)


def _close(ledger: Ledger, row: ConversationRow, message: Message, poll: PollPart, actor: Actor) -> PollState:
    state = replace(counted(ledger, message, poll), closed=ledger.now, closed_by=actor.user or None)
    _stand(ledger, row, message, state, actor)
    return state


def _due(ledger: Ledger, item: agenda.Item, prepared: None) -> None:
    row = None if item.conversation is None else ledger.find(item.conversation, lock=True)
    if row is None or item.message is None:
        return
    try:
        _, message = find(ledger, SERVER, row, None, item.message)
        poll, state = _poll(message)
    except HubbubError:  # by now there is none
        return
    if state.closed is None and poll.closes is not None and poll.closes <= ledger.now:
        _close(ledger, row, message, poll, SERVER)


# --- looking ------------------------------------------------------------------------------------------------------


@read("polls.get", "GET", "/conversations/{conversation}/messages/{message}/poll")
def get(view: View, actor: Actor, params: ByMessage) -> Poll:
    """How a poll stands, with one's own votes.

    The results are there if they are for everybody, the poll is closed, or one has voted and that is enough; the server
    always sees them. Raises NOT_FOUND and MESSAGE_DELETED.
    """
    row, member = view.access(actor, params.conversation, "read")
    _, message = find(view, actor, row, member, params.message)
    return _view(view, actor, message, *_poll(message))


@read("polls.voters", "GET", "/conversations/{conversation}/messages/{message}/poll/voters")
def voters(view: View, actor: Actor, params: ListVoters) -> VoterPage:
    """Who has voted for what, by user.

    Raises NOT_FOUND, MESSAGE_DELETED, and PERMISSION_DENIED where the results are not yet to be seen, and where the
    poll is anonymous: for the server, too.
    """
    size = page_size(view.config, params.limit)
    row, member = view.access(actor, params.conversation, "read")
    _, message = find(view, actor, row, member, params.message)
    poll, state = _poll(message)
    if poll.anonymous:
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED, "permission denied: the poll is anonymous", field="message"
        )
    if not _open_to(view, actor, message, poll, state):
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED, "permission denied: its results come later", field="message"
        )
    query = sa.select(votes.c.option, votes.c.user, votes.c.time).where(*_of(message))
    if params.option is not None:
        query = query.where(votes.c.option == params.option)
    if params.cursor is not None:
        after = read_cursor(params.cursor, tuple[UserId, OptionId])
        query = query.where(sa.tuple_(votes.c.user, votes.c.option) > sa.tuple_(*after))
    query = query.order_by(votes.c.user, votes.c.option).limit(size + 1)
    found = [Voter(*each) for each in view.execute(query)]
    more = len(found) > size
    found = found[:size]
    return VoterPage(tuple(found), cursor(found[-1].user, found[-1].option) if more else None)


def counted(view: View, message: Message, poll: PollPart) -> PollState:
    """How a poll stands by its votes, with all counts."""
    by_option = sa.select(votes.c.option, sa.func.count()).where(*_of(message)).group_by(votes.c.option)
    counts: dict[str, int] = {row[0]: row[1] for row in view.execute(by_option)}
    distinct = sa.select(sa.func.count(votes.c.user.distinct())).where(*_of(message))
    options = tuple(
        PollOption(
            id,
            counts.get(id, 0),
            () if poll.anonymous or id not in counts else _first(view, message, id),
        )
        for id in poll.ids
    )
    return PollState(options, view.execute(distinct).scalar_one())


def _first(view: View, message: Message, option: str) -> tuple[str, ...]:
    query = sa.select(votes.c.user).where(*_of(message), votes.c.option == option)
    return tuple(view.execute(query.order_by(votes.c.time, votes.c.user).limit(NAMED)).scalars())


def _poll(message: Message) -> tuple[PollPart, PollState]:
    if message.deleted is not None:
        raise HubbubError(ErrorCode.MESSAGE_DELETED, field="message")
    poll = poll_in(message.parts)
    if poll is None:
        raise HubbubError(ErrorCode.NOT_FOUND, "message: it has no poll", field="message")
    return poll, (message.annotations or Annotations()).poll or untouched(poll)


def _open_to(view: View, actor: Actor, message: Message, poll: PollPart, state: PollState) -> bool:
    if poll.results == "always" or state.closed is not None or actor.server:
        return True
    return poll.results == "after_vote" and bool(_votes_of(view, message, actor.user))


def _view(view: View, actor: Actor, message: Message, poll: PollPart, state: PollState) -> Poll:
    mine = _votes_of(view, message, actor.user) if actor.user else set()
    shown = _open_to(view, actor, message, poll, state)
    if shown and poll.results != "always" and state.closed is None:
        state = counted(view, message, poll)
    return Poll(message.conversation, message.seq, state, tuple(id for id in poll.ids if id in mine), shown)


def _votes_of(view: View, message: Message, user: str) -> set[str]:
    query = sa.select(votes.c.option).where(*_of(message), votes.c.user == user)
    return set(view.execute(query).scalars())


def _of(message: Message) -> tuple[sa.ColumnElement[bool], ...]:
    return votes.c.conversation == message.conversation, votes.c.message == message.seq


def _stand(ledger: Ledger, row: ConversationRow, message: Message, state: PollState, actor: Actor) -> None:
    annotations = replace(message.annotations or Annotations(), poll=state)
    ledger.annotate(row, message.seq, "poll", actor, annotations)


# --- through edits and deletion -----------------------------------------------------------------------------------

SETTLED = ("anonymous", "results", "multiple", "max_votes")
"""What those who have voted relied on: an edit does not change it."""


def revised(ledger: Ledger, message: Message, parts: Sequence[Raw]) -> PollState | None:
    """How the poll of `parts` stands, which come in place of the message's. Votes for what is taken away are gone.

    Raises VALIDATION_FAILED for what an edit cannot change, and LIMIT_EXCEEDED (`limits.schedule_ahead`).
    """
    old, new = poll_in(message.parts), poll_in(parts)
    if old is None:
        state = None if new is None else untouched(new)
    elif new is None:
        forget(ledger, message)
        return None
    else:
        state = _carried_over(ledger, message, old, new)
    if new is not None and new.closes is not None and (old is None or old.closes != new.closes):
        limits.check_due(ledger.config.limits, ledger.now, ((CLOSE, new.closes),))
        ledger.schedule(CLOSE, new.closes, conversation=message.conversation, message=message.seq)
    return state


def _carried_over(ledger: Ledger, message: Message, old: PollPart, new: PollPart) -> PollState:
    state = (message.annotations or Annotations()).poll or untouched(old)
    for name in SETTLED:
        if getattr(old, name) != getattr(new, name):
            raise _settled(f"`{name}` of a poll is settled when it is sent")
    if state.closed is not None and (set(old.ids) != set(new.ids) or old.closes != new.closes):
        raise _settled("the poll is closed: its options stay")
    if old.closes != new.closes:
        agenda.cancel(ledger, CLOSE, conversation=message.conversation, message=message.seq)
    gone = set(old.ids) - set(new.ids)
    if gone:
        ledger.execute(votes.delete().where(*_of(message), votes.c.option.in_(gone)))
    now = counted(ledger, message, new)
    if state.closed is None and new.results != "always":
        now = replace(now, options=())
    return replace(now, closed=state.closed, closed_by=state.closed_by)


def _settled(why: str) -> HubbubError:
    return HubbubError(ErrorCode.VALIDATION_FAILED, f"parts: {why}", field="parts")


def forget(ledger: Ledger, message: Message) -> None:
    """Take out what was voted, and that the poll is to close: the message is deleted, or is no poll any more."""
    ledger.execute(votes.delete().where(*_of(message)))
    agenda.cancel(ledger, CLOSE, conversation=message.conversation, message=message.seq)


OPERATIONS = (vote, retract, close, get, voters)
HANDLERS = (agenda.Handler(CLOSE, _due),)
