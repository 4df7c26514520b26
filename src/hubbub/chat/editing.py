"""Changing and deleting messages. What was said before an edit is kept; what was deleted for everybody is gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.structs import replace

from hubbub.chat import attaching, checklists, legal, links, mentions, parts, pins, polls, search_index
from hubbub.chat.events import (
    LogEvent,
    MessageAnnotated,
    MessageCreated,
    MessageDeleted,
    MessageHidden,
    MessageUpdated,
    MessageWithheld,
    ReactionsChanged,
    decode_event,
    tombstone,
)
from hubbub.chat.judging import Examined
from hubbub.chat.ledger import SERVER, Actor, Ledger, View
from hubbub.chat.masking import masked
from hubbub.chat.mentions import MentionWhom
from hubbub.chat.messages import find, in_shadow, permit, writable
from hubbub.chat.model import Annotations, ConversationId, Mentions, Message, Seq
from hubbub.chat.operations import Caller, Nothing, prepared, read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.restraint import shadowed
from hubbub.chat.rows import ConversationRow, MemberRow
from hubbub.chat.sending import Parts
from hubbub.chat.users import myself
from hubbub.chat.verdicts import flag_edit, verdict_of_edit
from hubbub.errors import ErrorCode, HubbubError
from hubbub.moderation.base import PASS
from hubbub.storage import bulk
from hubbub.storage.tables import events, hidden, members, messages, reactions, versions

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

_parts = msgspec.json.Decoder(tuple[Raw, ...]).decode


class EditMessage(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a message says instead. Without `mentions` they stay as they are; null takes them away."""

    conversation: ConversationId
    message: Seq
    parts: Parts
    mentions: MentionWhom | UnsetType | None = UNSET
    expected_version: (
        Annotated[int, Meta(ge=1, description="Refuse the edit if the message has another version by now.")]
        | None
    ) = None


class EditedMessage(Struct, frozen=True, omit_defaults=True):
    """The message's version now, and when it was last edited."""

    conversation: str
    message: int
    version: int
    edited: float | None = None


