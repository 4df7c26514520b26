"""Reading the audit log: every privileged act, by whom, on whom and where. Nothing in it can be changed or taken out,
but that an alias comes in place of the id of somebody who is erased; `Ledger.audit` writes it, in the transaction of
the act."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa
from msgspec import Meta, Raw, Struct

from hubbub.chat.ledger import SERVER, Actor, Ledger, View
from hubbub.chat.model import ConversationId, UserId
from hubbub.chat.operations import read
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.standing import require_office
from hubbub.config import Config
from hubbub.errors import HubbubError
from hubbub.storage.base import Transaction, each
from hubbub.storage.tables import audit
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

log = get_logger("hubbub.chat")

Act = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[a-z_.]+$(?!\n)",
        description="An act (`members.remove`), or with a dot at its end all that begin so (`cases.`).",
        examples=["restrictions."],
    ),
]


class ListAudit(Struct, frozen=True, forbid_unknown_fields=True):
    """Which acts: by an `actor` ("": the server), on a `user`, in a `conversation`, of a kind, from `since` (Unix
    seconds) on and before `until`."""

    actor: Annotated[str, Meta(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")] | None = None
    act: Act | None = None
    user: UserId | None = None
    conversation: ConversationId | None = None
    since: float | None = None
    until: float | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class Audited(Struct, frozen=True, omit_defaults=True):
    """One act. `actor` is absent for the server; `data` is what more there is to know of it."""

    id: int
    time: float
    act: str
    data: Raw
    actor: str | None = None
    conversation: str | None = None
    user: str | None = None
    message: int | None = None


class AuditPage(Struct, frozen=True, omit_defaults=True):
    """Acts, the newest first. `next` is absent on the last page."""

    acts: tuple[Audited, ...]
    next: str | None = None


@read("audit.list", "GET", "/audit")
def page(view: View, actor: Actor, params: ListAudit) -> AuditPage:
    """What was done by privilege, the newest first.

    It is for the server and for who is an admin by office. Raises PERMISSION_DENIED, VALIDATION_FAILED and
    LIMIT_EXCEEDED (`limits.page`).
    """
    require_office(view, actor, "admin")
    size = page_size(view.config, params.limit)
    names = ("id", "time", "act", "actor", "conversation", "user", "message", "data")
    query = sa.select(*(audit.c[name] for name in names))
    if params.actor is not None:
        query = query.where(audit.c.actor == params.actor if params.actor else audit.c.actor.is_(None))
    if params.act is not None:
        begins = params.act.endswith(".")
        query = query.where(
            audit.c.act.startswith(params.act, autoescape=True) if begins else audit.c.act == params.act
        )
    for name in ("user", "conversation"):
        if (wanted := getattr(params, name)) is not None:
            query = query.where(audit.c[name] == wanted)
    if params.since is not None:
        query = query.where(audit.c.time >= params.since)
    if params.until is not None:
        query = query.where(audit.c.time < params.until)
    if params.cursor is not None:
        query = query.where(audit.c.id < read_cursor(params.cursor, tuple[int])[0])
    rows = view.execute(query.order_by(audit.c.id.desc()).limit(size + 1)).all()
    found = tuple(_audited(row) for row in rows[:size])
    return AuditPage(found, cursor(found[-1].id) if len(rows) > size else None)


OPERATIONS = (page,)


# --- what is done beside the chat ---------------------------------------------------------------------------------


class _Act(Struct, frozen=True):
    config: Config
    act: str
    user: str | None
    data: dict[str, Any]


def _write_down(tx: Transaction, item: _Act) -> None:
    Ledger(tx, item.config).audit(SERVER, item.act, user=item.user, **item.data)


WRITE_DOWN = each("audit", _write_down)


async def write_down(chat: Chat, act: str, *, user: str | None = None, **data: Any) -> None:
    """Write down what the server API has done to sessions. It is done already: where the database does not take it,
    the server's log has it alone."""
    try:
        await chat.store.write(WRITE_DOWN, _Act(chat.config, act, user, data))
    except HubbubError as error:
        log.warning("an act is not in the audit log", act=act, user=user, error=error.message, **data)


def _audited(row: Any) -> Audited:
    id, time, act, actor, conversation, user, message, data = row
    return Audited(id, time, act, Raw(data.encode()), actor, conversation, user, message)
