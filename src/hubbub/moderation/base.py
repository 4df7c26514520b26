"""What is judged, by whom, and what comes of it. Pure.

Judging has two steps. What needs nothing but the message is looked for before it waits for the database (`Findings`);
who wrote it where is known inside the transaction (`Facts`), where the two become a `Verdict`.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeAlias

from msgspec import Raw, Struct

Action: TypeAlias = Literal["allow", "flag", "mask", "hold", "reject", "shadow"]
"""`allow`: let it pass and look no further. `flag`: send it and open a case. `mask`: cover what was found. `hold`: keep
it for a moderator. `reject`: refuse it. `shadow`: nobody but its sender sees it. `flag` and `mask` add up; the first of
the others ends the search."""
What: TypeAlias = Literal["send", "edit"]
Span: TypeAlias = tuple[int, int]
"""Code points of a text, from and to."""
Place: TypeAlias = tuple[int, int, int]
"""A part of a message, and a span of its text."""


class Draft(Struct, frozen=True):
    """A message that somebody (`sender`) wants to send, or what somebody wants a message (`message`) to say instead.
    `parts` are JSON; `text` is all that they say: `texts`, what each text part says, by its place, and `rest`, what the
    others say. `mentions` is how many users it mentions."""

    what: What
    sender: str
    conversation: str
    parts: tuple[Raw, ...]
    text: str
    texts: tuple[tuple[int, str], ...] = ()
    rest: str = ""
    mentions: int = 0
    everyone: bool = False
    thread: int | None = None
    reply_to: int | None = None
    message: int | None = None
    key: str | None = None


class Judgement(Struct, frozen=True):
    """What a hook says. `reason` is told to the sender; `parts` are what a `mask` leaves of the message, as JSON
    values; `priority` is that of the case that `flag` and `hold` open; `rule` is its name in cases and logs."""

    action: Action
    reason: str = ""
    parts: tuple[Any, ...] | None = None
    priority: int = 0
    rule: str = ""


class Judge(Protocol):
    """What `before_message` takes: it looks at a draft and lets it pass (None) or says what is to become of it. It may
    wait, for a model or a service; `moderation.hook_timeout` is for all of them together. To raise a HubbubError is to
    refuse the message with it."""

    async def __call__(self, draft: Draft, /) -> Judgement | None: ...


class Facts(Struct, frozen=True):
    """Who writes where. `joined` and `created` are the seconds since the sender joined the conversation and since the
    sender is known at all."""

    kind: str
    conversation: str
    role: str | None
    moderator: bool = False
    joined: float = 0.0
    created: float = 0.0


class Scope(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a rule holds and for whom. What is empty says nothing: it holds for all."""

    kinds: tuple[Literal["direct", "group", "broadcast", "topic"], ...] = ()
    conversations: tuple[str, ...] = ()
    roles: tuple[Literal["owner", "admin", "moderator", "member", "reader"], ...] = ()
    what: tuple[What, ...] = ()

    def holds(self, facts: Facts, what: What) -> bool:
        return (
            (not self.kinds or facts.kind in self.kinds)
            and (not self.conversations or facts.conversation in self.conversations)
            and (not self.roles or facts.role in self.roles)
            and (not self.what or what in self.what)
        )


EVERYWHERE = Scope()


class Finding(Struct, frozen=True):
    """A rule that fits a draft, as far as the draft says. `newer` are the seconds that its sender may have been in the
    conversation, and known, at most. `places` is what is to be masked."""

    rule: str
    action: Action
    reason: str = ""
    priority: int = 0
    scope: Scope = EVERYWHERE
    newer: tuple[float | None, float | None] = (None, None)
    places: tuple[Place, ...] = ()
    mask: str = ""
    hook: bool = False

    def holds(self, facts: Facts, what: What) -> bool:
        joined, created = self.newer
        return (
            self.scope.holds(facts, what)
            and (joined is None or facts.joined < joined)
            and (created is None or facts.created < created)
        )


class Findings(Struct, frozen=True):
    """All that fits one draft, in the order of the rules; hooks come last."""

    what: What
    found: tuple[Finding, ...]


class Verdict(Struct, frozen=True, omit_defaults=True):
    """What becomes of a message. `rule` is the one that decided, `flags` those that only flag; `reason` is what the
    sender may know; `masks` is what is to be covered."""

    action: Action
    rule: str = ""
    reason: str = ""
    flags: tuple[str, ...] = ()
    priority: int = 0
    masks: tuple[Finding, ...] = ()


PASS = Verdict("allow")


def decide(findings: Findings, facts: Facts, *, exempt_moderators: bool) -> Verdict:
    """The first finding decides that does more than to flag or to mask; those add up until then. What a hook found
    holds for moderators and after an `allow`, too."""
    flags: list[Finding] = []
    masks: list[Finding] = []
    decisive: Finding | None = None
    passed = facts.moderator and exempt_moderators
    for finding in findings.found:
        if (passed and not finding.hook) or not finding.holds(facts, findings.what):
            continue
        if finding.action == "allow":
            passed = True
        elif finding.action == "flag":
            flags.append(finding)
        elif finding.action == "mask":
            masks.append(finding)
        else:
            decisive = finding
            break
    if decisive is None and not flags and not masks:
        return PASS
    chosen = decisive or (masks or flags)[0]
    counted = [*flags, *([decisive] if decisive is not None else ())]
    return Verdict(
        chosen.action,
        chosen.rule,
        chosen.reason,
        tuple(each.rule for each in flags),
        max((each.priority for each in counted), default=0),
        tuple(masks),
    )
