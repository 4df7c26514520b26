"""Erasing a person: batch after batch, each in a transaction that puts the next one on the agenda.

What others have read stays readable: what the person wrote and did is from then on that of an alias, who is nobody. The
id is replaced wherever it stands in a conversation: in columns, in the JSON beside them and in the events of the logs.
That goes for the audit log, too, of which nothing else can be changed. What is left is what a legal hold keeps.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import Raw, Struct
from msgspec.structs import replace

from hubbub.chat import attaching, editing, membership
from hubbub.chat.agenda import Handler, Item
from hubbub.chat.events import ConversationUpdated, UserErased
from hubbub.chat.ledger import SERVER, Ledger
from hubbub.chat.rows import MEMBER, MESSAGE, ConversationRow, MemberRow, message_of, pair_of
from hubbub.storage import bulk
from hubbub.storage.tables import (
    agenda,
    audit,
    blocks,
    bookmarks,
    case_notes,
    cases,
    commands,
    conversations,
    drafts,
    emoji,
    events,
    followers,
    group_members,
    groups,
    hidden,
    holds,
    inbox,
    invocations,
    keys,
    members,
    mentions,
    messages,
    pins,
    reactions,
    reports,
    restrictions,
    rulesets,
    users,
    versions,
    votes,
)

KIND = "rights.erase"
BATCH = 500
"""Events, or messages, of one transaction."""
SPAN = 20_000
"""Messages of one transaction that are looked through for what was forwarded."""
Stage = Literal["conversations", "forwards", "inboxes", "audit", "cases", "rest"]
OPAQUE = frozenset(("custom", "data", "parts"))
"""What in JSON is the application's or was said by somebody, and is not ours to change."""
_object = msgspec.json.Decoder(dict[str, Raw]).decode
_array = msgspec.json.Decoder(list[Raw]).decode
_encode = msgspec.json.Encoder().encode


class Erasing(Struct, frozen=True):
    """How far it is. `delete`: what the person wrote goes, too. `conversation` is the one that is being gone through,
    up to the event `place`; for what was forwarded `place` is the last message's id, for the audit log that of the last
    act; for others' inboxes and for cases `whose` is the last of them."""

    user: str
    alias: str
    delete: bool
    by: str = ""
    stage: Stage = "conversations"
    conversation: str | None = None
    place: int = 0
    whose: str = ""


def renamed(raw: bytes, old: bytes, new: bytes) -> bytes:
    """JSON with the text `old` replaced by `new` (both as JSON) where it is a whole value, but for what is `OPAQUE`. Of
    system messages the parts are ours."""
    if old not in raw:
        return raw
    if raw[:1] == b"[":
        return _encode([Raw(renamed(bytes(each), old, new)) for each in _array(raw)])
    if raw[:1] == b"{":
        fields = _object(raw)
        system = fields.get("kind") == Raw(b'"system"')
        return _encode(
            {
                name: value
                if name in OPAQUE and not (system and name == "parts")
                else Raw(renamed(bytes(value), old, new))
                for name, value in fields.items()
            }
        )
    return new if raw == old else raw


def begin(ledger: Ledger, erasing: Erasing) -> None:
    """Take out at once what only the person and its profile had, and plan the rest."""
    user = erasing.user
    ledger.execute(
        users.update()
        .where(users.c.id == user)
        .values(
            name="",
            avatar=None,
            custom=None,
            show_last_seen="nobody",
            last_seen=None,
            office="none",
            erased=ledger.now,
            updated=ledger.now,
            changed=ledger.tx.stamp,
        )
    )
    for table, column in (
        (bookmarks, bookmarks.c.user),
        (drafts, drafts.c.user),
        (agenda, agenda.c.user),
        (invocations, invocations.c.user),
        (blocks, blocks.c.blocker),
        (blocks, blocks.c.blocked),
        (commands, commands.c.owner),
        (keys, keys.c.scope),
    ):
        ledger.execute(table.delete().where(column == user))
    _leave_groups(ledger, user)
    _plan(ledger, erasing)


def _leave_groups(ledger: Ledger, user: str) -> None:
    of = ledger.execute(sa.select(group_members.c.group).where(group_members.c.user == user)).scalars().all()
    ledger.execute(group_members.delete().where(group_members.c.user == user))
    changed = {"members": groups.c.members - 1, "changed": ledger.tx.stamp}
    ledger.execute(groups.update().where(groups.c.id.in_(of)).values(changed))


