"""Reports: what users want moderators to look at."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat.cases import COLUMNS, CaseRow, Words, open_case, save
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.limits import RateError
from hubbub.chat.messages import find
from hubbub.chat.model import CaseState, ConversationId, Seq, UserId
from hubbub.chat.operations import read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.restrictions import said
from hubbub.chat.users import known_self, myself, no_such_user
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import cases, reports

ReportReason: TypeAlias = Literal[
    "spam", "abuse", "hate", "violence", "sexual", "self_harm", "illegal", "impersonation", "other"
]


class CreateReport(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be looked at: a `message` of a `conversation`, or a `user` (and in which `conversation`, if it is
    about one)."""

    reason: Annotated[ReportReason, Meta(examples=["spam"])]
    conversation: Annotated[ConversationId, Meta(examples=["5f0d7a"])] | None = None
    message: Annotated[Seq, Meta(examples=[17])] | None = None
    user: UserId | None = None
    note: Words = ""


class Report(Struct, frozen=True, omit_defaults=True):
    """A report of one's own. `case` names it in `report.decided`."""

    case: str
    reason: str
    created: float
    note: str = ""
    state: CaseState = "open"


class ListReports(Struct, frozen=True, forbid_unknown_fields=True):
    """A page of one's own reports."""

    limit: PageLimit | None = None
    cursor: After | None = None


class ReportPage(Struct, frozen=True, omit_defaults=True):
    """Reports, the newest first. `next` is absent on the last page."""

    reports: tuple[Report, ...]
    next: str | None = None


@write("reports.create", "POST", "/reports", status=201)
def create(ledger: Ledger, actor: Actor, params: CreateReport) -> Report:
    """Have moderators look at a message or a user.

    Who moderates the conversation hears of it, and who has an office; who is reported does not, and not who it was. To
    report twice is to report once. Raises NOT_FOUND for what one cannot read, VALIDATION_FAILED for what is one's own,
    MESSAGE_DELETED, RATE_LIMITED (`limits.reports_rate`) and LIMIT_EXCEEDED (`limits.note_length`).
    """
    reporter = known_self(ledger, actor)
    about = params.user
    if (params.message is None) == (params.user is None):
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "give either message or user", field="message")
    if params.message is not None and params.conversation is None:
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "conversation: it is missing", field="conversation")
    if params.conversation is not None:
        row, member = ledger.access(actor, params.conversation, lock=True)
        if params.message is not None:
            _, message = find(ledger, actor, row, member, params.message)
            if message.deleted is not None:
                raise HubbubError(ErrorCode.MESSAGE_DELETED, field="message")
            about = message.sender
    if params.user is not None and ledger.missing_users([params.user]):
        raise no_such_user()
    if about == reporter:
        field = "message" if params.user is None else "user"
        raise HubbubError(ErrorCode.VALIDATION_FAILED, f"{field}: it is your own", field=field)
    note = said(ledger, params.note, "note")
    _refuse_floods(ledger, reporter)
    id = open_case(
        ledger,
        subject="user" if params.message is None else "message",
        conversation=params.conversation,
        message=params.message,
        user=about,
        reason=params.reason,
    )
    query = sa.select(reports.c.reason, reports.c.created, reports.c.note).where(
        reports.c.case == id, reports.c.reporter == reporter
    )
    if (before := ledger.execute(query).first()) is not None:
        return Report(id, before.reason, before.created, before.note)
    values = {
        "case": id,
        "reporter": reporter,
        "reason": params.reason,
        "note": note,
        "created": ledger.now,
    }
    ledger.execute(reports.insert(), values)
    case = CaseRow(*ledger.execute(sa.select(*COLUMNS).where(cases.c.id == id)).one())
    case.reports += 1
    case.priority += 1
    save(ledger, case)
    return Report(id, params.reason, ledger.now, note)


@read("reports.list", "GET", "/me/reports")
def page(view: View, actor: Actor, params: ListReports) -> ReportPage:
    """What one has reported, and whether it was looked at (`decided` or `closed`). Raises VALIDATION_FAILED and
    LIMIT_EXCEEDED (`limits.page`)."""
    size = page_size(view.config, params.limit)
    query = (
        sa.select(reports.c.case, reports.c.reason, reports.c.created, reports.c.note, cases.c.state)
        .join(cases, cases.c.id == reports.c.case)
        .where(reports.c.reporter == myself(actor))
    )
    if params.cursor is not None:
        after = read_cursor(params.cursor, tuple[float, str])
        query = query.where(sa.tuple_(reports.c.created, reports.c.case) < sa.tuple_(*after))
    query = query.order_by(reports.c.created.desc(), reports.c.case.desc()).limit(size + 1)
    found = [Report(*row) for row in view.execute(query)]
    more = len(found) > size
    found = found[:size]
    return ReportPage(tuple(found), cursor(found[-1].created, found[-1].case) if more else None)


OPERATIONS = (create, page)


def _refuse_floods(ledger: Ledger, reporter: str) -> None:
    """At most `limits.reports_burst` in the time in which as many come together at `limits.reports_rate`."""
    rate, burst = ledger.config.limits.reports_rate, ledger.config.limits.reports_burst
    if not rate:
        return
    window = burst / rate
    query = sa.select(reports.c.created).where(
        reports.c.reporter == reporter, reports.c.created > ledger.now - window
    )
    recent = list(ledger.execute(query.order_by(reports.c.created.desc()).limit(burst)).scalars())
    if len(recent) >= burst:
        wait = recent[-1] + window - ledger.now if recent else window
        raise RateError("reports_rate", rate, wait)
