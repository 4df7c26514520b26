"""Legal holds: what is deleted in a conversation, or of a user, that is under one is kept apart, whoever deletes it.

The deletion itself goes on as ever: for everybody in the conversation the message is gone. What it said, with its
versions, is in the archive, and its files stay, for the server API and admins alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Raw, Struct

from hubbub.chat import limits
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.model import ConversationId, Seq
from hubbub.chat.operations import Nothing, read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.tables import archive, legal_holds, messages, versions

Why: TypeAlias = Literal["deleted", "expired", "retention", "erasure"]
Subject: TypeAlias = Literal["conversation", "user"]
SubjectId = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
_parts = msgspec.json.Decoder(tuple[Raw, ...]).decode


class PlaceHold(Struct, frozen=True, forbid_unknown_fields=True):
    """Keep what is deleted in a conversation, or of what a user has written, from now on."""

    subject: Subject
    id: SubjectId
    reason: Annotated[str, Meta(min_length=1, examples=["Case 2026-117"])]


class ReleaseHold(Struct, frozen=True, forbid_unknown_fields=True):
    """A hold that is there."""

    subject: Subject
    id: SubjectId


class ListHolds(Struct, frozen=True, forbid_unknown_fields=True):
    """A page of all holds."""

    limit: PageLimit | None = None
    cursor: After | None = None


class LegalHold(Struct, frozen=True, omit_defaults=True):
    """A hold: of what, why, by whom (absent: the server) and since when."""

    subject: Subject
    id: str
    reason: str
    created: float
    by: str | None = None


class LegalHoldPage(Struct, frozen=True, omit_defaults=True):
    """Holds, in the order of what they are of. `next` is absent on the last page."""

    holds: tuple[LegalHold, ...]
    next: str | None = None


class ListArchive(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was kept of a conversation; of one `message` of it."""

    conversation: ConversationId
    message: Seq | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class Archived(Struct, frozen=True, omit_defaults=True):
    """A version of a message that was deleted: what it said, by whom, when it was written and when it was deleted, and
    how: by somebody (`deleted`), because its own time (`expired`) or that of the conversation (`retention`) was over,
    or with its author (`erasure`)."""

    message: int
    version: int
    sender: str | None
    parts: tuple[Raw, ...]
    created: float
    archived: float
    why: Why


class ArchivePage(Struct, frozen=True, omit_defaults=True):
    """In the order in which they were deleted. `next` is absent on the last page."""

    archived: tuple[Archived, ...]
    next: str | None = None


@write("retention.hold", "PUT", "/legal-holds/{subject}/{id}")
def hold(ledger: Ledger, actor: Actor, params: PlaceHold) -> LegalHold:
    """Place a legal hold on a conversation, or on what a user writes.

    For the server API and admins. What is deleted from then on, by anybody or because its time is over, is kept in the
    archive. There may be no such conversation or user yet. To hold twice changes the reason. Raises PERMISSION_DENIED
    and LIMIT_EXCEEDED (`limits.note_length`).
    """
    _permit(ledger, actor)
    limits.check(ledger.config.limits, "note_length", len(params.reason), "reason")
    row = (params.subject, params.id, params.reason, actor.user or None, ledger.now)
    columns = ("subject", "id", "reason", "by", "created")
    bulk.insert(ledger.tx, legal_holds, columns, [row], update=("reason", "by", "created"))
    _audit(ledger, actor, "retention.hold", params.subject, params.id, reason=params.reason)
    return LegalHold(params.subject, params.id, params.reason, ledger.now, actor.user or None)


@write("retention.release", "DELETE", "/legal-holds/{subject}/{id}")
def release(ledger: Ledger, actor: Actor, params: ReleaseHold) -> Nothing:
    """Release a legal hold.

    What the archive has stays there. Raises PERMISSION_DENIED and NOT_FOUND.
    """
    _permit(ledger, actor)
    where = (legal_holds.c.subject == params.subject, legal_holds.c.id == params.id)
    if not ledger.execute(legal_holds.delete().where(*where)).rowcount:
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such hold", field="id")
    _audit(ledger, actor, "retention.release", params.subject, params.id)
    return Nothing()


