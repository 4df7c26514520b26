"""Files in messages: which may be sent, what of them stands in the message, and who may read them for it.

Who may read a message that shows a file may read the file. When the last message that shows it is gone, so is it. Who
has an office opens the files of what it reviews, too; that is written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Raw, Struct
from msgspec.structs import replace

from hubbub.attachments.uploads import Piece
from hubbub.chat import parts
from hubbub.chat.kinds.file import FilePart, Thumbnail, filled
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.messages import find
from hubbub.chat.outgoing import read_held
from hubbub.config import Config
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.base import Transaction
from hubbub.storage.tables import (
    cases,
    conversations,
    emoji,
    file_usage,
    file_uses,
    files,
    holds,
    members,
)

LOOK = "file.look"
"""The agenda's word for a look at a file whose time has come (`chat/filing.py`)."""
USE = ("file", "conversation", "message")
A_YEAR = 366 * 86_400.0
LOOKED_AT = 20
"""Messages that are looked at for one who may read the file."""
FILE_PART = b'{"type":"file",'
"""How a part of the kind begins, as it is kept."""


class Picture(Struct, frozen=True):
    """A thumbnail that is kept. Sides in pixels, size in bytes."""

    width: int
    height: int
    type: str
    size: int


class Facts(Struct, frozen=True, omit_defaults=True):
    """What the column `data` has of a file."""

    pieces: tuple[Piece, ...] = ()
    metadata: str = ""
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    thumbnails: tuple[Picture, ...] = ()
    reason: str = ""


_facts = msgspec.json.Decoder(Facts).decode


class FileRow(Struct, frozen=True):
    """A row of `files`. `owner` is "" for the server's."""

    id: str
    owner: str
    name: str
    type: str
    size: int
    received: int
    state: str
    data: str
    created: float
    expires: float | None

    @property
    def facts(self) -> Facts:
        return _facts(self.data)


ROW = tuple(files.c[name] for name in FileRow.__struct_fields__)


def no_such_file(field: str | None = "file") -> HubbubError:
    """In the same words for what is not there and what one may not know of."""
    return HubbubError(ErrorCode.NOT_FOUND, "there is no such file", field=field)


# --- sending ------------------------------------------------------------------------------------------------------


