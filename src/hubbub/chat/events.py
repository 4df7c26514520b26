"""The events of the logs, and what they do to a state. Pure.

A conversation's log (channel `conversation:<id>`) is the same for all members; a user's inbox (`inbox:<user>`) is its
own. An event carries what has become of the thing that it is about, whole, so that applying it is replacing it.
`typing`, `receipts` and `presence` are signals: published, but in no log. The name of a publication's event is the
struct's tag.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hubbub.chat.heads import Head as Head
from hubbub.chat.heads import InboxHead as InboxHead
from hubbub.chat.model import (
    Annotations,
    Availability,
    Bookmark,
    CaseAction,
    CaseState,
    Conversation,
    Draft,
    HoldState,
    Member,
    Message,
    MyConversation,
    MyMembership,
    ReactionCount,
    Reminder,
    RestrictionKind,
    Scheduled,
    Subject,
)
from hubbub.chat.program_events import CardAnswered as CardAnswered
from hubbub.chat.program_events import CardPressed as CardPressed
from hubbub.chat.program_events import CommandAnswered as CommandAnswered
from hubbub.chat.program_events import CommandInvoked as CommandInvoked
from hubbub.chat.program_events import EmojiChanged as EmojiChanged
from hubbub.chat.program_events import GroupChanged as GroupChanged

Annotated: TypeAlias = Literal["pin", "poll", "checklist", "previews"]


# --- the conversation's log ---------------------------------------------------------------------------------------


class ConversationCreated(Head, frozen=True, tag="conversation.created", kw_only=True):
    """The first event of each log."""

    created: Conversation
    members: tuple[Member, ...] = ()


class ConversationUpdated(Head, frozen=True, tag="conversation.updated", kw_only=True):
    """Name, topic, permissions or the like have changed."""

    updated: Conversation


class MemberChanged(Head, frozen=True, tag="member.changed", kw_only=True):
    """Somebody was invited, joined, left, was removed or has another role: see `member.state`, `member.role`. `members`
    is how many have joined now."""

    member: Member
    members: int


class MessageCreated(Head, frozen=True, tag="message.created", kw_only=True):
    """A new message. For a reply in a thread, `replies` is how many the thread has now."""

    message: Message
    replies: int = 0


class MessageUpdated(Head, frozen=True, tag="message.updated", kw_only=True):
    """A message was edited. `withheld`: there are members who may not read it (`history` is `joined`), so the event has
    all of it but the parts, mentions and previews, for which whoever may is to ask `messages.get`."""

    message: Message
    withheld: bool = False


class MessageDeleted(Head, frozen=True, tag="message.deleted", kw_only=True):
    """A message was deleted for everybody; `message` is what is left of it. Its text is gone from the log as well."""

    message: Message


class ReactionsChanged(Head, frozen=True, tag="reactions.changed", kw_only=True):
    """Somebody (`actor`) has added or taken back `name`; `reactions` are all that the message has now."""

    message: int
    name: str
    added: bool
    reactions: tuple[ReactionCount, ...] = ()


class MessageAnnotated(Head, frozen=True, tag="message.annotated", kw_only=True):
    """What stands on a message has changed: its `pin`, `poll`, `checklist` or `previews`. `annotations` are all that it
    has now. `withheld`: there are members who may not read the message (`history` is `joined`), so the previews, which
    tell of what it says, are left out, and whoever may is to ask `messages.get` for them."""

    message: int
    what: Annotated
    annotations: Annotations | None = None
    withheld: bool = False


class MessageWithheld(Head, frozen=True, tag="message.withheld", kw_only=True):
    """There is a message that is not for everybody: who may read it gets it by `messages.get`. It is not counted."""

    message: int


class MessagesExpunged(Head, frozen=True, tag="messages.expunged", kw_only=True):
    """The time of all messages up to the seq `through` is over: they are as if each had been deleted."""

    through: int


class UserErased(Head, frozen=True, tag="user.erased", kw_only=True):
    """Somebody was erased, and is `user` wherever it stood in this log: what one still has of somebody who is no member
    is to be read anew."""

    user: str


LogEvent: TypeAlias = (
    ConversationCreated
    | ConversationUpdated
    | MemberChanged
    | MessageCreated
    | MessageUpdated
    | MessageDeleted
    | ReactionsChanged
    | MessageAnnotated
    | MessageWithheld
    | MessagesExpunged
    | UserErased
)


# --- the inbox ----------------------------------------------------------------------------------------------------


class ConversationAdded(InboxHead, frozen=True, tag="conversation.added", kw_only=True):
    """The user was invited to a conversation or has joined it: sessions that are live follow it from now on."""

    conversation: MyConversation


class ConversationRemoved(InboxHead, frozen=True, tag="conversation.removed", kw_only=True):
    """The user has left a conversation or was removed from it."""

    conversation: str


class MembershipUpdated(InboxHead, frozen=True, tag="membership.updated", kw_only=True):
    """Read on another device, muted, archived: what the conversation is to the user now."""

    conversation: str
    membership: MyMembership


class MessageHidden(InboxHead, frozen=True, tag="message.hidden", kw_only=True):
    """The user has deleted a message for itself."""

    conversation: str
    message: int


class ThreadUpdated(InboxHead, frozen=True, tag="thread.updated", kw_only=True):
    """The user follows a thread, follows it no more, or has read in it."""

    conversation: str
    thread: int
    following: bool
    read: int


class UserUpdated(InboxHead, frozen=True, tag="user.updated", kw_only=True):
    """The user's own profile or settings have changed; `me.get` has them."""


