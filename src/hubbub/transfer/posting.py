"""Messages from elsewhere, into conversations' logs: many at once, each as if it had been sent then."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Raw, Struct
from msgspec.structs import replace

from hubbub.chat import limits, mentions, parts, search_index, text
from hubbub.chat.agenda import EXPIRE, About, schedule_many
from hubbub.chat.events import MessageCreated
from hubbub.chat.kinds.file import FilePart
from hubbub.chat.kinds.plain import TextPart
from hubbub.chat.ledger import Ledger, channel_of
from hubbub.chat.model import Mentions, Message, Options, ReactionCount
from hubbub.chat.parts import Checked
from hubbub.chat.reactions import NAMED
from hubbub.chat.rows import ConversationRow
from hubbub.chat.system import SystemPart
from hubbub.errors import HubbubError
from hubbub.storage import bulk
from hubbub.storage.base import Logged
from hubbub.storage.tables import conversations, events, members, messages, reactions, users
from hubbub.transfer.lines import Entry, MessageLine

Place = tuple[str, str]
"""A conversation, and a message's id in the source."""
Places = dict[Place, int]
"""Their seqs here."""

TAG = str(MessageCreated.__struct_config__.tag)
MESSAGE = (
    "conversation",
    "seq",
    "number",
    "thread",
    "thread_number",
    "kind",
    "sender",
    "parts",
    "mentions",
    "reply_to",
    "key",
    "created",
    "version",
    "edited",
    "deleted",
    "reactions",
    "replies",
    "options",
    "annotations",
)
EVENT = ("conversation", "seq", "type", "message", "actor", "time", "data")
IMPORTED = Options(imported=True)
NOTHING = Checked((), "[]", "")
_encode = msgspec.json.Encoder().encode
_system = msgspec.json.Decoder(SystemPart).decode
_file = msgspec.json.Decoder(FilePart).decode


class _Typed(Struct):
    type: str = ""


_typed = msgspec.json.Decoder(_Typed).decode


class Refused(Exception):
    """Why a line is not brought."""


def brought(ledger: Ledger, id: str) -> ConversationRow | None:
    """A conversation that was imported, locked; None if there is none. Raises Refused for one that began here: what is
    in it would be brought a second time. (Its first event is as old as itself.)"""
    row = ledger.find(id, lock=True)
    if row is not None:
        first = sa.select(events.c.time).where(events.c.conversation == id, events.c.seq == 1)
        if ledger.execute(first).scalar() == row.created:
            raise Refused("the conversation began in this database")
    return row


class _Root(Struct):
    seq: int
    replies: int
    last: float


