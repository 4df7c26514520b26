"""What becomes of cases: decisions, appeals, and the answers to them.

What a decision does in a conversation is done by the server, as far as its members see; who has decided stands in the
case and in the audit log.
"""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from msgspec import Meta, Struct
from msgspec.structs import replace

from hubbub.chat.caseload import add_note, find_case, no_such_case, refuse_claimed
from hubbub.chat.cases import COLUMNS, Case, CaseId, CaseRow, Decision, Words, save
from hubbub.chat.editing import bury
from hubbub.chat.events import AppealAnswered, CaseDecided, ReportDecided
from hubbub.chat.holds import find_hold, settle
from hubbub.chat.inbox import tell_all
from hubbub.chat.ledger import SERVER, Actor, Ledger, View
from hubbub.chat.messages import find
from hubbub.chat.model import CaseAction, CaseState, RestrictionKind, Subject
from hubbub.chat.operations import read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.restrictions import Until, lift, restrict, said
from hubbub.chat.rows import ConversationRow
from hubbub.chat.standing import moderated, require_above, require_over
from hubbub.chat.users import myself
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import cases, messages, reports

ACTIONS: dict[Subject, tuple[CaseAction, ...]] = {
    "message": ("dismiss", "warn", "delete", "mute", "ban", "shadow"),
    "hold": ("approve", "reject", "warn", "mute", "ban", "shadow"),
    "user": ("dismiss", "warn", "mute", "ban", "shadow"),
}
"""What can be decided about what."""
RESTRICTIONS: dict[CaseAction, RestrictionKind] = {"mute": "mute", "ban": "ban", "shadow": "shadow"}
PERSONAL: tuple[CaseAction, ...] = ("warn", *RESTRICTIONS)
"""What is done to a user, and not to a message."""
HARMLESS: tuple[CaseAction, ...] = ("dismiss", "approve")
SILENT: tuple[CaseAction, ...] = (*HARMLESS, "shadow")
"""What the user that it is about does not hear of, and cannot appeal."""