class BlocksChanged(InboxHead, frozen=True, tag="blocks.changed", kw_only=True):
    """The user has blocked somebody, or not any more."""

    user: str
    blocked: bool


class RestrictionChanged(InboxHead, frozen=True, tag="restriction.changed", kw_only=True):
    """The user was muted or banned, or is it no more (`lifted`). Without a `conversation` it is everywhere; without
    `until` it is until it is lifted."""

    kind: RestrictionKind
    conversation: str | None = None
    until: float | None = None
    reason: str = ""
    lifted: bool = False


class HoldChanged(InboxHead, frozen=True, tag="hold.changed", kw_only=True):
    """A message of the user's waits for a moderator (`pending`), or does no more: an `approved` one is in the
    conversation as `message`."""

    hold: str
    state: HoldState
    conversation: str
    message: int | None = None
    reason: str = ""


class CaseDecided(InboxHead, frozen=True, tag="case.decided", kw_only=True):
    """Moderators have decided on something that the user has done. `text` is what they have to say to that; the user
    can appeal (`cases.appeal`) until `appeal_until`."""

    case: str
    action: CaseAction
    conversation: str | None = None
    message: int | None = None
    until: float | None = None
    text: str = ""
    appeal_until: float | None = None


class AppealAnswered(InboxHead, frozen=True, tag="appeal.answered", kw_only=True):
    """An appeal of the user's was `granted`, and what could be undone is, or it was not."""

    case: str
    granted: bool
    text: str = ""


class ReportDecided(InboxHead, frozen=True, tag="report.decided", kw_only=True):
    """Moderators have looked at what the user has reported; `acted`: and have done something about it."""

    case: str
    acted: bool


class ScheduledChanged(InboxHead, frozen=True, tag="scheduled.changed", kw_only=True):
    """A message to be sent later was written or changed, was `sent` as `message` (whose time says whether that was
    late), or `removed`."""

    scheduled: Scheduled
    state: Literal["scheduled", "sent", "removed"] = "scheduled"
    message: int | None = None


class ScheduledFailed(InboxHead, frozen=True, tag="scheduled.failed", kw_only=True):
    """A message that was due could not be sent: `scheduled.failed` says why."""

    scheduled: Scheduled


class ReminderChanged(InboxHead, frozen=True, tag="reminder.changed", kw_only=True):
    """The user has made, changed or removed a reminder."""

    reminder: Reminder
    removed: bool = False


class ReminderDue(InboxHead, frozen=True, tag="reminder.due", kw_only=True):
    """The time of a reminder has come (`reminder.at`), or had while no server ran."""

    reminder: Reminder


class BookmarkChanged(InboxHead, frozen=True, tag="bookmark.changed", kw_only=True):
    """The user has bookmarked a message, noted something else about it, or taken the bookmark away."""

    bookmark: Bookmark


class DraftChanged(InboxHead, frozen=True, tag="draft.changed", kw_only=True):
    """The user has written on at a draft, or has removed it. Of the events of one draft only the last has its words."""

    draft: Draft


InboxEvent: TypeAlias = (
    ConversationAdded
    | ConversationRemoved
    | MembershipUpdated
    | MessageHidden
    | ThreadUpdated
    | UserUpdated
    | BlocksChanged
    | CardPressed
    | CardAnswered
    | CommandInvoked
    | CommandAnswered
    | RestrictionChanged
    | HoldChanged
    | CaseDecided
    | AppealAnswered
    | ReportDecided
    | ScheduledChanged
    | ScheduledFailed
    | ReminderChanged
    | ReminderDue
    | BookmarkChanged
    | DraftChanged
)


# --- signals ------------------------------------------------------------------------------------------------------


