"""The review queue: cases about messages, held messages and users, with what is known of each.

A case is opened by a report, by a rule or by a restriction, and joins one that waits about the same subject. What a
message said is kept in its case: who wrote it may change or delete it meanwhile. `chat/deciding.py` has what becomes of
cases.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Any, cast

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.structs import replace

from hubbub.chat.events import CaseChanged
from hubbub.chat.ledger import Ledger
from hubbub.chat.model import CaseAction, CaseState, Subject
from hubbub.model import Envelope, Publication
from hubbub.storage.base import Logged
from hubbub.storage.tables import cases, holds, messages, users

CaseId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
Words = Annotated[str, Meta(examples=["Third time this week."])]

TAG = str(CaseChanged.__struct_config__.tag)
WAITING: tuple[CaseState, ...] = ("open", "appealed")
CASES = "cases"
"""The namespace of the channels on which moderators hear of cases, and in the place of a channel of what was logged."""
ALL = "all"
"""In the place of a conversation: the channel for those who have an office."""
REASONS = 20
"""Different reasons that a case keeps."""
REPORTS = 100
"""Reports and notes that are told of one case, the newest ones."""


class Decision(Struct, frozen=True, omit_defaults=True):
    """What was decided: by whom (absent: the server), and when. `conversation` is where a restriction holds; without it
    it is everywhere. `deleted`: the message was taken away, too. `text` is what the user was told."""

    action: CaseAction
    time: float
    by: str | None = None
    until: float | None = None
    conversation: str | None = None
    deleted: bool = False
    text: str = ""


class Kept(Struct, frozen=True, omit_defaults=True):
    """What the column `data` has of a case. `parts` are what was said at the time."""

    reasons: tuple[str, ...] = ()
    verdict: Raw | UnsetType = UNSET
    parts: tuple[Raw, ...] = ()
    decision: Decision | None = None
    appealed: float | None = None
    granted: bool | None = None


class Case(Struct, frozen=True, omit_defaults=True):
    """A case as moderators see it. It is about a `message` (its seq) or a held message (`hold`) of a conversation, or a
    `user`; `user` is always whom it is about, absent for the server. `parts` are what was said when the case was
    opened, `verdict` what rules have found. While somebody has claimed it, nobody else decides."""

    id: str
    subject: Subject
    state: CaseState
    created: float
    updated: float
    priority: int = 0
    reports: int = 0
    conversation: str | None = None
    message: int | None = None
    hold: str | None = None
    user: str | None = None
    claimed_by: str | None = None
    claimed_until: float | None = None
    reasons: tuple[str, ...] = ()
    verdict: Raw | UnsetType = UNSET
    parts: tuple[Raw, ...] = ()
    decision: Decision | None = None
    appealed: float | None = None
    granted: bool | None = None


class CaseRow(Struct):
    """A row of `cases`."""

    id: str
    subject: Subject
    conversation: str | None
    message: int | None
    hold: str | None
    user: str | None
    state: CaseState
    priority: int
    reports: int
    claimed_by: str | None
    claimed_until: float | None
    data: str
    created: float
    updated: float

    @property
    def kept(self) -> Kept:
        return _kept(self.data)

    def claimed(self, now: float) -> bool:
        return self.claimed_by is not None and self.claimed_until is not None and self.claimed_until > now

    def public(self, now: float) -> Case:
        kept, claimed = self.kept, self.claimed(now)
        return Case(
            self.id,
            self.subject,
            self.state,
            self.created,
            self.updated,
            self.priority,
            self.reports,
            self.conversation,
            self.message,
            self.hold,
            self.user,
            self.claimed_by if claimed else None,
            self.claimed_until if claimed else None,
            kept.reasons,
            kept.verdict,
            kept.parts,
            kept.decision,
            kept.appealed,
            kept.granted,
        )


COLUMNS: tuple[sa.Column[Any], ...] = tuple(cases.c[name] for name in CaseRow.__struct_fields__)
_kept = msgspec.json.Decoder(Kept).decode
_parts = msgspec.json.Decoder(tuple[Raw, ...]).decode


class _Content(Struct):
    """What of a held message is looked at here."""

    parts: tuple[Raw, ...] = ()


_content = msgspec.json.Decoder(_Content).decode


# --- opening ------------------------------------------------------------------------------------------------------


def open_case(
    ledger: Ledger,
    *,
    subject: Subject,
    conversation: str | None = None,
    message: int | None = None,
    hold: str | None = None,
    user: str | None = None,
    reason: str = "",
    verdict: Any = None,
    priority: int = 0,
) -> str:
    """Open a case, or join the one that waits about the same subject; its id.

    A message is named by `conversation` and `message`, a held one by `conversation` and `hold`, a user by `user` (and
    where it is about, by `conversation`). `user` is whom it is about in any case; absent for the server. The
    conversation's row must be locked. `verdict` is what msgspec can encode. Of two that join the higher `priority`
    stands.
    """
    if subject == "user":  # lest two open one each
        ledger.execute(sa.select(users.c.id).where(users.c.id == user).with_for_update())
    about: dict[str, Any] = {"conversation": conversation, "message": message, "hold": hold}
    same = [
        cases.c[name] == value if value is not None else cases.c[name].is_(None)
        for name, value in about.items()
    ]
    query = sa.select(*COLUMNS).where(
        cases.c.subject == subject, cases.c.user == user, cases.c.state.in_(WAITING), *same
    )
    found = ledger.execute(query.limit(1)).first()
    if found is None:
        said = _said(ledger, conversation, message, hold)
        given = UNSET if verdict is None else Raw(msgspec.json.encode(verdict))
        row = new_case(ledger, subject, user, priority=priority, **about)
        save(ledger, row, Kept((reason,) if reason else (), given, said))
        return row.id
    row = CaseRow(*found)
    kept = row.kept
    if reason and reason not in kept.reasons:
        kept = replace(kept, reasons=(*kept.reasons, reason)[-REASONS:])
    if verdict is not None:
        kept = replace(kept, verdict=Raw(msgspec.json.encode(verdict)))
    row.priority = max(row.priority, priority)
    save(ledger, row, kept)
    return row.id


def new_case(
    ledger: Ledger,
    subject: Subject,
    user: str | None,
    *,
    conversation: str | None = None,
    message: int | None = None,
    hold: str | None = None,
    state: CaseState = "open",
    priority: int = 0,
) -> CaseRow:
    """Write a row that `save` is to fill."""
    row = CaseRow(
        secrets.token_hex(12),
        subject,
        conversation,
        message,
        hold,
        user,
        state,
        priority,
        0,
        None,
        None,
        "{}",
        ledger.now,
        ledger.now,
    )
    ledger.execute(cases.insert(), {**msgspec.structs.asdict(row), "changed": ledger.tx.stamp})
    return row


def save(ledger: Ledger, row: CaseRow, kept: Kept | None = None) -> None:
    """Write what may have changed of a case, and tell moderators."""
    if kept is not None:
        row.data = msgspec.json.encode(kept).decode()
    row.updated = ledger.now
    names = ("state", "priority", "reports", "claimed_by", "claimed_until", "data", "updated")
    values = {name: getattr(row, name) for name in names}
    ledger.execute(cases.update().where(cases.c.id == row.id).values(**values, changed=ledger.tx.stamp))
    event = CaseChanged(row.id, row.subject, row.state, row.priority, row.conversation, row.claimed_by)
    data = msgspec.json.encode(event)
    ledger.tx.outbox.append(Logged(CASES, 0, row.conversation or "", data, None, ledger.now))


def close(ledger: Ledger, *, hold: str) -> None:
    """Close what waits about a hold that needs no decision any more."""
    query = sa.select(*COLUMNS).where(cases.c.hold == hold, cases.c.state.in_(WAITING))
    for found in ledger.execute(query).all():
        row = CaseRow(*found)
        row.state, row.claimed_by, row.claimed_until = "closed", None, None
        save(ledger, row)


def to_moderators(logged: Logged) -> list[Envelope]:
    """What `save` has logged, for those who follow the queue. It is in no log."""
    return [
        Envelope(Publication(f"{CASES}:{name}", TAG, Raw(logged.data), time=logged.time), None, volatile=True)
        for name in (ALL, logged.event)
        if name
    ]


def _said(ledger: Ledger, conversation: str | None, message: int | None, hold: str | None) -> tuple[Raw, ...]:
    if hold is not None:
        content = ledger.execute(sa.select(holds.c.content).where(holds.c.id == hold)).scalar()
        return () if content is None else _content(cast(str, content)).parts
    if message is None:
        return ()
    query = sa.select(messages.c.parts).where(
        messages.c.conversation == conversation, messages.c.seq == message
    )
    parts = ledger.execute(query).scalar()
    return () if parts is None else _parts(cast(str, parts))