def known(tx: Transaction, ids: Iterable[str]) -> dict[str, FileRow]:
    """Files by their ids. None of them goes before the transaction ends."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    query = sa.select(*ROW).where(files.c.id.in_(wanted)).order_by(files.c.id).with_for_update()
    return {row.id: FileRow(*row) for row in tx.execute(query)}


def attached(
    checked: parts.Checked,
    found: dict[str, FileRow],
    sender: str,
    config: Config,
    lent: Iterable[str] = (),
    field: str = "parts",
) -> parts.Checked:
    """`checked` with what is known of its files. A user sends files of its own, and those in `lent`; the server any.

    Raises NOT_FOUND, CONFLICT for a file that has not come or is being looked at, FILE_REFUSED, and LIMIT_EXCEEDED
    (`attachments.per_message`).
    """
    most = config.attachments.per_message
    if len(checked.files) > most:
        raise HubbubError(
            ErrorCode.LIMIT_EXCEEDED,
            f"{field}: more than attachments.per_message = {most} files",
            field=field,
        )
    for id in checked.files:
        row = found.get(id)
        if row is None or row.state == "gone" or (sender and row.owner != sender and id not in lent):
            raise no_such_file(field)
        if row.state == "refused":
            raise HubbubError(ErrorCode.FILE_REFUSED, row.facts.reason, field=field)
        if row.state != "ready":
            raise HubbubError(ErrorCode.CONFLICT, f"{field}: the file is not ready yet", field=field)
    kept = tuple(_filled(raw, found) for raw in checked.parts)
    json = "[" + ",".join(bytes(raw).decode() for raw in kept) + "]"
    return replace(checked, parts=kept, json=json, text=parts.searchable(kept))


def _filled(raw: Raw, found: dict[str, FileRow]) -> Raw:
    if not bytes(raw).startswith(FILE_PART):
        return raw
    row = found[parts.files_of((raw,))[0]]
    facts = row.facts
    part = FilePart(
        row.id,
        "",
        row.name,
        row.type,
        row.size,
        facts.width,
        facts.height,
        facts.duration,
        tuple(Thumbnail(each.width, each.height) for each in facts.thumbnails),
    )
    return Raw(filled(bytes(raw), part))


def use(tx: Transaction, rows: Sequence[bulk.Row], config: Config) -> None:
    """Write down that messages show files (`USE`), which then stay; those of messages that are held (seq 0) until
    nobody can let them pass any more."""
    shown = [row for row in rows if row[2]]
    bulk.insert(tx, file_uses, USE, shown, ignore=True)
    stay = {row[0] for row in shown}
    bulk.update(tx, files, ("id",), ("expires", "changed"), [(id, None, tx.stamp) for id in sorted(stay)])
    held = {row[0] for row in rows} - stay
    until = tx.now + (config.moderation.hold_ttl or A_YEAR) + config.attachments.unused_ttl
    tx.execute(
        files.update().where(files.c.id.in_(sorted(held)), files.c.expires < until).values(expires=until)
    )


def edited(
    ledger: Ledger,
    actor: Actor,
    conversation: str,
    message: int,
    before: Sequence[Raw],
    checked: parts.Checked,
) -> parts.Checked:
    """As `attached`, for a message that says something else from now on. It keeps the files that it had, for one may
    still read what it said before."""
    result = attached(
        checked, known(ledger.tx, checked.files), actor.user, ledger.config, parts.files_of(before)
    )
    use(ledger.tx, [(id, conversation, message) for id in checked.files], ledger.config)
    return result


# --- not any more -------------------------------------------------------------------------------------------------


def release(ledger: Ledger, conversation: str, messages: Sequence[int]) -> None:
    """These messages show nothing any more: files that no other shows are gone."""
    places = [(conversation, seq) for seq in messages]
    names = ("conversation", "message")
    shown = {row[0] for row in bulk.select(ledger.tx, file_uses, ("file",), names, places)}
    if not shown:
        return
    bulk.delete(ledger.tx, file_uses, names, places)
    leave(ledger, shown)


def leave(ledger: Ledger, ids: Iterable[str]) -> None:
    """Something shows these files no more. Those that nothing shows are gone."""
    found = known(ledger.tx, ids)
    file = ("file",)
    shown = {row[0] for row in bulk.select(ledger.tx, file_uses, file, file, [(id,) for id in found])}
    for id in sorted(found.keys() - shown - _of_emoji(ledger, found)):
        if found[id].state != "gone":
            discard(ledger, found[id])


def _of_emoji(view: View, ids: Iterable[str]) -> set[str]:
    query = sa.select(emoji.c.file).where(emoji.c.file.in_(list(ids)), emoji.c.removed.is_(False))
    return set(view.execute(query).scalars())


def used(view: View, id: str) -> bool:
    """Whether a message or an emoji shows the file."""
    query = sa.select(file_uses.c.file).where(file_uses.c.file == id).limit(1)
    return view.execute(query).first() is not None or bool(_of_emoji(view, (id,)))


def discard(ledger: Ledger, row: FileRow) -> None:
    """The file is gone for everybody; its bytes go soon."""
    if row.state not in ("refused", "gone"):
        charge(ledger, row.owner, -1, -row.size)
    ledger.execute(file_uses.delete().where(file_uses.c.file == row.id))
    ledger.execute(
        files.update()
        .where(files.c.id == row.id)
        .values(state="gone", name="", expires=ledger.now, changed=ledger.tx.stamp)
    )
    ledger.schedule(LOOK, ledger.now, data=row.id)


def discard_all(ledger: Ledger, owner: str, most: int = 1_000) -> int:
    """The files of a user who is forgotten are gone, `most` at a time; how many that were."""
    query = sa.select(*ROW).where(files.c.owner == owner, files.c.state != "gone").order_by(files.c.id)
    rows = [FileRow(*row) for row in ledger.execute(query.limit(most).with_for_update())]
    for row in rows:
        discard(ledger, row)
    return len(rows)


# --- quota --------------------------------------------------------------------------------------------------------


def charge(ledger: Ledger, owner: str, count: int, size: int) -> None:
    """Add to what a user has uploaded (the server has no quota). Raises QUOTA_EXCEEDED. The user's row is locked from
    then on, so that of a hundred at once none is let in too many."""
    if not owner:
        return
    bulk.insert(ledger.tx, file_usage, ("user", "files", "bytes"), [(owner, 0, 0)], ignore=True)
    query = sa.select(file_usage.c.files, file_usage.c.bytes).where(file_usage.c.user == owner)
    had, had_bytes = ledger.execute(query.with_for_update()).one()
    quota = ledger.config.attachments
    if count > 0 and quota.quota_files and had + count > quota.quota_files:
        raise HubbubError(
            ErrorCode.QUOTA_EXCEEDED, f"you have {had} files; attachments.quota_files = {quota.quota_files}"
        )
    if count > 0 and quota.quota_bytes and had_bytes + size > quota.quota_bytes:
        raise HubbubError(
            ErrorCode.QUOTA_EXCEEDED,
            f"{max(0, quota.quota_bytes - had_bytes)} bytes are left of attachments.quota_bytes "
            f"= {quota.quota_bytes}",
        )
    ledger.execute(
        file_usage.update()
        .where(file_usage.c.user == owner)
        .values(files=had + count, bytes=had_bytes + size)
    )


# --- reading ------------------------------------------------------------------------------------------------------


def row_of(view: View, id: str) -> FileRow | None:
    found = view.execute(sa.select(*ROW).where(files.c.id == id)).first()
    return None if found is None else FileRow(*found)


def readable(view: View, actor: Actor, id: str) -> FileRow:
    """A file that the actor may read: its own (in whatever state), one that a message shows which the actor may read,
    or a custom emoji's. Raises NOT_FOUND."""
    row = row_of(view, id)
    if row is None or row.state == "gone":
        raise no_such_file()
    if actor.server or row.owner == actor.user:
        return row
    if row.state == "ready" and (_shown(view, actor, id) or _of_emoji(view, (id,))):
        return row
    raise no_such_file()


