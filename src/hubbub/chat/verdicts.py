"""What rules and hooks have found in messages, with who wrote them where: verdicts, and the rows that they leave."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
from msgspec.structs import replace

from hubbub.chat.cases import open_case
from hubbub.chat.ledger import Ledger
from hubbub.chat.masking import masked
from hubbub.chat.model import Options
from hubbub.chat.outgoing import Conversation, Held, Known, Member, Outgoing, Sent
from hubbub.errors import ErrorCode, HubbubError
from hubbub.moderation.base import PASS, Facts, Verdict, decide
from hubbub.storage import bulk
from hubbub.storage.base import Transaction
from hubbub.storage.tables import holds

HOLD = ("id", "conversation", "sender", "key", "digest", "content", "verdict", "state", "created", "changed")
EXPIRE = "hold.expire"
"""On the agenda: nobody has decided on a hold (`data`, its id) in time. `chat/holds.py` has the handler."""
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
    return judged(item, facts)


def judged(item: Outgoing, facts: Facts) -> Verdict:
    """Raises REJECTED."""
    assert item.findings is not None
    settings = item.chat.config.moderation
    verdict = decide(item.findings, facts, exempt_moderators=settings.exempt_moderators)
    if verdict.action == "reject":
        raise rejected(verdict)
    return verdict


def rejected(verdict: Verdict) -> HubbubError:
    """The sender hears the rule's reason, and not which rule it was."""
    return HubbubError(ErrorCode.REJECTED, verdict.reason, field="parts")


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