class Decide(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be done. A held message is rejected by all but `approve`; `delete` takes away the message that the
    case is about, too. Restrictions hold in the conversation of the case, or `everywhere`, and `until` some time or for
    good. `text` is told to the user, `note` is for moderators."""

    case: CaseId
    action: Annotated[CaseAction, Meta(examples=["mute"])]
    until: Until | None = None
    everywhere: bool = False
    delete: bool = False
    text: Words = ""
    note: Words = ""


class Appeal(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a decision is wrong."""

    case: CaseId
    text: Annotated[str, Meta(min_length=1, examples=["It was a quotation."])]


class Answer(Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of an appeal; `text` is told to the user."""

    case: CaseId
    granted: bool
    text: Words = ""


class ListMine(Struct, frozen=True, forbid_unknown_fields=True):
    """A page of decisions about oneself."""

    limit: PageLimit | None = None
    cursor: After | None = None


class MyCase(Struct, frozen=True, omit_defaults=True):
    """A decision about oneself. One that is `decided` can be appealed until `appeal_until`; `granted` is how an appeal
    was answered."""

    case: str
    action: CaseAction
    state: CaseState
    time: float
    conversation: str | None = None
    message: int | None = None
    until: float | None = None
    text: str = ""
    appeal_until: float | None = None
    appealed: float | None = None
    granted: bool | None = None


class MyCases(Struct, frozen=True, omit_defaults=True):
    """Decisions, the newest first. `next` is absent on the last page."""

    cases: tuple[MyCase, ...]
    next: str | None = None


@write("cases.decide", "POST", "/cases/{case}/decision")
def decide(ledger: Ledger, actor: Actor, params: Decide) -> Case:
    """Decide on a case, and have it done.

    Of a message: `dismiss`, `warn`, `delete`, `mute`, `ban`, `shadow`. Of a held one: `approve`, which sends it,
    `reject`, `warn`, `mute`, `ban`, `shadow`. Of a user: all but what is for messages. Its user is told, but of a
    shadow ban, and may appeal; who has reported it hears whether something was done.

    Raises NOT_FOUND, PERMISSION_DENIED for a user who stands as high, CONFLICT for what is decided or claimed by
    somebody else, VALIDATION_FAILED, LIMIT_EXCEEDED (`limits.note_length`), and what keeps a held message from being
    sent.
    """
    row, about = find_case(ledger, actor, params.case, lock=True)
    if row.state != "open":
        raise HubbubError(ErrorCode.CONFLICT, f"it is {row.state}", field="case")
    refuse_claimed(ledger, actor, row)
    decision = _checked(ledger, actor, row, about, params)
    if row.hold is not None:
        _settle(ledger, row, "approved" if params.action == "approve" else "rejected", decision.text)
    elif decision.deleted:
        _delete(ledger, row)
    if (kind := RESTRICTIONS.get(params.action)) is not None:
        assert row.user is not None
        where = None if decision.conversation is None else ledger.find(decision.conversation, lock=True)
        restrict(ledger, actor, where, row.user, kind, params.until, decision.text)
    if written := said(ledger, params.note, "note"):
        add_note(ledger, actor, row, "decision", written)
    ledger.audit(
        actor,
        "cases.decide",
        conversation=row.conversation,
        user=row.user,
        message=row.message,
        case=row.id,
        action=params.action,
        deleted=decision.deleted,
    )
    final = params.action in SILENT or row.user is None
    row.state, row.claimed_by, row.claimed_until = "closed" if final else "decided", None, None
    save(ledger, row, replace(row.kept, decision=decision))
    _tell(ledger, row, decision)
    return row.public(ledger.now)


@write("cases.appeal", "POST", "/cases/{case}/appeal")
def appeal(ledger: Ledger, actor: Actor, params: Appeal) -> MyCase:
    """Ask for a decision about oneself to be looked at again, by somebody else.

    It can be done once, until `moderation.appeal_window` seconds after the decision. Raises NOT_FOUND, CONFLICT,
    VALIDATION_FAILED and LIMIT_EXCEEDED (`limits.note_length`).
    """
    query = sa.select(*COLUMNS).where(cases.c.id == params.case, cases.c.user == myself(actor))
    found = ledger.execute(query.with_for_update()).first()
    row = CaseRow(*found) if found is not None else None
    if row is None or not _known(row):
        raise no_such_case()
    mine = _mine(ledger, row)
    if row.state != "decided":
        raise HubbubError(ErrorCode.CONFLICT, f"it is {row.state}", field="case")
    if mine.appeal_until is not None and mine.appeal_until <= ledger.now:
        raise HubbubError(ErrorCode.CONFLICT, "it is too late to appeal", field="case")
    written = said(ledger, params.text, "text")
    if not written:
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "text: it is empty", field="text")
    add_note(ledger, actor, row, "appeal", written)
    row.state = "appealed"
    save(ledger, row, replace(row.kept, appealed=ledger.now))
    return _mine(ledger, row)


@write("cases.answer", "POST", "/cases/{case}/answer")
def answer(ledger: Ledger, actor: Actor, params: Answer) -> Case:
    """Answer an appeal. To grant it is to lift the restriction, or to send the message that was held; what was deleted
    stays so.

    It is not for who has decided, and takes an office where the decision was by one. Raises NOT_FOUND,
    PERMISSION_DENIED, CONFLICT for what was not appealed or is claimed by somebody else, VALIDATION_FAILED,
    LIMIT_EXCEEDED (`limits.note_length`), and what keeps a held message from being sent.
    """
    row, about = find_case(ledger, actor, params.case, lock=True)
    kept = row.kept
    decision = kept.decision
    if row.state != "appealed" or decision is None:
        raise HubbubError(ErrorCode.CONFLICT, f"it is {row.state}", field="case")
    refuse_claimed(ledger, actor, row)
    if not actor.server and decision.by == actor.user:
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED, "permission denied: you have decided it yourself", field="case"
        )
    require_over(ledger, actor, decision.by, "case")
    assert row.user is not None
    everywhere = decision.action in RESTRICTIONS and decision.conversation is None
    if everywhere:
        moderated(ledger, actor, None)
    if decision.action in PERSONAL:
        require_above(ledger, actor, row.user, None if everywhere else about, "case")
    text = said(ledger, params.text, "text")
    if params.granted:
        if (kind := RESTRICTIONS.get(decision.action)) is not None:
            lift(ledger, actor, row.user, kind, decision.conversation)
        if row.hold is not None:
            _settle(ledger, row, "approved", text)
    if text:
        add_note(ledger, actor, row, "answer", text)
    ledger.audit(
        actor,
        "cases.answer",
        conversation=row.conversation,
        user=row.user,
        message=row.message,
        case=row.id,
        granted=params.granted,
    )
    row.state, row.claimed_by, row.claimed_until = "closed", None, None
    save(ledger, row, replace(kept, granted=params.granted))
    tell_all(ledger, [(row.user, AppealAnswered, {"case": row.id, "granted": params.granted, "text": text})])
    return row.public(ledger.now)


@read("cases.mine", "GET", "/me/cases")
def mine(view: View, actor: Actor, params: ListMine) -> MyCases:
    """What moderators have decided about oneself, the newest first. Raises VALIDATION_FAILED and LIMIT_EXCEEDED
    (`limits.page`)."""
    size = page_size(view.config, params.limit)
    query = sa.select(*COLUMNS).where(
        cases.c.user == myself(actor), cases.c.state.in_(("decided", "appealed", "closed"))
    )
    if params.cursor is not None:
        after = read_cursor(params.cursor, tuple[float, str])
        query = query.where(sa.tuple_(cases.c.created, cases.c.id) < sa.tuple_(*after))
    # What is not told is left out of its page: to page past it is less than to look into JSON.
    query = query.order_by(cases.c.created.desc(), cases.c.id.desc()).limit(size + 1)
    rows = [CaseRow(*row) for row in view.execute(query)]
    more = len(rows) > size
    rows = rows[:size]
    return MyCases(
        tuple(_mine(view, row) for row in rows if _known(row)),
        cursor(rows[-1].created, rows[-1].id) if more else None,
    )


OPERATIONS = (decide, appeal, answer, mine)


# --- what is done -------------------------------------------------------------------------------------------------


def _checked(
    ledger: Ledger, actor: Actor, row: CaseRow, about: ConversationRow | None, params: Decide
) -> Decision:
    """What is to be done, if the actor may and it can be."""
    action = params.action
    if action not in ACTIONS[row.subject]:
        _wrong("action", f"of a {row.subject} it is one of {', '.join(ACTIONS[row.subject])}")
    if params.delete and row.subject != "message":
        _wrong("delete", "the case is about no message that was sent")
    if action not in RESTRICTIONS and (params.until is not None or params.everywhere):
        _wrong("until" if params.until is not None else "everywhere", "this is of restrictions")
    where = None if params.everywhere else about
    if action in RESTRICTIONS and where is None:
        moderated(ledger, actor, None)
    if action in PERSONAL:
        if row.user is None:
            _wrong("action", "it is the server's own")
        assert row.user is not None
        require_above(ledger, actor, row.user, where, "action")
    return Decision(
        action,
        ledger.now,
        actor.user or None,
        params.until,
        where.id if where is not None and action in RESTRICTIONS else None,
        params.delete or action == "delete",
        said(ledger, params.text, "text"),
    )


def _wrong(field: str, why: str) -> None:
    raise HubbubError(ErrorCode.VALIDATION_FAILED, f"{field}: {why}", field=field)


def _settle(ledger: Ledger, row: CaseRow, state: Any, reason: str) -> None:
    assert row.hold is not None
    hold = find_hold(ledger, row.hold)
    if hold is not None and hold.state in ("pending", "rejected") and hold.state != state:
        settle(ledger, hold, state, reason)


def _delete(ledger: Ledger, row: CaseRow) -> None:
    """Whatever the case is about may be deleted by now."""
    assert row.conversation is not None
    about = ledger.find(row.conversation, lock=True)
    if about is None or row.message is None:
        return
    there = sa.select(messages.c.seq).where(
        messages.c.conversation == about.id, messages.c.seq == row.message, messages.c.deleted.is_(None)
    )
    if ledger.execute(there).first() is not None:
        id, message = find(ledger, SERVER, about, None, row.message)
        bury(ledger, SERVER, about, id, message)


def _tell(ledger: Ledger, row: CaseRow, decision: Decision) -> None:
    acted = decision.action not in HARMLESS
    told = ledger.execute(sa.select(reports.c.reporter).where(reports.c.case == row.id)).scalars()
    tell_all(ledger, [(user, ReportDecided, {"case": row.id, "acted": acted}) for user in told])
    if row.user is None or decision.action in SILENT:
        return
    fields = {
        "case": row.id,
        "action": decision.action,
        "conversation": row.conversation,
        "message": row.message,
        "until": decision.until,
        "text": decision.text,
        "appeal_until": decision.time + ledger.config.moderation.appeal_window,
    }
    tell_all(ledger, [(row.user, CaseDecided, fields)])


def _known(row: CaseRow) -> bool:
    """Whether the user that a case is about knows of it."""
    decision = row.kept.decision
    return decision is not None and decision.action not in SILENT and row.state != "open"


def _mine(view: View, row: CaseRow) -> MyCase:
    kept = row.kept
    decision = kept.decision
    assert decision is not None
    window = view.config.moderation.appeal_window
    return MyCase(
        row.id,
        decision.action,
        row.state,
        decision.time,
        row.conversation,
        row.message,
        decision.until,
        decision.text,
        decision.time + window if row.state == "decided" else None,
        kept.appealed,
        kept.granted,
    )