class Typing(Struct, frozen=True, tag="typing", omit_defaults=True):
    """Somebody types; after `ttl` seconds without another it does no more. `ttl` 0: it has stopped."""

    conversation: str
    user: str
    ttl: float
    thread: int | None = None


class Receipt(Struct, frozen=True, omit_defaults=True):
    """How far one member has got."""

    user: str
    read: int
    delivered: int


class Receipts(Struct, frozen=True, tag="receipts", omit_defaults=True):
    """What has moved since the last one. In a large conversation there are no names, but of the newest message
    (`message`) how many have read it, and to how many it was delivered."""

    conversation: str
    receipts: tuple[Receipt, ...] = ()
    message: int | None = None
    read: int | None = None
    delivered: int | None = None


class PresenceChanged(Struct, frozen=True, tag="presence", omit_defaults=True):
    """On `status:<user>`: the user came, went away or went."""

    user: str
    availability: Availability
    last_seen: float | None = None


class CaseChanged(Struct, frozen=True, tag="case.changed", omit_defaults=True):
    """To moderators, on `cases:<conversation>` and `cases:all`: a case is new, or is not what it was. `cases.get` has
    it whole."""

    case: str
    subject: Subject
    state: CaseState
    priority: int
    conversation: str | None = None
    claimed_by: str | None = None


Signal: TypeAlias = Typing | Receipts | PresenceChanged | CaseChanged | EmojiChanged | GroupChanged

decode_event = msgspec.json.Decoder(LogEvent).decode
decode_inbox_event = msgspec.json.Decoder(InboxEvent).decode


# --- what they do -------------------------------------------------------------------------------------------------


def tombstone(message: Message, time: float) -> Message:
    """What is left of a message that is deleted at `time`."""
    return replace(message, parts=(), mentions=None, reactions=(), annotations=None, deleted=time)


@dataclass(frozen=True, slots=True)
class State:
    """A conversation as somebody who has seen all its events knows it."""

    conversation: Conversation
    members: dict[str, Member] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)


def apply(state: State | None, event: LogEvent | Receipts) -> State:
    """The state after `event`. `apply(state, event) == a fresh read` for every action. None is before the first."""
    if isinstance(event, ConversationCreated):
        return State(event.created, {member.user: member for member in event.members})
    assert state is not None, "a log begins with conversation.created"
    conversation, members, messages = state.conversation, state.members, state.messages
    if isinstance(event, Receipts):
        moved = {each.user: each for each in event.receipts}
        return State(
            conversation,
            {
                user: replace(member, read=moved[user].read, delivered=moved[user].delivered)
                if user in moved
                else member
                for user, member in members.items()
            },
            messages,
        )
    changes: dict[str, Any] = {"seq": event.seq}
    match event:
        case ConversationUpdated():
            conversation = event.updated
        case MemberChanged():
            changes["members"] = event.members
            members = members | {event.member.user: event.member}
        case MessageCreated(message=message):
            messages = messages | {message.seq: message}
            if message.thread is not None and (root := messages.get(message.thread)) is not None:
                messages[root.seq] = replace(root, replies=event.replies, last_reply=message.created)
            if message.number is not None:
                changes |= {
                    "messages": message.number,
                    "last_message": message.seq,
                    "last_activity": message.created,
                }
                sender = members.get(message.sender or "")
                if sender is not None:
                    # Who sends has read up to there.
                    members = members | {
                        sender.user: replace(sender, read=message.seq, delivered=message.seq)
                    }
        case MessageUpdated(message=message, withheld=True):
            if (old := messages.get(message.seq)) is not None:
                message = replace(
                    message,
                    parts=old.parts,
                    mentions=old.mentions,
                    annotations=with_previews(message.annotations, old.annotations),
                )
            messages = messages | {message.seq: message}
        case MessageUpdated(message=message) | MessageDeleted(message=message):
            messages = messages | {message.seq: message}
        case ReactionsChanged():
            if (old := messages.get(event.message)) is not None:
                messages = messages | {old.seq: replace(old, reactions=event.reactions)}
        case MessagesExpunged(through=through):
            changes["expunged"] = through
            messages = {
                seq: tombstone(message, event.time) if seq <= through and message.deleted is None else message
                for seq, message in messages.items()
            }
        case MessageAnnotated(annotations=now):
            if (old := messages.get(event.message)) is not None:
                if event.withheld:
                    now = with_previews(now, old.annotations)
                messages = messages | {old.seq: replace(old, annotations=now)}
    return State(replace(conversation, **changes), members, messages)


def with_previews(now: Annotations | None, known: Annotations | None) -> Annotations | None:
    """What stands on a message of which the previews were not told: those that are known stay."""
    found = replace(now or Annotations(), previews=(known or Annotations()).previews)
    return None if found == Annotations() else found