class DeleteMessage(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`for` whom: for everybody (`all`), or only for who asks (`me`)."""

    conversation: ConversationId
    message: Seq
    for_: Literal["me", "all"] = msgspec.field(name="for", default="all")


class ListVersions(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of what a message has said."""

    conversation: ConversationId
    message: Seq
    limit: PageLimit | None = None
    cursor: After | None = None


class MessageVersion(Struct, frozen=True, omit_defaults=True):
    """What a message said, from `time` on. `editor` is who wrote that; absent for the server."""

    version: int
    parts: tuple[Raw, ...]
    time: float
    editor: str | None = None


class VersionPage(Struct, frozen=True, omit_defaults=True):
    """Versions, the oldest first; the last of all is what the message says now. `next` is absent on the last page."""

    versions: tuple[MessageVersion, ...]
    next: str | None = None


# --- editing ------------------------------------------------------------------------------------------------------


async def _judge(chat: Chat, caller: Caller, params: EditMessage) -> Examined | None:
    """Before the transaction: hooks may wait."""
    if not chat.moderation.active or caller.actor.server:
        return None
    return await chat.moderation.examine_edit(
        caller.actor.user, params.conversation, params.message, params.parts
    )


@prepared("messages.edit", "PATCH", "/conversations/{conversation}/messages/{message}", _judge)
def edit(
    ledger: Ledger, actor: Actor, params: EditMessage, examined: Examined | None = None
) -> EditedMessage:
    """Change what one's own message says.

    Its earlier versions are kept. An edit that changes nothing makes no version. Who is newly mentioned must be a
    member; who is `here` was settled when the message was sent, and cannot be mentioned later.

    Raises NOT_FOUND, PERMISSION_DENIED (another's message, or after `chat.edit_window`), MESSAGE_DELETED,
    CONVERSATION_CLOSED, CONFLICT for another version than the expected one, and what `messages.send` raises of parts
    and mentions. An edit is judged as a new message is, but cannot be held: REJECTED for what would be.
    """
    row, member = ledger.access(actor, params.conversation, "read", lock=True)
    id, message = find(ledger, actor, row, member, params.message)
    _editable(ledger, actor, row, member, message)
    if params.expected_version is not None and params.expected_version != message.version:
        raise HubbubError(
            ErrorCode.CONFLICT, f"the message has version {message.version}", field="expected_version"
        )
    before = parts.Before(message.parts, message.version + 1)
    if examined is None and not actor.server and ledger.chat is not None:
        examined = ledger.chat.moderation.look_at_edit(actor.user, row.id, message.seq, params.parts)
    given = params.parts if examined is None else examined.parts
    checked = parts.check(given, ledger.config.limits, before=before)
    verdict = PASS
    if examined is not None and examined.findings.found:
        verdict = verdict_of_edit(ledger, row, member, actor.user, examined.findings)
        checked = masked(checked, verdict.masks)
    if actor.user:
        for needed in set(checked.needs) - parts.needs_of(message.parts):
            permit(actor, row, member, needed, "parts")
    if checked.files:
        checked = attaching.edited(ledger, actor, row.id, message.seq, message.parts, checked)
    whom = message.mentions
    if params.mentions is not UNSET:
        whom = mentions.check(params.mentions, ledger.config.limits)
        _check_mentions(ledger, actor, row, member, message.mentions, whom)
    if whom == message.mentions and list(map(bytes, checked.parts)) == list(map(bytes, message.parts)):
        return EditedMessage(row.id, message.seq, message.version, message.edited)
    if actor.user and not in_shadow(message) and shadowed(ledger.restraints(actor.user), row.id):
        return EditedMessage(row.id, message.seq, before.version, ledger.now)  # as if it were
    if actor.server and message.sender is not None:
        ledger.audit(actor, "messages.edit", conversation=row.id, user=message.sender, message=message.seq)
    _keep_version(ledger, message)
    changed = replace(
        message,
        parts=checked.parts,
        mentions=whom,
        version=before.version,
        edited=ledger.now,
        annotations=_annotations(ledger, message, checked),
    )
    _update(
        ledger,
        message,
        parts=checked.json,
        mentions=None if whom is None else msgspec.json.encode(whom).decode(),
        version=changed.version,
        edited=changed.edited,
        annotations=None
        if changed.annotations is None
        else msgspec.json.encode(changed.annotations).decode(),
    )
    if verdict.flags:
        flag_edit(ledger, changed, verdict)
    if in_shadow(message):
        ledger.append(row, MessageWithheld, SERVER, about=message.seq, message=message.seq)
        return EditedMessage(row.id, message.seq, changed.version, changed.edited)
    _mention_anew(ledger, changed, message.mentions, whom)
    search_index.reindex(ledger.tx, id, row.id, checked.text)
    if ledger.has_newcomers(row, message.seq):
        told, _ = ledger.told_of(row, message.seq, changed.annotations)
        bare = replace(changed, parts=(), mentions=None, annotations=told)
        ledger.append(row, MessageUpdated, actor, about=message.seq, message=bare, withheld=True)
    else:
        ledger.append(row, MessageUpdated, actor, about=message.seq, message=changed)
    return EditedMessage(row.id, message.seq, changed.version, changed.edited)


def _annotations(ledger: Ledger, message: Message, checked: parts.Checked) -> Annotations | None:
    """What stands on a message that says something else from now on."""
    standing = replace(
        message.annotations or Annotations(),
        poll=polls.revised(ledger, message, checked.parts),
        done=checklists.revised(message, checked.parts),
        previews=links.revised(message, checked.parts, ledger.config.limits.links),
    )
    return None if standing == Annotations() else standing


def _editable(
    ledger: Ledger, actor: Actor, row: ConversationRow, member: MemberRow | None, message: Message
) -> None:
    if message.kind != "user":
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED, "permission denied: it is a system message", field="message"
        )
    if message.deleted is not None:
        raise HubbubError(ErrorCode.MESSAGE_DELETED, field="message")
    if not actor.server:
        if message.sender != actor.user:
            raise HubbubError(
                ErrorCode.PERMISSION_DENIED, "permission denied: it is another's message", field="message"
            )
        permit(actor, row, member, "edit_own", "message")
        window = ledger.config.chat.edit_window
        if window and ledger.now - message.created > window:
            raise HubbubError(
                ErrorCode.PERMISSION_DENIED,
                f"permission denied: messages can be edited for chat.edit_window = {window:g} seconds",
                field="message",
            )
    writable(ledger, actor, row)


