"""Trying rules before they judge anybody: on one text, and on sets of samples with what should become of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat import limits
from hubbub.chat.judging import lists_of
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.model import ConversationKind, Role
from hubbub.chat.moderation import GetRules, Ruleset, get_rules, ready
from hubbub.chat.operations import Caller, Nothing, read, run, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.standing import require_office
from hubbub.errors import ErrorCode, HubbubError
from hubbub.moderation.base import Action, Draft, Facts, Findings, decide
from hubbub.moderation.covering import cover
from hubbub.moderation.judge import Judge
from hubbub.moderation.rules import ListName
from hubbub.storage.tables import samples

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

SHOWN = 1_000
"""Samples that a replay shows one by one."""
Text = Annotated[str, Meta(min_length=1, max_length=20_000)]
Age = Annotated[float, Meta(ge=0)]


class Sender(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who is taken to write, where: the `kind` of conversation and the `role` there, the seconds since the sender has
    `joined` it and was `created`, and how many users the message mentions."""

    kind: ConversationKind = "group"
    role: Role = "member"
    conversation: str = ""
    joined: Age = 31_536_000.0
    created: Age = 31_536_000.0
    mentions: Annotated[int, Meta(ge=0)] = 0
    everyone: bool = False


class TryText(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A text, and by which rules it is judged."""

    text: Text
    sender: Sender = Sender()
    rules: Literal["live", "draft"] = "live"


class Match(Struct, frozen=True, omit_defaults=True):
    """A rule that fits, and (for a mask) what it covers in the text: code points, from and to."""

    rule: str
    action: Action
    spans: tuple[tuple[int, int], ...] = ()


class Tried(Struct, frozen=True, omit_defaults=True):
    """What would become of it, by which rule; all rules that fit, as far as who writes it lets them; and the text as it
    would be sent. What depends on messages before it (floods, repetitions) does not fit."""

    action: Action
    version: int
    rule: str = ""
    reason: str = ""
    flags: tuple[str, ...] = ()
    matches: tuple[Match, ...] = ()
    text: str | None = None


class NewSample(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A text and what should become of it."""

    text: Text
    expected: Action
    sender: Sender = Sender()


class AddSamples(Struct, frozen=True, forbid_unknown_fields=True):
    """Samples for a test set, which is there when it has one."""

    test_set: ListName
    samples: Annotated[tuple[NewSample, ...], Meta(min_length=1, max_length=1_000)]


class ListSamples(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of a test set."""

    test_set: ListName
    limit: PageLimit | None = None
    cursor: After | None = None


class DeleteSamples(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One sample of a test set, or all of it."""

    test_set: ListName
    sample: Annotated[int, Meta(ge=1)] | None = None


class Sample(Struct, frozen=True, omit_defaults=True):
    """A text of a test set."""

    id: int
    text: str
    expected: Action
    sender: Sender = Sender()


class SamplePage(Struct, frozen=True, omit_defaults=True):
    """Samples, the oldest first. `next` is absent on the last page."""

    samples: tuple[Sample, ...]
    next: str | None = None


class Replay(Struct, frozen=True, forbid_unknown_fields=True):
    """The test set that the live rules and the draft are tried on."""

    test_set: ListName


class Difference(Struct, frozen=True, omit_defaults=True):
    """A sample that the draft judges otherwise than the live rules, or than is expected."""

    sample: int
    text: str
    expected: Action
    live: Action
    draft: Action
    live_rule: str = ""
    draft_rule: str = ""


class Replayed(Struct, frozen=True, omit_defaults=True):
    """How the draft would do. `changed` are judged otherwise than by the live rules; `live_right` and `draft_right` as
    is expected. `differences` are those that are changed or not right, the first thousand of them."""

    live: int
    draft: int
    samples: int
    changed: int
    live_right: int
    draft_right: int
    differences: tuple[Difference, ...] = ()


_sender = msgspec.json.Decoder(Sender).decode


@run("moderation.try", "POST", "/moderation/try")
async def try_text(chat: Chat, caller: Caller, params: TryText) -> Tried:
    """What would become of a text: which rules fit, and what they would do.

    It is for moderators and admins. Raises PERMISSION_DENIED, and NOT_FOUND without a draft.
    """
    judge = await _judge(chat, caller, params.rules)
    return await asyncio.to_thread(_tried, judge, params.text, params.sender)


@write("moderation.samples.add", "POST", "/moderation/samples/{test_set}", status=201)
def add(ledger: Ledger, actor: Actor, params: AddSamples) -> SamplePage:
    """Add samples to a test set. It is for moderators and admins. Raises PERMISSION_DENIED and LIMIT_EXCEEDED
    (`limits.samples`)."""
    require_office(ledger, actor)
    counting = sa.select(sa.func.count()).where(samples.c.test_set == params.test_set)
    count = int(ledger.execute(counting).scalar_one()) + len(params.samples)
    limits.check(ledger.config.limits, "samples", count, "samples")
    made = []
    for given in params.samples:
        values = {
            "test_set": params.test_set,
            "text": given.text,
            "expected": given.expected,
            "data": msgspec.json.encode(given.sender).decode(),
            "created": ledger.now,
        }
        id = ledger.execute(samples.insert().returning(samples.c.id), values).scalar_one()
        made.append(Sample(id, given.text, given.expected, given.sender))
    ledger.audit(actor, "moderation.samples.add", test_set=params.test_set, samples=len(made))
    return SamplePage(tuple(made))


@read("moderation.samples.list", "GET", "/moderation/samples/{test_set}")
def page(view: View, actor: Actor, params: ListSamples) -> SamplePage:
    """The samples of a test set. It is for moderators and admins. Raises PERMISSION_DENIED."""
    require_office(view, actor)
    size = page_size(view.config, params.limit)
    after = 0 if params.cursor is None else read_cursor(params.cursor, tuple[int])[0]
    found = _samples(view, params.test_set, after, size + 1)
    more = len(found) > size
    return SamplePage(tuple(found[:size]), cursor(found[size - 1].id) if more else None)


@write("moderation.samples.delete", "DELETE", "/moderation/samples/{test_set}")
def delete(ledger: Ledger, actor: Actor, params: DeleteSamples) -> Nothing:
    """Delete a sample, or a whole test set. It is for moderators and admins. Raises PERMISSION_DENIED and NOT_FOUND."""
    require_office(ledger, actor)
    where = [samples.c.test_set == params.test_set]
    if params.sample is not None:
        where.append(samples.c.id == params.sample)
    count = ledger.execute(samples.delete().where(*where)).rowcount
    if not count:
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such sample", field="test_set")
    ledger.audit(actor, "moderation.samples.delete", test_set=params.test_set, samples=count)
    return Nothing()


@run("moderation.replay", "POST", "/moderation/replay")
async def replay(chat: Chat, caller: Caller, params: Replay) -> Replayed:
    """Judge all samples of a test set by the live rules and by the draft, and say where they differ.

    It is for moderators and admins. Raises PERMISSION_DENIED, and NOT_FOUND without a draft or samples.
    """
    live, draft = await _judge(chat, caller, "live"), await _judge(chat, caller, "draft")
    found = await chat.read(lambda view: _samples(view, params.test_set, 0, chat.config.limits.samples))
    if not found:
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such test set", field="test_set")
    return await asyncio.to_thread(_replayed, live, draft, found)


async def _judge(chat: Chat, caller: Caller, state: Literal["live", "draft"]) -> Judge:
    def rules(view: View, actor: Actor) -> tuple[Ruleset, dict[str, tuple[str, ...]]]:
        return get_rules.function(view, actor, GetRules(state=state)), lists_of(view)

    found, lists = await chat.read(partial(rules, actor=caller.actor))
    live = chat.moderation.judge
    if state == "live" and live is not None and live.version == found.version:
        return live
    return await ready(chat, found.version, found.rules, lists)


def _samples(view: View, test_set: str, after: int, count: int) -> list[Sample]:
    query = (
        sa.select(samples.c.id, samples.c.text, samples.c.expected, samples.c.data)
        .where(samples.c.test_set == test_set, samples.c.id > after)
        .order_by(samples.c.id)
        .limit(count)
    )
    return [Sample(id, text, expected, _sender(data)) for id, text, expected, data in view.execute(query)]


def _tried(judge: Judge, text: str, sender: Sender) -> Tried:
    draft = Draft(
        "send",
        "",
        sender.conversation,
        (),
        text,
        ((0, text),),
        mentions=sender.mentions,
        everyone=sender.everyone,
    )
    facts = Facts(sender.kind, sender.conversation, sender.role, joined=sender.joined, created=sender.created)
    found = tuple(each for each in judge.find(draft, 0.0) if each.holds(facts, "send"))
    verdict = decide(Findings("send", found), facts, exempt_moderators=False)
    left = text
    for finding in verdict.masks:
        left = cover(left, [(begin, end) for _, begin, end in finding.places], finding.mask)
    matches = tuple(
        Match(each.rule, each.action, tuple((begin, end) for _, begin, end in each.places)) for each in found
    )
    return Tried(
        verdict.action,
        judge.version,
        verdict.rule,
        verdict.reason,
        verdict.flags,
        matches,
        left if verdict.masks else None,
    )


def _replayed(live: Judge, draft: Judge, found: Sequence[Sample]) -> Replayed:
    changed = live_right = draft_right = 0
    differences: list[Difference] = []
    for sample in found:
        now, then = _tried(live, sample.text, sample.sender), _tried(draft, sample.text, sample.sender)
        live_right += now.action == sample.expected
        draft_right += then.action == sample.expected
        changed += now.action != then.action
        if (now.action != then.action or then.action != sample.expected) and len(differences) < SHOWN:
            differences.append(
                Difference(
                    sample.id, sample.text, sample.expected, now.action, then.action, now.rule, then.rule
                )
            )
    return Replayed(
        live.version, draft.version, len(found), changed, live_right, draft_right, tuple(differences)
    )


OPERATIONS = (try_text, add, page, delete, replay)