@read("retention.holds", "GET", "/legal-holds")
def holds(view: View, actor: Actor, params: ListHolds) -> LegalHoldPage:
    """All legal holds.

    For the server API and admins. Raises PERMISSION_DENIED, VALIDATION_FAILED and LIMIT_EXCEEDED.
    """
    _permit(view, actor)
    size = page_size(view.config, params.limit)
    place = (legal_holds.c.subject, legal_holds.c.id)
    query = sa.select(*place, legal_holds.c.reason, legal_holds.c.created, legal_holds.c.by).order_by(*place)
    if params.cursor is not None:
        query = query.where(sa.tuple_(*place) > sa.tuple_(*read_cursor(params.cursor, tuple[str, str])))
    found = [LegalHold(*row) for row in view.execute(query.limit(size + 1))]
    more = len(found) > size
    page = tuple(found[:size])
    return LegalHoldPage(page, cursor(page[-1].subject, page[-1].id) if more else None)


@write("retention.archive", "GET", "/conversations/{conversation}/archive")
def read_archive(ledger: Ledger, actor: Actor, params: ListArchive) -> ArchivePage:
    """What legal holds have kept of a conversation's deleted messages.

    For the server API and admins; each look is in the audit log. Raises PERMISSION_DENIED, VALIDATION_FAILED and
    LIMIT_EXCEEDED.
    """
    _permit(ledger, actor)
    size = page_size(ledger.config, params.limit)
    names = ("id", "message", "version", "sender", "parts", "created", "archived", "why")
    query = sa.select(*(archive.c[name] for name in names)).where(
        archive.c.conversation == params.conversation
    )
    if params.message is not None:
        query = query.where(archive.c.message == params.message)
    if params.cursor is not None:
        query = query.where(archive.c.id > read_cursor(params.cursor, tuple[Seq])[0])
    rows = ledger.execute(query.order_by(archive.c.id).limit(size + 1)).all()
    more = len(rows) > size
    rows = rows[:size]
    ledger.audit(actor, "retention.archive", conversation=params.conversation, message=params.message)
    found = tuple(
        Archived(row.message, row.version, row.sender, _parts(row.parts), row.created, row.archived, row.why)
        for row in rows
    )
    return ArchivePage(found, cursor(rows[-1].id) if more else None)


OPERATIONS = (hold, release, holds, read_archive)


def preserve(ledger: Ledger, conversation: str, seqs: Sequence[int], why: Why) -> frozenset[int]:
    """Keep what messages that are about to be deleted say, as far as a legal hold is on the conversation or their
    senders; the seqs of those."""
    held = sa.exists().where(
        sa.or_(
            sa.and_(legal_holds.c.subject == "conversation", legal_holds.c.id == conversation),
            sa.and_(legal_holds.c.subject == "user", legal_holds.c.id == messages.c.sender),
        )
    )
    query = sa.select(
        messages.c.seq,
        messages.c.version,
        messages.c.sender,
        messages.c.parts,
        sa.func.coalesce(messages.c.edited, messages.c.created),
    ).where(
        messages.c.conversation == conversation,
        messages.c.seq.in_(list(seqs)),
        messages.c.deleted.is_(None),
        held,
    )
    found = ledger.execute(query.order_by(messages.c.seq)).all()
    if not found:
        return frozenset()
    senders = {row[0]: row[2] for row in found}
    before = sa.select(versions.c.seq, versions.c.version, versions.c.parts, versions.c.time).where(
        versions.c.conversation == conversation, versions.c.seq.in_(list(senders))
    )
    rows = [(seq, version, senders[seq], said, time) for seq, version, said, time in ledger.execute(before)]
    rows += [tuple(row) for row in found]
    columns = ("conversation", "message", "version", "sender", "parts", "created", "archived", "why")
    bulk.insert(
        ledger.tx,
        archive,
        columns,
        [(conversation, *row, ledger.now, why) for row in sorted(rows, key=_place)],
    )
    return frozenset(senders)


def _place(row: Sequence[object]) -> tuple[object, object]:
    return row[0], row[1]


def held_user(view: View, user: str) -> bool:
    """Whether a legal hold is on what a user has written."""
    query = sa.select(legal_holds.c.id).where(legal_holds.c.subject == "user", legal_holds.c.id == user)
    return view.execute(query).first() is not None


def _permit(view: View, actor: Actor) -> None:
    if not actor.server and view.office(actor.user) != "admin":
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "for the server API and admins")


def _audit(ledger: Ledger, actor: Actor, act: str, subject: Subject, id: str, **data: str) -> None:
    about = {"conversation": id} if subject == "conversation" else {"user": id}
    ledger.audit(actor, act, **about, **data)  # type: ignore[arg-type]
