"""What rules and hooks have found in messages, with who wrote them where: verdicts, and the rows that they leave."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from hubbub.chat import rules
from hubbub.chat.cases import open_case
from hubbub.chat.events import HoldChanged
from hubbub.chat.inbox import tell_all
from hubbub.chat.ledger import Ledger, Notice
from hubbub.chat.masking import masked
from hubbub.chat.model import Message, Options
from hubbub.chat.outgoing import Conversation, Held, Known, Member, Outgoing, Sent
from hubbub.chat.rows import ConversationRow, MemberRow
from hubbub.errors import ErrorCode, HubbubError
from hubbub.moderation.base import PASS, Facts, Findings, Verdict, decide
from hubbub.storage import bulk
from hubbub.storage.base import Transaction
from hubbub.storage.tables import holds, users

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

HOLD = ("id", "conversation", "sender", "key", "digest", "content", "verdict", "state", "created", "changed")
EXPIRE = "hold.expire"
"""On the agenda: nobody has decided on a hold (`data`, its id) in time. `chat/holds.py` has the handler."""
REMEMBERED = 1_000
"""Attempts that were refused, so that one that is made again counts once."""
DECISIVE = ("hold", "reject", "shadow")
_encode = msgspec.json.Encoder().encode


def verdict_of(item: Outgoing, conversation: Conversation, member: Member | None, known: Known) -> Verdict:
    """What becomes of a message that may be sent. Raises REJECTED."""
    if item.findings is None or member is None:
        return PASS
    now = known.tx.now
    created, office = known.accounts.get(item.sender, (now, "none"))
    facts = Facts(
        conversation.kind,
        conversation.id,
        member.role,
        office != "none" or conversation.allows("moderate", member.role),
        now - member.since,
        now - created,
    )
    attempt = None if item.key is None else (item.conversation, item.sender, item.key)
    return _decided(item.findings, facts, item.chat, known.tx, attempt=attempt)


def verdict_of_edit(
    ledger: Ledger, row: ConversationRow, member: MemberRow | None, user: str, findings: Findings
) -> Verdict:
    """What becomes of an edit: what would be held or shown to nobody else, is refused. Raises REJECTED."""
    query = sa.select(users.c.created, users.c.office).where(users.c.id == user)
    account = ledger.execute(query).one()
    role = member.role if member is not None else None
    facts = Facts(
        row.kind,
        row.id,
        role,
        account.office != "none" or rules.allowed(row.kind, "moderate", role, row.overrides),
        ledger.now - member.since if member is not None else 0.0,
        ledger.now - account.created,
    )
    assert ledger.chat is not None, "edits are operations"
    return _decided(findings, facts, ledger.chat, ledger.tx, ("reject", "hold", "shadow"))


def flag_edit(ledger: Ledger, message: Message, verdict: Verdict) -> None:
    """Have somebody look at a message that was changed. The conversation's row is locked."""
    open_case(
        ledger,
        subject="message",
        conversation=message.conversation,
        message=message.seq,
        user=message.sender,
        reason=verdict.flags[0],
        verdict=replace(verdict, masks=()),
        priority=verdict.priority,
    )


def _decided(
    findings: Findings,
    facts: Facts,
    chat: Chat,
    tx: Transaction,
    refused: tuple[str, ...] = ("reject",),
    attempt: tuple[str, str, str] | None = None,
) -> Verdict:
    """`attempt` names what was tried: its conversation, its sender and its key."""
    verdict = decide(findings, facts, exempt_moderators=chat.config.moderation.exempt_moderators)
    done = ["flag"] if verdict.flags else []
    if verdict.masks:
        done.append("mask")
    if verdict.action in DECISIVE:
        done.append("reject" if verdict.action in refused else verdict.action)
    if done:
        # The database may have a transaction run again, which then judges again.
        tx.settled.append(partial(_count, chat, done, attempt if "reject" in done else None))
    if verdict.action in refused:  # the sender hears the rule's reason, and not which rule it was
        raise HubbubError(ErrorCode.REJECTED, verdict.reason, field="parts")
    return verdict


def _count(chat: Chat, done: list[str], attempt: tuple[str, str, str] | None) -> None:
    """Of what is refused nothing is kept, so who tries again with the same key is judged again, and counted once."""
    if attempt is not None:
        if attempt in chat.moderation.refused:
            return
        chat.moderation.refused[attempt] = None
        if len(chat.moderation.refused) > REMEMBERED:
            del chat.moderation.refused[next(iter(chat.moderation.refused))]
    chat.metrics.verdicts.update(done)


def covered(item: Outgoing, verdict: Verdict) -> Outgoing:
    """The message as it may be sent, with what is to be masked covered."""
    if not verdict.masks:
        return item
    options = replace(item.options or Options(), masked=True)
    return replace(item, content=masked(item.content, verdict.masks), options=options)


class Withheld:
    """What one batch of messages leaves for moderators."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.holds: list[bulk.Row] = []
        self.cases: list[dict[str, Any]] = []
        self.notices: list[Notice] = []

    def hold(self, item: Outgoing, verdict: Verdict) -> Sent:
        """Keep a message until somebody has looked at it."""
        id, now = secrets.token_hex(12), self.tx.now
        content = Held(
            item.content.parts, item.mentions, item.thread, item.reply_to, item.options, item.expires_in
        )
        row = (id, item.conversation, item.sender, item.key, item.digest, _encode(content).decode())
        said = _encode(replace(verdict, masks=())).decode()
        self.holds.append((*row, said, "pending", now, self.tx.stamp))
        self._open(item, verdict, verdict.rule, subject="hold", hold=id)
        fields = {"hold": id, "state": "pending", "conversation": item.conversation, "reason": verdict.reason}
        self.notices.append((item.sender, HoldChanged, fields))  # its author has other devices
        return Sent(content.message(item.conversation, item.sender, now), held=id)

    def flag(self, item: Outgoing, verdict: Verdict, seq: int) -> None:
        """Have somebody look at a message that was sent."""
        if verdict.flags:
            self._open(item, verdict, verdict.flags[0], subject="message", message=seq)

    def _open(self, item: Outgoing, verdict: Verdict, rule: str, **about: Any) -> None:
        self.cases.append(
            {
                "conversation": item.conversation,
                "user": item.sender,
                "reason": rule,
                "verdict": replace(verdict, masks=()),
                "priority": verdict.priority,
                **about,
            }
        )

    def write(self, ledger: Ledger) -> None:
        """After the messages."""
        bulk.insert(self.tx, holds, HOLD, self.holds)
        if ttl := ledger.config.moderation.hold_ttl:
            for id, conversation, *_ in self.holds:
                ledger.schedule(EXPIRE, self.tx.now + ttl, conversation=conversation, data=id)
        for case in self.cases:
            open_case(ledger, **case)
        if self.notices:
            tell_all(ledger, self.notices)
