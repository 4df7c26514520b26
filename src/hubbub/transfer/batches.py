"""One batch of lines into the tables: users, conversations, members and cursors; `posting` has the messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Raw, Struct, UnsetType

from hubbub import jsondata
from hubbub.chat import profile, rules
from hubbub.chat.conversations import NAMED, TABLE, overrides
from hubbub.chat.events import ConversationCreated, MemberChanged
from hubbub.chat.ledger import SERVER, Ledger, channel_of
from hubbub.chat.membership import members_of, write_members
from hubbub.chat.rows import ConversationRow, MemberRow, pair_of
from hubbub.config import Config
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.base import Action, Logged, Transaction, each
from hubbub.storage.tables import conversations, events, imports, messages, users
from hubbub.transfer.lines import (
    ConversationLine,
    CursorLine,
    Entry,
    MemberLine,
    MessageLine,
    UserLine,
    encode,
)
from hubbub.transfer.posting import EVENT, Places, Posting, Refused, brought

HIDDEN = 2**53
"""`visible` of a member of whom it is not known yet what it may see."""
USER = ("id", "kind", "name", "avatar", "custom", "show_last_seen", "head", "created", "updated", "changed")
IMPORT = ("id", "position", "state", "counts", "updated")


class Counts(Struct, frozen=True):
    """What has come of the lines so far. `number` is the last one's; `known` were there already."""

    number: int = 0
    users: int = 0
    conversations: int = 0
    members: int = 0
    messages: int = 0
    known: int = 0
    faults: int = 0


class Batch(Struct, frozen=True):
    """Lines of the import `id`, none of them a fault, and how it stands: `counts` before them, the `place` behind them.
    `faults` are of lines that could not be read. `done` after the last batch."""

    config: Config
    id: str
    origin: str
    entries: tuple[Entry, ...]
    places: Places
    counts: Counts
    number: int
    place: int
    strict: bool = False
    faults: int = 0
    done: bool = False


class Outcome(Struct, frozen=True):
    """What has become of a batch: the new counts, where messages are now, and what was refused (line and reason)."""

    counts: Counts
    places: Places
    refused: tuple[tuple[int, str], ...]


