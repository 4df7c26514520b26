"""The week before: the lines of an import, so that messages have the times at which they would have been written."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec

from hubbub.chat.mentions import MentionWhom
from hubbub.chat.model import Role
from hubbub.demo.cast import ADA, ASIDES, BOB, EVERYBODY, GENERAL, PEOPLE, PLACES, Place, Said
from hubbub.transfer.lines import (
    ConversationLine,
    CursorLine,
    End,
    Entry,
    Line,
    MemberLine,
    MessageLine,
    ReactionLine,
    UserLine,
    Workspace,
)

DAY = 86_400.0
MINUTE = 60.0
MORNING = 9.0 * 3_600.0
"""Seconds of a day (UTC) after which people write."""
YEAR = 365 * DAY


class Week:
    """A `Source` for the importer. `now` is Unix time; `messages` are added to the topic of all, `conversations` to the
    list of whoever looks, for who wants to see how much is borne."""

    origin = "lines"

    def __init__(self, now: float, *, messages: int = 0, conversations: int = 0, seed: int = 1) -> None:
        self.id = f"demo:{now!r}"
        self.size = 1
        self._now = now
        self._midnight = now - now % DAY
        self._messages = messages
        self._conversations = conversations
        self._random = random.Random(seed)

    def entries(self, place: int, number: int) -> Iterator[Entry]:
        for count, line in enumerate(self.lines(), 1):
            if count > number:
                yield Entry(count, count, line)

    def lines(self) -> Iterator[Line]:
        """All of it, in an order in which nothing is named before it is there."""
        yield Workspace(1, "demo", self._now)
        began = self._midnight - YEAR
        for person in PEOPLE:
            about = msgspec.Raw(msgspec.json.encode({"title": person.title}))
            yield UserLine(person.id, person.kind, person.name, custom=about, created=began)
        for spot in PLACES:
            yield from self._place(spot, began)
        for count in range(self._conversations):
            yield from self._place(self._filler(count), began)
        yield End({})

    def _place(self, place: Place, began: float) -> Iterator[Line]:
        owner = place.people[0]
        if place.kind == "direct":
            yield ConversationLine(place.id, "direct", began, users=(place.people[0], place.people[1]))
        else:
            yield ConversationLine(
                place.id, place.kind, began, name=place.name, topic=place.topic or None, created_by=owner
            )
        for user in place.people:
            role: Role = "owner" if user == owner and place.kind != "direct" else "member"
            yield MemberLine(place.id, user, role, since=began)
        count = 0
        if place.id == GENERAL:
            for message in self._long_talk(place):
                count += 1
                yield message
        for day, said in enumerate(place.days):
            midnight = self._midnight - (len(place.days) - day) * DAY
            for message in self._day(place, said, day, midnight + MORNING):
                count += message.thread is None
                yield message
        behind = dict(place.behind)
        for user in place.people:
            yield CursorLine(place.id, user, read=max(0, count - behind.get(user, 0)), delivered=count)

    def _day(self, place: Place, said: tuple[Said, ...], day: int, at: float) -> Iterator[MessageLine]:
        at += self._random.uniform(0, 40) * MINUTE
        for number, each in enumerate(said):
            at += each.after * MINUTE
            yield MessageLine(
                place.id,
                each.label or f"{day}.{number}",
                each.by,
                at,
                parts=(_text(each.text),),
                thread=each.under or None,
                reply_to=each.re or None,
                mentions=MentionWhom(users=each.to) if each.to else None,
                reactions=tuple(ReactionLine(name, tuple(users.split())) for name, users in each.liked),
            )

    def _long_talk(self, place: Place) -> Iterator[MessageLine]:
        """What was said in the months before that nobody remembers."""
        first = self._midnight - 8 * DAY
        apart = min(20 * MINUTE, 300 * DAY / (self._messages + 1))
        for number in range(self._messages):
            at = first - (self._messages - number) * apart
            text = _text(self._random.choice(ASIDES))
            yield MessageLine(place.id, f"old.{number}", self._random.choice(EVERYBODY), at, parts=(text,))

    def _filler(self, count: int) -> Place:
        others = [user for user in EVERYBODY if user not in (ADA, BOB)]
        some = self._random.sample(others, 3)
        talk = tuple(Said(self._random.choice(some), self._random.choice(ASIDES), 5) for _ in range(8))
        behind = self._random.choice((0, 0, 0, 2))
        return Place(
            f"demo-project-{count:04}",
            "group",
            f"Project {count + 1}",
            "",
            (ADA, BOB, *some),
            (talk,),
            ((ADA, behind),),
        )


def _text(text: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode({"type": "text", "text": text, "format": "markdown"}))