def _plan(ledger: Ledger, erasing: Erasing) -> None:
    ledger.schedule(KIND, ledger.now, data=erasing)


def _go_on(ledger: Ledger, item: Item, prepared: None) -> None:
    erasing = item.read(Erasing)
    match erasing.stage:
        case "conversations":
            _conversation(ledger, erasing)
        case "forwards":
            _forwards(ledger, erasing)
        case "inboxes":
            _inboxes(ledger, erasing)
        case "audit":
            _acts(ledger, erasing)
        case "cases":
            _cases(ledger, erasing)
        case "rest":
            _rest(ledger, erasing)


# --- conversations ------------------------------------------------------------------------------------------------


def _conversation(ledger: Ledger, erasing: Erasing) -> None:
    id = erasing.conversation
    if id is None:
        query = sa.select(members.c.conversation).where(members.c.user == erasing.user)
        id = ledger.execute(query.order_by(members.c.conversation).limit(1)).scalar()
        if id is None:
            _plan(ledger, replace(erasing, stage="forwards", place=0))
            return
        erasing = replace(erasing, conversation=id, place=0)
    row = ledger.find(id, lock=True)
    if row is None:  # nobody deletes conversations
        raise LookupError(id)
    if not erasing.place:
        _leave(ledger, row, erasing.user)
    if erasing.delete and _delete_some(ledger, row, erasing.user):
        _plan(ledger, replace(erasing, place=max(erasing.place, 0)))
        return
    place = _rename_events(ledger, row, erasing)
    if place < row.head:
        _plan(ledger, replace(erasing, place=place))
        return
    _rename_rows(ledger, row, erasing)
    ledger.append(row, UserErased, SERVER, user=erasing.alias)
    _plan(ledger, replace(erasing, conversation=None, place=0))


def _leave(ledger: Ledger, row: ConversationRow, user: str) -> None:
    """The person is in the conversation no more. That of two ends."""
    if row.pair is not None:
        if not row.closed:
            row.closed = True
            ledger.execute(conversations.update().where(conversations.c.id == row.id).values(closed=True))
            ledger.append(row, ConversationUpdated, SERVER, updated=lambda seq: row.public())
        return
    query = sa.select(*MEMBER).where(members.c.conversation == row.id, members.c.user == user)
    member = MemberRow(*ledger.execute(query).one())
    if member.state != "left":
        membership.go(ledger, row, SERVER, member, "member.left" if member.joined else None)


