"""Who stands above whom: who may review and restrict, where, and whom."""

from __future__ import annotations

from typing import NoReturn

from hubbub.chat import rules
from hubbub.chat.ledger import Actor, View
from hubbub.chat.model import Office
from hubbub.chat.rows import ConversationRow
from hubbub.errors import ErrorCode, HubbubError

OFFICES: dict[Office, int] = {"none": 0, "moderator": 1, "admin": 2}


def holds_office(view: View, actor: Actor, office: Office = "moderator") -> bool:
    """Whether the actor has at least that office; the server has all."""
    return actor.server or OFFICES[view.office(actor.user)] >= OFFICES[office]


def require_office(view: View, actor: Actor, office: Office = "moderator", field: str | None = None) -> None:
    """Raises PERMISSION_DENIED for who has not at least that office."""
    if not holds_office(view, actor, office):
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED, f"permission denied: it asks for the office {office}", field=field
        )


def moderated(
    view: View, actor: Actor, conversation: str | None, *, lock: bool = False
) -> ConversationRow | None:
    """The conversation that the actor moderates, by its office or its role there; without one the actor must have an
    office. Raises NOT_FOUND and PERMISSION_DENIED."""
    if conversation is None:
        require_office(view, actor, field="conversation")
        return None
    if actor.server or not holds_office(view, actor):
        return view.access(actor, conversation, "moderate", lock=lock)[0]
    row = view.find(conversation, lock=lock)
    if row is None:
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such conversation", field="conversation")
    return row


def require_above(view: View, actor: Actor, user: str, row: ConversationRow | None, field: str) -> None:
    """Raises PERMISSION_DENIED for who may not restrict `user` (in a conversation, or everywhere): itself, who has as
    high an office, or by a role alone who has any office, or no lower a role. Owners may restrict other owners."""
    if actor.server:
        return
    if user == actor.user:
        _refuse("it is you", field)
    mine, theirs = OFFICES[view.office(actor.user)], OFFICES[view.office(user)]
    if mine > theirs:
        return
    if theirs or row is None or mine:
        _refuse("the user stands as high as you", field)
    me, other = view.member(row.id, actor.user), view.member(row.id, user)
    role = other.role if other is not None and other.joined else None
    if me is None or not me.joined or not rules.may_give(me.role, role, "reader"):
        _refuse("the user stands as high as you", field)


def require_over(view: View, actor: Actor, by: str | None, field: str) -> None:
    """Raises PERMISSION_DENIED for who has no office and wants to undo what somebody with an office has done, or the
    server (None)."""
    if not holds_office(view, actor) and (by is None or view.office(by) != "none"):
        _refuse("it was decided by an office", field)


def _refuse(why: str, field: str) -> NoReturn:
    raise HubbubError(ErrorCode.PERMISSION_DENIED, f"permission denied: {why}", field=field)