class _Applying:
    def __init__(self, tx: Transaction, batch: Batch) -> None:
        self.tx = tx
        self.ledger = Ledger(tx, batch.config)
        self.batch = batch
        self.refused: list[tuple[int, str]] = []
        self.places: Places = {}
        self.added = {"users": 0, "conversations": 0, "members": 0, "messages": 0, "known": 0}

    def run(self) -> Outcome:
        steps: dict[type, Callable[[Sequence[Entry]], None]] = {
            UserLine: self.users,
            ConversationLine: self.conversations,
            MemberLine: self.members,
            MessageLine: self.messages,
            CursorLine: self.cursors,
        }
        for kind, run in groupby(self.batch.entries, key=lambda entry: type(entry.line)):
            if kind in steps:
                steps[kind](list(run))
        if self.refused and self.batch.strict:
            number, why = self.refused[0]
            raise HubbubError(ErrorCode.VALIDATION_FAILED, f"line {number}: {why}")
        before = self.batch.counts
        counts = Counts(
            self.batch.number,
            **{name: getattr(before, name) + more for name, more in self.added.items()},
            faults=before.faults + self.batch.faults + len(self.refused),
        )
        state = "done" if self.batch.done else "running"
        written = msgspec.json.encode(counts).decode()
        row = (self.batch.id, self.batch.place, state, written, self.tx.now)
        bulk.insert(self.tx, imports, IMPORT, [row], update=IMPORT[1:])
        return Outcome(counts, self.places, tuple(self.refused))

    def _each(self, entries: Sequence[Entry], bring: Callable[[Any], str | None]) -> None:
        """Bring one after the other; `bring` gives what has grown, or None for what was there."""
        for entry in entries:
            try:
                grown = bring(entry.line)
            except (HubbubError, Refused) as error:
                self.refused.append((entry.number, str(error)))
            else:
                self.added[grown or "known"] += 1

    # --- users ----------------------------------------------------------------------------------------------------

    def users(self, entries: Sequence[Entry]) -> None:
        rows: list[bulk.Row] = []
        self._each(entries, lambda line: self._user(line, rows))
        fresh = bulk.insert(self.tx, users, USER, rows, ignore=True)
        self.added["users"] -= len(rows) - fresh
        self.added["known"] += len(rows) - fresh

    def _user(self, line: UserLine, rows: list[bulk.Row]) -> str:
        config, now = self.batch.config, self.tx.now
        profile.check_id(line.id, "id")
        if line.id == "*":
            raise Refused("id: * is everybody")
        name = profile.name(config, line.name) if line.name else ""
        avatar = None if line.avatar is None else profile.avatar(line.avatar)
        created = now if line.created is None else line.created
        custom = self._custom(line.custom)
        kept = (line.id, line.kind, name, avatar, custom, "contacts", 0, created, now, self.tx.stamp)
        rows.append(kept)
        return "users"

    def _custom(self, value: Raw | UnsetType) -> str | None:
        if value is UNSET:
            return None
        limits = self.batch.config.limits
        jsondata.check(bytes(value), depth=limits.json_depth, keys=limits.json_keys, field="custom")
        return profile.custom(self.batch.config, value)

    # --- conversations --------------------------------------------------------------------------------------------

    def conversations(self, entries: Sequence[Entry]) -> None:
        self._each(entries, self._conversation)

    def _conversation(self, line: ConversationLine) -> str | None:
        ledger, config = self.ledger, self.batch.config
        profile.check_id(line.id, "id")
        if (there := brought(ledger, line.id)) is not None:
            if (there.kind, there.created) != (line.kind, line.created):
                raise Refused("id: there is another conversation with it")
            return None
        pair = None
        if line.kind == "direct":
            if not 0 < len(set(line.users)) <= 2:
                raise Refused("users: a direct conversation is of two")
            pair = pair_of(line.users[0], line.users[-1])
            self._known(line.users)
            taken = sa.select(conversations.c.id).where(conversations.c.pair == pair)
            if ledger.execute(taken).first() is not None:
                raise Refused("users: they have a direct conversation already")
        elif line.name is None and line.kind in NAMED:
            raise Refused(f"name: a {line.kind} needs one")
        if line.created_by is not None:
            self._known((line.created_by,))
        row = ConversationRow(
            id=line.id,
            kind=line.kind,
            pair=pair,
            name=None if line.name is None else profile.name(config, line.name),
            topic=None if line.topic is None else profile.topic(config, line.topic),
            avatar=None if line.avatar is None else profile.avatar(line.avatar),
            custom=self._custom(line.custom),
            history=line.history,
            permissions=overrides(line.kind, line.permissions),
            closed=line.closed,
            head=0,
            messages=0,
            members=0,
            last_message=None,
            last_activity=line.created,
            created=line.created,
            created_by=line.created_by,
            slow_mode=line.slow_mode or None,
            retention=line.retention,
        )
        values = (*(getattr(row, name) for name in ConversationRow.__struct_fields__), self.tx.stamp)
        bulk.insert(self.tx, conversations, TABLE, [values])
        ledger.append(row, ConversationCreated, SERVER, created=lambda seq: row.public())
        return "conversations"

    def _known(self, ids: Sequence[str]) -> None:
        if missing := self.ledger.missing_users(ids):
            raise Refused(f"there is no user {missing[0]!r}")

    # --- members --------------------------------------------------------------------------------------------------

    def members(self, entries: Sequence[Entry]) -> None:
        for conversation, run in groupby(entries, key=_conversation_of):
            self._members(conversation, list(run))

    def _members(self, conversation: str, of: Sequence[Entry]) -> None:
        try:
            row = brought(self.ledger, conversation)
        except Refused as error:
            self.refused += [(entry.number, str(error)) for entry in of]
            return
        ids = [entry.line.user for entry in of if isinstance(entry.line, MemberLine)]
        there = set(members_of(self.ledger, conversation, ids))
        unknown = set(self.ledger.missing_users(ids))
        entered: list[MemberRow] = []
        logged: list[bulk.Row] = []

        def bring(line: MemberLine) -> str | None:
            if line.user in there:
                return None
            if row is None:
                raise Refused("there is no such conversation")
            if line.user in unknown:
                raise Refused(f"there is no user {line.user!r}")
            entered.append(self._member(row, line))
            logged.append(self._entered(row, entered[-1]))
            there.add(line.user)
            return "members"

        self._each(of, bring)
        if row is not None and entered:
            write_members(self.ledger, entered)
            bulk.insert(self.tx, events, EVENT, logged)
            columns = ("head", "members", "changed")
            changed = (row.id, row.head, row.members, self.tx.stamp)
            bulk.update(self.tx, conversations, ("id",), columns, [changed])

    def _member(self, row: ConversationRow, line: MemberLine) -> MemberRow:
        if row.kind == "direct" and row.pair is not None and line.user not in row.pair.split("\n"):
            raise Refused("user: not one of the two")
        role = rules.JOINS_AS[row.kind] if line.state == "left" else line.role
        here = (row.head, row.messages)
        since = self.tx.now if line.since is None else line.since
        visible = HIDDEN if line.hidden else row.head if row.history == "joined" and row.messages else 0
        return MemberRow(row.id, line.user, role, line.state, None, since, visible, *here, *here, None, False)

    def _entered(self, row: ConversationRow, member: MemberRow) -> bulk.Row:
        """The event of it."""
        row.members += member.joined
        seq = row.head = row.head + 1
        now = self.tx.now
        event = MemberChanged(
            conversation=row.id, seq=seq, time=now, member=member.public(), members=row.members
        )
        tag, data = str(MemberChanged.__struct_config__.tag), encode(event)
        self.tx.outbox.append(Logged(channel_of(row.id), seq, tag, data, None, now))
        return (row.id, seq, tag, None, None, now, data.decode())

    # --- messages and cursors -------------------------------------------------------------------------------------

    def messages(self, entries: Sequence[Entry]) -> None:
        posting = Posting(self.ledger, self.batch.origin, self.batch.places)
        posting.run(entries)
        self.refused += posting.refused
        self.places |= posting.places
        self.added["messages"] += posting.written
        self.added["known"] += posting.known

    def cursors(self, entries: Sequence[Entry]) -> None:
        for conversation, run in groupby(entries, key=_conversation_of):
            of = list(run)
            try:
                row = brought(self.ledger, conversation)
            except Refused as error:
                self.refused += [(entry.number, str(error)) for entry in of]
                continue
            lines = [entry.line for entry in of if isinstance(entry.line, CursorLine)]
            there = members_of(self.ledger, conversation, [line.user for line in lines])
            wanted = {number for line in lines for number in (line.read, line.delivered, line.unseen)}
            seqs = self._numbered(conversation, wanted) if row is not None else {}
            moved: dict[str, MemberRow] = {}
            for entry, line in zip(of, lines, strict=True):
                member = there.get(line.user)
                if row is None or member is None:
                    self.refused.append((entry.number, "there is no such member"))
                else:
                    moved[line.user] = _move(row, member, line, seqs)
            write_members(self.ledger, list(moved.values()))

    def _numbered(self, conversation: str, numbers: set[int | None]) -> dict[int, int]:
        """The seqs of messages of the main timeline."""
        query = sa.select(messages.c.number, messages.c.seq).where(
            messages.c.conversation == conversation,
            messages.c.thread.is_(None),
            messages.c.number.in_(sorted(number for number in numbers if number)),
        )
        return {row.number: row.seq for row in self.ledger.execute(query)}


def _conversation_of(entry: Entry) -> str:
    assert isinstance(entry.line, MemberLine | CursorLine)
    return entry.line.conversation


def _move(row: ConversationRow, member: MemberRow, line: CursorLine, seqs: dict[int, int]) -> MemberRow:
    """A cursor only goes on: who has sent something has read up to there."""
    end = (row.head, row.messages)

    def place(number: int | None) -> tuple[int, int]:
        if number is None or number >= row.messages:
            return end
        return (seqs[number], number) if number in seqs else (0, 0)

    read = max((member.read, member.read_number), place(line.read))
    delivered = max((member.delivered, member.delivered_number), place(line.delivered), read)
    member.read, member.read_number = read
    member.delivered, member.delivered_number = delivered
    if line.unseen:
        member.visible = max(place(line.unseen)[0], 0 if member.visible == HIDDEN else member.visible)
    elif member.visible == HIDDEN:
        member.visible = 0
    return member


def _apply(tx: Transaction, batch: Batch) -> Outcome:
    return _Applying(tx, batch).run()


APPLY: Action[Batch, Outcome] = each("transfer.import", _apply)