def _delete_some(ledger: Ledger, row: ConversationRow, user: str) -> bool:
    """Delete what the person wrote, some of it; whether there was any."""
    query = sa.select(messages.c.id, *MESSAGE).where(
        messages.c.conversation == row.id, messages.c.sender == user, messages.c.deleted.is_(None)
    )
    found = ledger.execute(query.order_by(messages.c.seq).limit(BATCH // 5)).all()
    for id, *columns in found:
        editing.bury(ledger, SERVER, row, id, message_of(columns), "erasure")
    return bool(found)


def _rename_events(ledger: Ledger, row: ConversationRow, erasing: Erasing) -> int:
    """Replace the id in the next events of the log, and in the messages at these places; the last of them."""
    old, new = _encode(erasing.user), _encode(erasing.alias)
    last = min(erasing.place + BATCH, row.head)
    here = (events.c.conversation == row.id, events.c.seq > erasing.place, events.c.seq <= last)
    query = sa.select(events.c.seq, events.c.actor, events.c.data).where(
        *here, events.c.data.contains(old.decode(), autoescape=True)
    )
    changed = [
        (
            row.id,
            seq,
            erasing.alias if actor == erasing.user else actor,
            renamed(data.encode(), old, new).decode(),
        )
        for seq, actor, data in ledger.execute(query)
    ]
    bulk.update(ledger.tx, events, ("conversation", "seq"), ("actor", "data"), changed)
    _rename_messages(ledger, row, erasing, last)
    return last


def _rename_messages(ledger: Ledger, row: ConversationRow, erasing: Erasing, last: int) -> None:
    old, new = _encode(erasing.user), _encode(erasing.alias)
    names = ("mentions", "reactions", "annotations", "options")
    here = (
        messages.c.conversation == row.id,
        messages.c.seq > erasing.place,
        messages.c.seq <= last,
    )
    mine = (messages.c.sender == erasing.user,)
    ledger.execute(messages.update().where(*here, *mine).values(sender=erasing.alias))
    said = [messages.c[name].contains(old.decode(), autoescape=True) for name in names]
    of_system = sa.and_(messages.c.kind == "system", messages.c.parts.contains(old.decode(), autoescape=True))
    query = sa.select(
        messages.c.seq, messages.c.kind, messages.c.parts, *(messages.c[name] for name in names)
    ).where(*here, sa.or_(*said, of_system))
    rows: list[tuple[Any, ...]] = []
    for seq, kind, parts, *values in ledger.execute(query):
        given = [None if value is None else renamed(value.encode(), old, new).decode() for value in values]
        if kind == "system":
            parts = renamed(parts.encode(), old, new).decode()
        rows.append((row.id, seq, parts, *given))
    bulk.update(ledger.tx, messages, ("conversation", "seq"), ("parts", *names), rows)


def _rename_rows(ledger: Ledger, row: ConversationRow, erasing: Erasing) -> None:
    user, alias = erasing.user, erasing.alias
    for table, column in (
        (members, members.c.user),
        (members, members.c.invited_by),
        (followers, followers.c.user),
        (hidden, hidden.c.user),
        (mentions, mentions.c.user),
        (reactions, reactions.c.user),
        (votes, votes.c.user),
        (pins, pins.c.by),
        (versions, versions.c.editor),
    ):
        changes: dict[str, Any] = {column.name: alias}
        if table is members:
            changes["changed"] = ledger.tx.stamp
        ledger.execute(table.update().where(table.c.conversation == row.id, column == user).values(changes))
    if row.created_by == user:
        row.created_by = alias
    if row.pair is not None:
        first, _, second = row.pair.partition("\n")
        row.pair = pair_of(*(alias if each == user else each for each in (first, second)))
    ledger.execute(
        conversations.update()
        .where(conversations.c.id == row.id)
        .values(created_by=row.created_by, pair=row.pair, changed=ledger.tx.stamp)
    )


# --- elsewhere ----------------------------------------------------------------------------------------------------


def _forwards(ledger: Ledger, erasing: Erasing) -> None:
    """The id in messages that others have forwarded, wherever they are."""
    old, new = _encode(erasing.user), _encode(erasing.alias)
    top = ledger.execute(sa.select(sa.func.max(messages.c.id))).scalar() or 0
    last = min(erasing.place + SPAN, top)
    query = sa.select(messages.c.conversation, messages.c.seq, messages.c.options).where(
        messages.c.id > erasing.place,
        messages.c.id <= last,
        messages.c.options.contains(old.decode(), autoescape=True),
    )
    found = ledger.execute(query).all()
    for conversation in sorted({each.conversation for each in found}):
        ledger.find(conversation, lock=True)
        of = [each for each in found if each.conversation == conversation]
        rows = [(conversation, each.seq, renamed(each.options.encode(), old, new).decode()) for each in of]
        bulk.update(ledger.tx, messages, ("conversation", "seq"), ("options",), rows)
        logged = sa.select(events.c.seq, events.c.data).where(
            events.c.conversation == conversation,
            sa.or_(
                events.c.seq.in_([each.seq for each in of]),
                sa.and_(events.c.message.in_([each.seq for each in of]), events.c.message != events.c.seq),
            ),
        )
        told = [
            (conversation, seq, renamed(data.encode(), old, new).decode())
            for seq, data in ledger.execute(logged)
        ]
        bulk.update(ledger.tx, events, ("conversation", "seq"), ("data",), told)
    following = replace(erasing, place=last) if last < top else replace(erasing, stage="inboxes", place=0)
    _plan(ledger, following)


def _inboxes(ledger: Ledger, erasing: Erasing) -> None:
    """The id in what others were told, in the inboxes of the next users."""
    old, new = _encode(erasing.user), _encode(erasing.alias)
    following = sa.select(users.c.id).where(users.c.id > erasing.whose).order_by(users.c.id).limit(BATCH)
    ids = ledger.execute(following).scalars().all()
    if not ids:
        _plan(ledger, replace(erasing, stage="audit", place=0))
        return
    query = sa.select(inbox.c.user, inbox.c.seq, inbox.c.data).where(
        inbox.c.user.in_(ids), inbox.c.data.contains(old.decode(), autoescape=True)
    )
    told = [
        (user, seq, renamed(data.encode(), old, new).decode())
        for user, seq, data in ledger.execute(query)
        if user != erasing.user
    ]
    bulk.update(ledger.tx, inbox, ("user", "seq"), ("data",), told)
    _plan(ledger, replace(erasing, whose=ids[-1]))


def _acts(ledger: Ledger, erasing: Erasing) -> None:
    """The id in the audit log, in the next acts. (Its triggers let this be changed, and nothing else: the user is
    `erased`, and the log has the alias's `rights.erase`.)"""
    top = ledger.execute(sa.select(sa.func.max(audit.c.id))).scalar() or 0
    last = min(erasing.place + SPAN, top)
    _rename_acts(ledger, erasing, last)
    if last < top:
        _plan(ledger, replace(erasing, place=last))
    else:
        _plan(ledger, replace(erasing, stage="cases", place=last, whose=""))


def _rename_acts(ledger: Ledger, erasing: Erasing, last: int | None = None) -> None:
    old, new = _encode(erasing.user), _encode(erasing.alias)
    named = sa.or_(
        audit.c.actor == erasing.user,
        audit.c.user == erasing.user,
        audit.c.data.contains(old.decode(), autoescape=True),
    )
    query = sa.select(audit.c.id, audit.c.actor, audit.c.user, audit.c.data)
    query = query.where(audit.c.id > erasing.place, named)
    if last is not None:
        query = query.where(audit.c.id <= last)
    names = {erasing.user: erasing.alias}
    acts = [
        (id, names.get(actor, actor), names.get(user, user), renamed(data.encode(), old, new).decode())
        for id, actor, user, data in ledger.execute(query)
    ]
    bulk.update(ledger.tx, audit, ("id",), ("actor", "user", "data"), acts)


def _cases(ledger: Ledger, erasing: Erasing) -> None:
    """The id in what was decided, in the next cases."""
    old, new = _encode(erasing.user), _encode(erasing.alias)
    following = sa.select(cases.c.id).where(cases.c.id > erasing.whose).order_by(cases.c.id).limit(SPAN)
    ids = ledger.execute(following).scalars().all()
    if not ids:
        _plan(ledger, replace(erasing, stage="rest"))
        return
    query = sa.select(cases.c.id, cases.c.data).where(
        cases.c.id > erasing.whose,
        cases.c.id <= ids[-1],
        cases.c.data.contains(old.decode(), autoescape=True),
    )
    rows = [(id, renamed(data.encode(), old, new).decode()) for id, data in ledger.execute(query)]
    bulk.update(ledger.tx, cases, ("id",), ("data",), rows)
    _plan(ledger, replace(erasing, whose=ids[-1]))


def _rest(ledger: Ledger, erasing: Erasing) -> None:
    user, alias = erasing.user, erasing.alias
    if attaching.discard_all(ledger, user, BATCH):
        _plan(ledger, erasing)
        return
    _rename_acts(ledger, erasing)  # those of meanwhile
    for table, column in (
        (cases, cases.c.user),
        (cases, cases.c.claimed_by),
        (reports, reports.c.reporter),
        (case_notes, case_notes.c.author),
        (emoji, emoji.c.by),
        (restrictions, restrictions.c.by),
        (rulesets, rulesets.c.by),
        (conversations, conversations.c.created_by),
        (members, members.c.invited_by),
    ):
        ledger.execute(table.update().where(column == user).values({column.name: alias}))
    for table, column in (
        (holds, holds.c.sender),
        (restrictions, restrictions.c.user),
        (inbox, inbox.c.user),
        (keys, keys.c.scope),
        (agenda, agenda.c.user),
    ):
        ledger.execute(table.delete().where(column == user))
    changed = {"id": alias, "head": 0, "changed": ledger.tx.stamp}
    ledger.execute(users.update().where(users.c.id == user).values(changed))
    ledger.audit(SERVER, "rights.erased", user=alias, by=erasing.by or None)


HANDLERS = (Handler(KIND, _go_on),)