def _shown(view: View, actor: Actor, id: str) -> bool:
    """Whether one of the newest messages that show the file is for the actor to read: those in its conversations, and
    those in topics that everybody may read."""
    place = (file_uses.c.conversation, file_uses.c.message)
    mine = sa.select(*place).join(members, members.c.conversation == file_uses.c.conversation)
    mine = mine.where(members.c.user == actor.user, members.c.state == "joined")
    public = sa.select(*place).join(conversations, conversations.c.id == file_uses.c.conversation)
    public = public.where(conversations.c.kind == "topic")
    for query in (mine, public):
        newest = query.where(file_uses.c.file == id).order_by(*(column.desc() for column in place))
        for conversation, message in view.execute(newest.limit(LOOKED_AT)).all():
            if _may_read(view, actor, conversation, message):
                return True
    return False


def _may_read(view: View, actor: Actor, conversation: Any, message: Any) -> bool:
    try:
        row, member = view.access(actor, conversation, "read")
        return find(view, actor, row, member, message)[1].deleted is None
    except HubbubError:
        return False


class Reviewed(Struct, frozen=True):
    """A case about a message, held or not, that shows a file."""

    case: str
    conversation: str
    message: int | None


def reviewed(view: View, actor: Actor, row: FileRow) -> Reviewed | None:
    """The case for which the actor may open a file that it could not read otherwise: one that waits, is not about the
    actor itself, and that nobody else has claimed. It is for who has an office."""
    if actor.server or row.state != "ready" or view.office(actor.user) == "none":
        return None
    mine = (
        cases.c.state.in_(("open", "appealed")),
        sa.or_(cases.c.user.is_(None), cases.c.user != actor.user),
        sa.or_(
            cases.c.claimed_by.is_(None), cases.c.claimed_by == actor.user, cases.c.claimed_until <= view.now
        ),
    )
    case = (cases.c.id, cases.c.conversation, cases.c.message)
    shown = sa.and_(file_uses.c.conversation == cases.c.conversation, file_uses.c.message == cases.c.message)
    sent = sa.select(*case).join(file_uses, shown).where(file_uses.c.file == row.id, *mine)
    if (found := view.execute(sent.limit(1)).first()) is not None:
        return Reviewed(*found)
    # Of held messages it is not written down which files they show.
    waiting = sa.select(*case, holds.c.content).join(holds, holds.c.id == cases.c.hold)
    waiting = waiting.where(cases.c.user == row.owner, *mine)
    for id, conversation, message, content in view.execute(waiting):
        if row.id in parts.files_of(read_held(content).parts):
            return Reviewed(id, conversation, message)
    return None
