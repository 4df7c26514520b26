"""Working on the review queue: looking at cases, claiming them, and noting what one has found out."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat.cases import COLUMNS, REPORTS, WAITING, Case, CaseId, CaseRow, Words, save
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.model import CaseState, ConversationId, UserId
from hubbub.chat.operations import Nothing, read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.restrictions import said
from hubbub.chat.rows import ConversationRow
from hubbub.chat.standing import holds_office, moderated
from hubbub.chat.users import myself
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import case_notes, cases, reports

NoteKind: TypeAlias = Literal["note", "decision", "appeal", "answer"]


class ByCase(Struct, frozen=True, forbid_unknown_fields=True):
    """One case."""

    case: CaseId


class ListCases(Struct, frozen=True, forbid_unknown_fields=True):
    """Which cases: of a conversation (without one, all), about a user, in a state (without one, those that wait), or
    `claimed_by` somebody."""

    conversation: ConversationId | None = None
    user: UserId | None = None
    state: CaseState | None = None
    claimed_by: UserId | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class CasePage(Struct, frozen=True, omit_defaults=True):
    """Cases, those of the highest priority first, and of these the oldest. `next` is absent on the last page."""

    cases: tuple[Case, ...]
    next: str | None = None


class AddNote(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be noted."""

    case: CaseId
    text: Annotated[Words, Meta(min_length=1)]


class CaseNote(Struct, frozen=True, omit_defaults=True):
    """What somebody has written into a case, for moderators; an `appeal` is by the user that it is about."""

    kind: NoteKind
    text: str
    time: float
    author: str | None = None


class CaseReport(Struct, frozen=True, omit_defaults=True):
    """What somebody has reported. Who it was is told to those alone who have an office."""

    reason: str
    note: str
    created: float
    reporter: str | None = None


class CaseDetails(Struct, frozen=True):
    """A case with what was noted and reported, the newest last."""

    case: Case
    notes: tuple[CaseNote, ...]
    reports: tuple[CaseReport, ...]


@read("cases.list", "GET", "/cases")
def page(view: View, actor: Actor, params: ListCases) -> CasePage:
    """The review queue.

    Of a conversation it takes the permission `moderate`, of all an office. Cases about oneself are not shown. Raises
    NOT_FOUND, PERMISSION_DENIED, VALIDATION_FAILED and LIMIT_EXCEEDED (`limits.page`).
    """
    size = page_size(view.config, params.limit)
    moderated(view, actor, params.conversation)
    states = WAITING if params.state is None else (params.state,)
    query = sa.select(*COLUMNS).where(cases.c.state.in_(states))
    if not actor.server:
        query = query.where(sa.or_(cases.c.user.is_(None), cases.c.user != actor.user))
    for name in ("conversation", "user"):
        if (wanted := getattr(params, name)) is not None:
            query = query.where(cases.c[name] == wanted)
    if params.claimed_by is not None:
        query = query.where(cases.c.claimed_by == params.claimed_by, cases.c.claimed_until > view.now)
    if params.cursor is not None:
        priority, *after = read_cursor(params.cursor, tuple[int, float, str])
        later = sa.tuple_(cases.c.created, cases.c.id) > sa.tuple_(*after)
        query = query.where(sa.or_(cases.c.priority < priority, sa.and_(cases.c.priority == priority, later)))
    query = query.order_by(cases.c.priority.desc(), cases.c.created, cases.c.id).limit(size + 1)
    rows = [CaseRow(*row) for row in view.execute(query)]
    more = len(rows) > size
    rows = rows[:size]
    last = rows[-1] if more else None
    return CasePage(
        tuple(row.public(view.now) for row in rows),
        None if last is None else cursor(last.priority, last.created, last.id),
    )


@read("cases.get", "GET", "/cases/{case}")
def get(view: View, actor: Actor, params: ByCase) -> CaseDetails:
    """A case with its notes and reports. Raises NOT_FOUND."""
    row, _ = find_case(view, actor, params.case)
    noted = sa.select(case_notes.c.kind, case_notes.c.text, case_notes.c.time, case_notes.c.author).where(
        case_notes.c.case == row.id
    )
    notes = view.execute(noted.order_by(case_notes.c.id.desc()).limit(REPORTS)).all()
    told = sa.select(reports.c.reason, reports.c.note, reports.c.created, reports.c.reporter).where(
        reports.c.case == row.id
    )
    found = view.execute(told.order_by(reports.c.created.desc(), reports.c.reporter).limit(REPORTS)).all()
    named = holds_office(view, actor)
    return CaseDetails(
        row.public(view.now),
        tuple(CaseNote(*note) for note in reversed(notes)),
        tuple(
            CaseReport(reason, note, created, reporter if named else None)
            for reason, note, created, reporter in reversed(found)
        ),
    )