class Posting:
    """The messages of one transaction. `places` are where the newest ones before are; in the end, where these are."""

    def __init__(self, ledger: Ledger, origin: str, before: Places) -> None:
        self.ledger = ledger
        self.tx = ledger.tx
        self.allowed = ledger.config.limits
        self.origin = origin
        self.before = before
        self.places: Places = {}
        self.refused: list[tuple[int, str]] = []
        self.written = self.known = 0
        self.rows: dict[str, ConversationRow] = {}
        self.native: dict[str, Refused] = {}
        self.inside: set[tuple[str, str]] = set()
        self.people: set[str] = set()
        self.roots: dict[tuple[str, int], _Root] = {}
        self.messages: list[bulk.Row] = []
        self.texts: list[str] = []
        self.events: list[bulk.Row] = []
        self.mentions: list[mentions.Row] = []
        self.reactions: list[bulk.Row] = []
        self.cursors: dict[tuple[str, str], tuple[int, int]] = {}
        self.due: dict[str, list[About]] = {}

    def run(self, entries: Sequence[Entry]) -> None:
        found = [(entry.number, entry.line) for entry in entries if isinstance(entry.line, MessageLine)]
        self._look([line for _, line in found])
        for number, line in found:
            try:
                if (line.conversation, line.id) in self.places:
                    self.known += 1
                else:
                    self._post(line)
            except (HubbubError, Refused) as error:
                self.refused.append((number, str(error)))
        if self.messages:
            self._write()

    # --- what is there --------------------------------------------------------------------------------------------

    def _look(self, lines: Sequence[MessageLine]) -> None:
        for id in sorted({line.conversation for line in lines}):
            try:
                row = brought(self.ledger, id)
            except Refused as error:
                self.native[id] = error
            else:
                if row is not None:
                    self.rows[id] = row
        senders = {(line.conversation, line.sender) for line in lines if line.sender is not None}
        names = ("conversation", "user")
        self.inside = set(bulk.select(self.tx, members, names, names, sorted(senders)))
        named = {user for line in lines for given in line.reactions for user in given.users}
        named.update(user for line in lines if line.mentions is not None for user in line.mentions.users)
        self.people = {
            id for (id,) in bulk.select(self.tx, users, ("id",), ("id",), [(id,) for id in sorted(named)])
        }
        self._look_for_keys(lines)
        self._look_for_references(lines)
        self._look_for_roots(lines)

    def _look_for_keys(self, lines: Sequence[MessageLine]) -> None:
        """Which of them were brought before."""
        keyed = {
            (line.conversation, line.sender, self._key(line.id)) for line in lines if line.sender is not None
        }
        columns = ("conversation", "key", "seq")
        found = bulk.select(self.tx, messages, columns, ("conversation", "sender", "key"), sorted(keyed))
        for conversation, key, seq in found:
            self.places[conversation, self._id(key)] = seq
        unsent: dict[str, set[str]] = {}
        for line in lines:
            if line.sender is None:
                unsent.setdefault(line.conversation, set()).add(line.id)
        for conversation, ids in unsent.items():
            self._look_for(conversation, ids, messages.c.sender.is_(None))

    def _look_for_references(self, lines: Sequence[MessageLine]) -> None:
        wanted: dict[str, set[str]] = {}
        for line in lines:
            for id in (line.thread, line.reply_to):
                if id is not None:
                    place = (line.conversation, id)
                    if place in self.before:
                        self.places.setdefault(place, self.before[place])
                    elif place not in self.places:
                        wanted.setdefault(line.conversation, set()).add(id)
        for line in lines:  # what comes with them is not there yet
            if line.conversation in wanted and (line.conversation, line.id) not in self.places:
                wanted[line.conversation].discard(line.id)
        for conversation, ids in wanted.items():
            inside = sa.select(members.c.user).where(members.c.conversation == conversation)
            self._look_for(conversation, ids, messages.c.sender.in_(inside))
            self._look_for(conversation, ids, messages.c.sender.is_(None))

    def _look_for(self, conversation: str, ids: set[str], whose: sa.ColumnElement[bool]) -> None:
        if not ids:
            return
        query = sa.select(messages.c.key, messages.c.seq).where(
            messages.c.conversation == conversation,
            whose,
            messages.c.key.in_(sorted(map(self._key, ids))),
        )
        for key, seq in self.ledger.execute(query):
            self.places[conversation, self._id(key)] = seq

    def _key(self, id: str) -> str:
        return f"import:{self.origin}:{id}"

    def _id(self, key: str) -> str:
        return key[len(self.origin) + 8 :]

    def _root(self, conversation: str, id: str) -> _Root:
        seq = self.places.get((conversation, id))
        if seq is None:
            raise Refused("thread: there is no such message")
        root = self.roots.get((conversation, seq))
        if root is None:
            raise Refused("thread: a thread begins at a message of the main timeline")
        return root

    def _look_for_roots(self, lines: Sequence[MessageLine]) -> None:
        """The beginnings of threads that are there already."""
        wanted = set()
        for line in lines:
            if line.thread is not None:
                seq = self.places.get((line.conversation, line.thread))
                if seq is not None:
                    wanted.add((line.conversation, seq))
        columns = ("conversation", "seq", "number", "replies", "last_reply")
        found = bulk.select(self.tx, messages, columns, ("conversation", "seq"), sorted(wanted))
        for conversation, seq, number, replies, last in found:
            if number is not None:
                self.roots[conversation, seq] = _Root(seq, replies, last or 0.0)

    # --- one message ----------------------------------------------------------------------------------------------

    def _post(self, line: MessageLine) -> None:
        if line.conversation in self.native:
            raise self.native[line.conversation]
        row = self.rows.get(line.conversation)
        if row is None:
            raise Refused("there is no such conversation")
        if line.sender is not None and (row.id, line.sender) not in self.inside:
            raise Refused("sender: not a member of the conversation")
        system = line.kind == "system"
        if system and (line.thread is not None or line.sender is not None):
            raise Refused("a system message has no sender and is in no thread")
        if line.deleted is not None:
            content = NOTHING
        else:
            content = _system_content(line.parts) if system else self._content(line.parts)
        given, counts = ([], ()) if line.deleted is not None else self._reacted(line)
        root = None if line.thread is None else self._root(row.id, line.thread)
        # From here on nothing is refused.
        seq = row.head = row.head + 1
        number = thread_number = None
        if root is not None:
            thread_number = root.replies = root.replies + 1
            root.last = line.created
        elif not system:
            number = row.messages = row.messages + 1
            row.last_message, row.last_activity = seq, line.created
            if line.sender is not None:
                self.cursors[row.id, line.sender] = (seq, number)
            self.roots[row.id, seq] = _Root(seq, 0, 0.0)
        said = None if line.deleted is not None else self._mentions(line)
        if said is not None:
            self.mentions += mentions.rows(row.id, seq, number, said)
        message = Message(
            row.id,
            seq,
            line.sender,
            line.created,
            content.parts,
            line.kind,
            number,
            None if root is None else root.seq,
            thread_number,
            None if line.reply_to is None else self.places.get((row.id, line.reply_to)),
            said,
            line.version,
            line.edited,
            line.deleted,
            counts,
            options=self._options(line, seq),
            annotations=content.annotations,
        )
        if content.due:
            for kind, when in content.due:
                self.due.setdefault(kind, []).append((when, row.id, seq))
        self.reactions += [(row.id, seq, name, user, line.created) for name, user in given]
        self._keep(line, message, content)
        self.places[row.id, line.id] = seq
        self.written += 1

    def _content(self, given: Sequence[Raw]) -> Checked:
        """Files stay where they came from: what is left of them is their name."""
        if any(b'"file"' in bytes(part) for part in given):
            given = [_without_file(bytes(part)) for part in given]
        return parts.check(given, self.allowed)

    def _reacted(self, line: MessageLine) -> tuple[list[tuple[str, str]], tuple[ReactionCount, ...]]:
        if not line.reactions:
            return [], ()
        whole: dict[str, dict[str, None]] = {}
        for given in line.reactions:
            name = text.text(given.name, "reactions.name").strip()
            limits.check(self.allowed, "reaction_length", len(name), "reactions.name")
            for user in given.users:
                if user not in self.people:
                    raise Refused(f"reactions: there is no user {user!r}")
                whole.setdefault(name, {})[user] = None
        limits.check(self.allowed, "reactions", len(whole), "reactions")
        counts = [ReactionCount(name, len(who), tuple(who)[:NAMED]) for name, who in whole.items()]
        return [(name, user) for name, who in whole.items() for user in who], tuple(counts)

    def _mentions(self, line: MessageLine) -> Mentions | None:
        """Groups are not brought; of users, who is known."""
        if line.mentions is None:
            return None
        named = tuple(dict.fromkeys(user for user in line.mentions.users if user in self.people))
        return Mentions(named, line.mentions.everyone) if named or line.mentions.everyone else None

    def _options(self, line: MessageLine, seq: int) -> Options:
        given = line.options
        if given is None:
            return IMPORTED
        if given.expires is not None and line.deleted is None:
            self.due.setdefault(EXPIRE, []).append((given.expires, line.conversation, seq))
        forwarded = given.forwarded
        if forwarded is not None:
            forwarded = replace(forwarded, conversation=None, message=None)
        return replace(given, forwarded=forwarded, imported=True)

    def _keep(self, line: MessageLine, message: Message, content: Checked) -> None:
        id, seq, now = message.conversation, message.seq, self.tx.now
        event = MessageCreated(
            conversation=id,
            seq=seq,
            time=now,
            actor=message.sender,
            message=message,
            replies=message.thread_number or 0,
        )
        data = _encode(event)
        self.events.append((id, seq, TAG, seq, message.sender, now, data.decode()))
        self.tx.outbox.append(Logged(channel_of(id), seq, TAG, data, message.sender, now))
        self.texts.append(content.text)
        self.messages.append(
            (
                id,
                seq,
                message.number,
                message.thread,
                message.thread_number,
                message.kind,
                message.sender,
                content.json,
                _json(message.mentions),
                message.reply_to,
                self._key(line.id),
                message.created,
                message.version,
                message.edited,
                message.deleted,
                _encode(message.reactions).decode() if message.reactions else None,
                0,
                _json(message.options),
                _json(message.annotations),
            )
        )

    # --- all of them ----------------------------------------------------------------------------------------------

    def _write(self) -> None:
        tx, stamp = self.tx, self.tx.stamp
        ids = bulk.insert_identified(tx, messages, MESSAGE, self.messages)
        bulk.insert(tx, events, EVENT, self.events)
        mentions.insert(tx, self.mentions)
        columns = ("conversation", "message", "name", "user", "time")
        bulk.insert(tx, reactions, columns, self.reactions)
        for kind, about in self.due.items():
            schedule_many(tx, kind, about)
        found = zip(ids, self.messages, self.texts, strict=True)
        search_index.index(tx, [(id, row[0], said) for id, row, said in found if said])
        grown = {row[0] for row in self.messages}
        names = ("head", "messages", "last_message", "last_activity", "changed")
        changed = [
            (id, row.head, row.messages, row.last_message, row.last_activity, stamp)
            for id, row in self.rows.items()
            if id in grown
        ]
        bulk.update(tx, conversations, ("id",), names, changed)
        cursors = ("read", "read_number", "delivered", "delivered_number", "changed")
        moved = [(*member, *at, *at, stamp) for member, at in self.cursors.items()]
        bulk.update(tx, members, ("conversation", "user"), cursors, moved)
        replied = [(*place, root.replies, root.last) for place, root in self.roots.items() if root.replies]
        bulk.update(tx, messages, ("conversation", "seq"), ("replies", "last_reply"), replied)


def _system_content(given: Sequence[Raw]) -> Checked:
    try:
        (part,) = [_system(each) for each in given]
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise Refused(f"parts: not of a system message: {error}") from None
    kept = _encode(part)
    return Checked((Raw(kept),), f"[{kept.decode()}]", "")


def _without_file(raw: bytes) -> Raw:
    try:
        if _typed(raw).type != "file":
            return Raw(raw)
        part = _file(raw)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return Raw(raw)  # the check says what is wrong
    said = "\n".join(filter(None, (part.caption, f"[{part.name or part.file}]")))
    return Raw(_encode(TextPart(said)))


def _json(value: Struct | None) -> str | None:
    return None if value is None else _encode(value).decode()