def _check_mentions(
    ledger: Ledger,
    actor: Actor,
    row: ConversationRow,
    member: MemberRow | None,
    old: Mentions | None,
    new: Mentions | None,
) -> None:
    """Who was mentioned before may stay so, a member or not."""
    if new is None:
        return
    before = old or Mentions()
    if new.everyone != before.everyone:
        if new.everyone is not None:
            permit(actor, row, member, "mention_all", "mentions.everyone")
        if new.everyone == "here":
            raise HubbubError(
                ErrorCode.VALIDATION_FAILED,
                "mentions.everyone: who is here was settled when the message was sent",
                field="mentions.everyone",
            )
    mentions.refuse_unknown(ledger.tx, [id for id in new.groups if id not in before.groups])
    added = [user for user in new.users if user not in before.users]
    query = sa.select(members.c.user).where(
        members.c.conversation == row.id, members.c.state == "joined", members.c.user.in_(added)
    )
    joined = set(ledger.execute(query).scalars()) if added else set()
    for user in added:
        if user not in joined:
            raise mentions.not_a_member(new.users, user)


def _keep_version(ledger: Ledger, message: Message) -> None:
    ledger.execute(
        versions.insert(),
        {
            "conversation": message.conversation,
            "seq": message.seq,
            "version": message.version,
            "parts": msgspec.json.encode(message.parts).decode(),
            "time": message.edited or message.created,
            "editor": _author(ledger, message),
        },
    )


def _author(view: View, message: Message) -> str | None:
    """Who wrote what the message says now."""
    if message.version == 1:
        return message.sender
    query = sa.select(events.c.actor).where(
        events.c.conversation == message.conversation,
        events.c.message == message.seq,
        events.c.message != events.c.seq,
        events.c.type == MessageUpdated.__struct_config__.tag,
    )
    found: str | None = view.execute(query.order_by(events.c.seq.desc()).limit(1)).scalar()
    return found


def _mention_anew(ledger: Ledger, message: Message, old: Mentions | None, new: Mentions | None) -> None:
    """Rows of who was `here` stay as long as the message says so, and with them those of groups; they cannot be told
    from those of the named. A group means whoever is in it now, once the groups are others."""
    before = old or Mentions()
    after = new or Mentions()
    regrouped = before.groups != after.groups
    if (before.everyone == "here" != after.everyone) or (regrouped and after.everyone != "here"):
        _mention_nobody(ledger, message, before)
        gone: set[str] = set()
        regrouped = True
    else:
        gone = _named(before) - _named(after)
    meant: list[str] = []
    if after.groups and (regrouped or gone):
        meant = mentions.in_groups(ledger.tx, message.conversation, after.groups, message.sender)
    mentions.delete(ledger.tx, message.conversation, message.seq, gone)
    rows = mentions.rows(message.conversation, message.seq, message.number, after, meant)
    mentions.insert(ledger.tx, rows, ignore=True)


def _named(whom: Mentions) -> set[str]:
    return {user for _, user, _, _ in mentions.rows("", 0, None, whom)}


def _mention_nobody(ledger: Ledger, message: Message, old: Mentions | None) -> None:
    if old is None:
        return
    users = _named(old)
    if old.everyone == "here" or old.groups:
        query = sa.select(members.c.user).where(members.c.conversation == message.conversation)
        users.update(ledger.execute(query).scalars())
    mentions.delete(ledger.tx, message.conversation, message.seq, users)


def _update(ledger: Ledger, message: Message, **values: Any) -> None:
    ledger.execute(
        messages.update()
        .where(messages.c.conversation == message.conversation, messages.c.seq == message.seq)
        .values(values)
    )


# --- deleting -----------------------------------------------------------------------------------------------------


@write("messages.delete", "DELETE", "/conversations/{conversation}/messages/{message}")
def delete(ledger: Ledger, actor: Actor, params: DeleteMessage) -> Nothing:
    """Delete a message, for everybody or for oneself.

    For everybody it becomes a tombstone, and what it ever said is gone: from its versions, the search and the log, too.
    The replies in its thread stay. To delete twice is to delete once. Raises NOT_FOUND and PERMISSION_DENIED.
    """
    row, member = ledger.access(actor, params.conversation, "read", lock=True)
    if params.for_ == "me":
        _hide(ledger, actor, row, member, params.message)
        return Nothing()
    id, message = find(ledger, actor, row, member, params.message)
    own = message.sender == actor.user and message.kind == "user"
    permit(actor, row, member, "delete_own" if own else "delete_any", "message")
    if message.deleted is None:
        bury(ledger, actor, row, id, message)
        if not own:
            ledger.audit(
                actor, "messages.delete", conversation=row.id, user=message.sender, message=message.seq
            )
    return Nothing()