@write("cases.claim", "PUT", "/cases/{case}/claim")
def claim(ledger: Ledger, actor: Actor, params: ByCase) -> Case:
    """Take a case to work on: for `moderation.claim_ttl` seconds nobody else decides on it.

    To claim it again is to have it for longer. Raises NOT_FOUND, and CONFLICT for what somebody else has claimed, or
    what waits no more.
    """
    user = myself(actor)
    row, _ = find_case(ledger, actor, params.case, lock=True)
    _waits(row)
    refuse_claimed(ledger, actor, row)
    row.claimed_by, row.claimed_until = user, ledger.now + ledger.config.moderation.claim_ttl
    save(ledger, row)
    return row.public(ledger.now)


@write("cases.release", "DELETE", "/cases/{case}/claim")
def release(ledger: Ledger, actor: Actor, params: ByCase) -> Case:
    """Give a case back. It is no error if nobody has claimed it. The server, and who is an admin by office, can take it
    from others. Raises NOT_FOUND, and CONFLICT for what somebody else has claimed."""
    row, _ = find_case(ledger, actor, params.case, lock=True)
    if row.claimed(ledger.now):
        if row.claimed_by != actor.user and not holds_office(ledger, actor, "admin"):
            refuse_claimed(ledger, actor, row)
        row.claimed_by = row.claimed_until = None
        save(ledger, row)
    return row.public(ledger.now)


@write("cases.note", "POST", "/cases/{case}/notes", status=201)
def note(ledger: Ledger, actor: Actor, params: AddNote) -> Nothing:
    """Note something about a case, for other moderators. Raises NOT_FOUND, VALIDATION_FAILED and LIMIT_EXCEEDED
    (`limits.note_length`)."""
    row, _ = find_case(ledger, actor, params.case, lock=True)
    written = said(ledger, params.text, "text")
    if not written:
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "text: it is empty", field="text")
    add_note(ledger, actor, row, "note", written)
    save(ledger, row)
    return Nothing()


OPERATIONS = (page, get, claim, release, note)


# --- what others work on cases with -------------------------------------------------------------------------------


def find_case(
    view: View, actor: Actor, id: str, *, lock: bool = False
) -> tuple[CaseRow, ConversationRow | None]:
    """A case that the actor may work on, and the conversation that it is about. With `lock` both are locked. Raises
    NOT_FOUND, in the same words for what is not there, what one does not moderate, and what is about oneself."""
    query = sa.select(*COLUMNS).where(cases.c.id == id)
    found = view.execute(query).first()
    row = CaseRow(*found) if found is not None else None
    if row is None or (not actor.server and row.user == actor.user):
        raise no_such_case()
    about = None if row.conversation is None else view.find(row.conversation, lock=lock)
    if not view.moderates(actor, about):
        raise no_such_case()
    if lock:
        row = CaseRow(*view.execute(query.with_for_update()).one())
    return row, about


def no_such_case() -> HubbubError:
    return HubbubError(ErrorCode.NOT_FOUND, "there is no such case", field="case")


def refuse_claimed(view: View, actor: Actor, row: CaseRow) -> None:
    """Raises CONFLICT for a case that somebody else works on."""
    if row.claimed(view.now) and row.claimed_by != actor.user:
        raise HubbubError(ErrorCode.CONFLICT, f"it is claimed by {row.claimed_by}", field="case")


def add_note(ledger: Ledger, actor: Actor, row: CaseRow, kind: NoteKind, text: str) -> None:
    values = {
        "case": row.id,
        "kind": kind,
        "author": actor.user or None,
        "text": text,
        "time": ledger.now,
    }
    ledger.execute(case_notes.insert(), values)


def _waits(row: CaseRow) -> None:
    if row.state not in WAITING:
        raise HubbubError(ErrorCode.CONFLICT, f"it is {row.state}", field="case")
