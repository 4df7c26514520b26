"""A set of rules, made ready: it looks for all that fits a message. Pure: time and memory are given.

Rules are asked in order, each condition in the order of what it costs; what several of them need is made once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias
from unicodedata import category

from msgspec import Struct

from hubbub.errors import ErrorCode, HubbubError
from hubbub.moderation.base import Draft, Finding, Place, Span
from hubbub.moderation.covering import cover
from hubbub.moderation.folding import folded
from hubbub.moderation.links import host, links, within
from hubbub.moderation.patterns import Pattern, Seen
from hubbub.moderation.recent import Entry, Recent
from hubbub.moderation.rules import (
    Blocklist,
    Duplicate,
    Flood,
    Link,
    Matches,
    MentionsMany,
    NewMember,
    Rule,
    Shape,
)
from hubbub.moderation.words import Hit, Words

LETTERS = 10
"""Letters from which on a share of capitals says something."""
COSTLY = 2_000
"""Characters from which on a text is looked at in a thread of its own."""
COSTLY_WORK = 4_000_000
"""Bytes of a text times the instructions of all patterns, the same: some 5 to 20 ms at the worst."""
TOTAL = 50_000
"""Instructions of all patterns of a set."""
PUNCTUATION = re.compile(r"[!|+]+")
"""What may be a letter within a word, and is not meant to be one where it only ends sentences."""
MASKABLE = (Blocklist, Matches, Link)
ORDER = (MentionsMany, Shape, Blocklist, Link, Matches)
Content: TypeAlias = MentionsMany | Shape | Blocklist | Link | Matches


class Looked(Struct, frozen=True):
    """Rules that fit what is written, each with what memory has to say of it. `digest` is of what is written."""

    found: tuple[tuple[Finding, tuple[Flood | Duplicate, ...]], ...]
    digest: int


@dataclass(frozen=True, slots=True)
class _Ready:
    """A rule with what of it is looked for in a text, and what in memory."""

    rule: Rule
    conditions: tuple[Content, ...]
    lately: tuple[Flood | Duplicate, ...]
    newer: tuple[float | None, float | None]


class Judge:
    """The rules of one version with the block lists that they name. `window` is the flood rules' default in seconds.

    Raises VALIDATION_FAILED for what no rule can mean, naming the field below `field`; a list that is not there is
    empty.
    """

    def __init__(
        self,
        version: int,
        rules: Sequence[Rule],
        lists: Mapping[str, Sequence[str]],
        *,
        window: float = 10.0,
        field: str = "rules",
    ) -> None:
        self.version = version
        self.rules = tuple(rules)
        self.window = window
        self._patterns: dict[Matches, Pattern] = {}
        self._hosts: dict[Link, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._rules = [
            self._ready(rule, f"{field}[{place}]") for place, rule in enumerate(rules) if rule.enabled
        ]
        used = {
            name
            for each in self._rules
            for c in each.conditions
            if isinstance(c, Blocklist)
            for name in c.lists
        }
        self.words = Words({name: words for name, words in lists.items() if name in used})
        self.lists = frozenset(used)
        self.remembers = any(each.lately for each in self._rules)
        self.instructions = sum(pattern.size for pattern in self._patterns.values())
        if self.instructions > TOTAL:
            raise _wrong(
                field, f"the patterns are too large together: {self.instructions} instructions of {TOTAL}"
            )

    def __bool__(self) -> bool:
        return bool(self._rules)

    def costly(self, draft: Draft) -> bool:
        """Whether to look at it would keep an event loop too long."""
        size = len(draft.text)
        return size > COSTLY or size * self.instructions > COSTLY_WORK

    def find(self, draft: Draft, now: float, recent: Recent | None = None) -> tuple[Finding, ...]:
        """All rules that fit: `settle` of `look`."""
        return self.settle(self.look(draft), draft, now, recent)

    def look(self, draft: Draft) -> Looked:
        """What is to be looked for in what is written. It may be done in another thread."""
        look = _Look(self, draft)
        fitting = [
            (self._finding(ready, draft), ready.lately)
            for ready in self._rules
            if all(self._fits(condition, draft, look) for condition in ready.conditions)
        ]
        return Looked(tuple(fitting), look.digest if self.remembers else 0)

    def settle(
        self, looked: Looked, draft: Draft, now: float, recent: Recent | None = None
    ) -> tuple[Finding, ...]:
        """With `recent`, what is sent is remembered there (not what is edited); without, rules about floods and
        repetitions do not fit."""
        if draft.what == "edit":
            recent = None
        found = tuple(
            finding
            for finding, lately in looked.found
            if all(self._happens(each, draft, looked.digest, now, recent) for each in lately)
        )
        if recent is not None and self.remembers:
            recent.add(Entry(now, draft.sender, draft.conversation, looked.digest, draft.key))
        return found

    # --- conditions -------------------------------------------------------------------------------------------

    def _fits(self, condition: Content, draft: Draft, look: _Look) -> bool:
        match condition:
            case Blocklist(lists=lists):
                return not look.lists.isdisjoint(lists)
            case Matches():
                return self._patterns[condition].matches(look.seen)
            case Link():
                return any(self._leads(condition, name) for name in look.hosts)
            case MentionsMany(users=users, everyone=everyone):
                return draft.mentions > users or (everyone and draft.everyone)
            case Shape():
                return _shaped(condition, draft.text)

    def _happens(
        self, condition: Flood | Duplicate, draft: Draft, digest: int, now: float, recent: Recent | None
    ) -> bool:
        if recent is None:
            return False
        place = None if condition.everywhere else draft.conversation
        if isinstance(condition, Flood):
            since = now - (condition.seconds or self.window)
            return recent.sent(draft.sender, since, place) >= condition.messages
        sender = None if condition.anybody else draft.sender
        place = None if condition.anybody else place
        return recent.repeated(digest, now - condition.seconds, sender, place) >= condition.messages

    def _leads(self, condition: Link, name: str) -> bool:
        deny, allow = self._hosts[condition]
        return within(name, deny) or (not within(name, allow) if allow else not deny)

    def _finding(self, ready: _Ready, draft: Draft) -> Finding:
        rule = ready.rule
        places: tuple[Place, ...] = ()
        action = rule.action
        if action == "mask":
            places, whole = self._places(ready, draft)
            if not whole:
                action = "reject"  # what cannot be covered (of a poll, over two parts) is not sent
        return Finding(
            rule.name, action, rule.reason, rule.priority, rule.where, ready.newer, places, rule.mask
        )

    def _places(self, ready: _Ready, draft: Draft) -> tuple[tuple[Place, ...], bool]:
        """What is to be covered, and whether that covers all that the rule is about."""
        finding = [condition for condition in ready.conditions if isinstance(condition, MASKABLE)]
        places: list[Place] = []
        left = [draft.rest] if draft.rest else []
        for part, text in draft.texts:
            spans = [span for condition in finding for span in self._spans(condition, text)]
            places += [(part, *span) for span in spans]
            left.append(cover(text, spans, ready.rule.mask))
        said = Draft(draft.what, draft.sender, draft.conversation, (), "\n".join(left))
        look = _Look(self, said)
        return tuple(places), not any(self._fits(each, said, look) for each in finding)

    def _spans(self, condition: Blocklist | Matches | Link, text: str) -> Iterator[Span]:
        match condition:
            case Blocklist(lists=lists):
                yield from (hit.span for hit in self.words.find(text) if not set(hit.lists).isdisjoint(lists))
            case Matches():
                yield from self._patterns[condition].find(Seen(text))
            case Link():
                yield from (span for name, span in links(Seen(text)) if self._leads(condition, name))

    # --- making ready -----------------------------------------------------------------------------------------

    def _ready(self, rule: Rule, field: str) -> _Ready:
        joined: float | None = None
        created: float | None = None
        kept: list[Content] = []
        lately: list[Flood | Duplicate] = []
        for place, condition in enumerate(rule.when):
            at = f"{field}.when[{place}]"
            match condition:
                case NewMember():
                    joined, created = _least(joined, condition.joined), _least(created, condition.created)
                    if condition.joined is None and condition.created is None:
                        raise _wrong(at, "give `joined`, `created` or both")
                    continue
                case Flood() | Duplicate():
                    lately.append(condition)
                    continue
                case Matches():
                    try:
                        self._patterns[condition] = Pattern(
                            condition.pattern, ignore_case=condition.ignore_case
                        )
                    except ValueError as error:
                        raise _wrong(f"{at}.pattern", str(error)) from None
                case Link():
                    self._hosts[condition] = (_hosts(condition.deny), _hosts(condition.allow))
                case Shape() if condition == Shape():
                    raise _wrong(at, "it says nothing")
            kept.append(condition)
        if rule.action == "mask" and not any(isinstance(each, MASKABLE) for each in kept):
            raise _wrong(f"{field}.action", "what is masked is found by `blocklist`, `pattern` or `link`")
        kept.sort(key=lambda each: ORDER.index(type(each)))
        return _Ready(rule, tuple(kept), tuple(lately), (joined, created))


class _Look:
    """What several rules need to know of one draft."""

    def __init__(self, judge: Judge, draft: Draft) -> None:
        self._judge = judge
        self._draft = draft

    @cached_property
    def hits(self) -> list[Hit]:
        return self._judge.words.find(self._draft.text)

    @cached_property
    def lists(self) -> frozenset[str]:
        return frozenset(name for hit in self.hits for name in hit.lists)

    @cached_property
    def seen(self) -> Seen:
        return Seen(self._draft.text)

    @cached_property
    def hosts(self) -> list[str]:
        """Of links in what it says, and in parts that say nothing."""
        found = [name for name, _ in links(self.seen)]
        texts = {place for place, _ in self._draft.texts}
        for place, part in enumerate(self._draft.parts):
            if place not in texts:
                raw = bytes(part).decode(errors="replace").replace("\\/", "/")
                found += [name for name, _ in links(Seen(raw))]
        return found

    @cached_property
    def digest(self) -> int:
        said = folded(PUNCTUATION.sub(" ", self._draft.text))
        return hash(" ".join(said.split()) or self._draft.text)


def _shaped(shape: Shape, text: str) -> bool:
    if shape.characters is not None and len(text) > shape.characters:
        return True
    if shape.lines is not None and len(text.splitlines()) > shape.lines:
        return True
    # First whether there are enough for the shortest text that counts: few texts have so many.
    if shape.capitals is not None and sum(map(str.isupper, text)) > shape.capitals * LETTERS:
        letters = [sign for sign in text if sign.isalpha()]
        if len(letters) >= LETTERS and sum(map(str.isupper, letters)) > shape.capitals * len(letters):
            return True
    if text.isascii():
        return False
    if shape.emoji is not None and sum(map(_emoji, text)) > shape.emoji:
        return True
    if shape.marks is not None:
        heap = 0
        for sign in text:
            heap = heap + 1 if category(sign) in ("Mn", "Me") else 0
            if heap > shape.marks:
                return True
    return False


def _emoji(sign: str) -> bool:
    return sign >= "\u2190" and category(sign) == "So"


def _least(one: float | None, other: float | None) -> float | None:
    return one if other is None else other if one is None else min(one, other)


def _hosts(given: Sequence[str]) -> tuple[str, ...]:
    return tuple("*." + host(each[2:]) if each.startswith("*.") else host(each) for each in given)


def _wrong(field: str, message: str) -> HubbubError:
    return HubbubError(ErrorCode.VALIDATION_FAILED, f"{field}: {message}", field=field)