def bury(
    ledger: Ledger, actor: Actor, row: ConversationRow, id: int, message: Message, why: legal.Why = "deleted"
) -> None:
    """Leave a tombstone of a message that is there, and what a legal hold keeps. `row` must have been read with
    `lock`."""
    left = tombstone(message, ledger.now)
    kept = legal.preserve(ledger, row.id, (message.seq,), why)
    # The digest goes with the text that it is of: a key alone then says that it was sent.
    _update(
        ledger,
        message,
        parts="[]",
        mentions=None,
        reactions=None,
        annotations=None,
        digest=None,
        deleted=left.deleted,
    )
    of_message = (versions.c.conversation == row.id, versions.c.seq == message.seq)
    ledger.execute(versions.delete().where(*of_message))
    ledger.execute(
        reactions.delete().where(reactions.c.conversation == row.id, reactions.c.message == message.seq)
    )
    polls.forget(ledger, message)
    pins.forget(ledger, message)
    attaching.release(ledger, row.id, [seq for seq in (message.seq,) if seq not in kept])
    _mention_nobody(ledger, message, message.mentions)
    search_index.remove(ledger.tx, id)
    forget(ledger, row.id, {message.seq: left})
    if in_shadow(message):
        ledger.append(row, MessageWithheld, SERVER, about=message.seq, message=message.seq)
    else:
        ledger.append(row, MessageDeleted, actor, about=message.seq, message=left)


def _hide(ledger: Ledger, actor: Actor, row: ConversationRow, member: MemberRow | None, seq: int) -> None:
    key = {"conversation": row.id, "user": myself(actor), "seq": seq}
    where = [hidden.c[name] == value for name, value in key.items()]
    if ledger.execute(sa.select(hidden.c.seq).where(*where)).first() is not None:
        return
    find(ledger, actor, row, member, seq)
    ledger.execute(hidden.insert(), key)
    mine = (members.c.conversation == row.id, members.c.user == actor.user)
    ledger.execute(members.update().where(*mine).values(changed=ledger.tx.stamp))  # a sync is to tell of it
    ledger.tell(actor.user, MessageHidden, conversation=row.id, message=seq)


def forget(ledger: Ledger, conversation: str, left: Mapping[int, Message]) -> None:
    """Take what messages said out of their earlier events: these tell of the tombstones (`left`, by seq), whenever they
    are read."""
    seqs = sorted(left)
    query = sa.select(events.c.seq, events.c.message, events.c.data).where(
        events.c.conversation == conversation,
        # That of its creation is at its own place, and not in the index of the others.
        sa.or_(
            events.c.seq.in_(seqs),
            sa.and_(events.c.message.in_(seqs), events.c.message != events.c.seq),
        ),
    )
    rows = [
        (conversation, seq, msgspec.json.encode(_emptied(decode_event(data), left[message])).decode())
        for seq, message, data in ledger.execute(query)
        if message in left
    ]
    bulk.update(ledger.tx, events, ("conversation", "seq"), ("data",), rows)


def _emptied(event: LogEvent, left: Message) -> LogEvent:
    if isinstance(event, MessageCreated | MessageUpdated):
        return replace(event, message=left)
    if isinstance(event, ReactionsChanged):
        return replace(event, name="", reactions=())
    if isinstance(event, MessageAnnotated):
        return replace(event, annotations=None)
    return event


# --- what was said before -----------------------------------------------------------------------------------------


@read("messages.versions", "GET", "/conversations/{conversation}/messages/{message}/versions")
def page(view: View, actor: Actor, params: ListVersions) -> VersionPage:
    """What a message has said, the oldest first.

    It is for members. A deleted message has no versions. Raises NOT_FOUND and PERMISSION_DENIED.
    """
    size = page_size(view.config, params.limit)
    row, member = view.access(actor, params.conversation, "read")
    if member is None and not actor.server:
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "permission denied: join first", field="conversation")
    _, message = find(view, actor, row, member, params.message)
    if message.deleted is not None:
        return VersionPage(())
    query = sa.select(versions.c.version, versions.c.parts, versions.c.time, versions.c.editor).where(
        versions.c.conversation == row.id, versions.c.seq == message.seq
    )
    if params.cursor is not None:
        query = query.where(versions.c.version > read_cursor(params.cursor, tuple[Seq])[0])
    found = [
        MessageVersion(version, _parts(said), time, editor)
        for version, said, time, editor in view.execute(query.order_by(versions.c.version).limit(size + 1))
    ]
    if len(found) <= size:
        now = message.edited or message.created
        found.append(MessageVersion(message.version, message.parts, now, _author(view, message)))
    more = len(found) > size
    found = found[:size]
    return VersionPage(tuple(found), cursor(found[-1].version) if more else None)


OPERATIONS = (edit, delete, page)
