"""The checker sees each fault that is planted in a run that was well."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace
from tests.scenarios.checker import check
from tests.scenarios.told import (
    Counted,
    Entered,
    Gap,
    History,
    Item,
    Knocked,
    Log,
    Marked,
    Position,
    Record,
    Refusal,
    Reopened,
    Seen,
    Sent,
    Shown,
    State,
    Talk,
    Told,
    Watching,
    Written,
)

R = TypeVar("R", bound=Told)
CHANNEL, ROOM = "log:orders", "room"
GONE = Refusal(3503, "revoked", "access was revoked")
SEEDS = range(20)


def a_run(seed: int) -> History:
    """What is told when all is well: ann publishes and sends, and is opened anew; bob listens and is told of a gap; eve
    is thrown out."""
    chance = random.Random(seed)
    records: list[Record] = []
    items: list[tuple[int, str]] = []
    talk: list[tuple[int, str, str]] = []
    for client in ("ann", "bob", "eve"):
        records.append(State(client=client, status="connected", transport="websocket", resumed=False))
        records.append(Entered(client=client, channel=CHANNEL, position=Position("e", 0)))

    def publish(count: int, to: tuple[str, ...]) -> None:
        for _ in range(count):
            offset = len(items) + 1
            text = f"publication {offset}"
            items.append((offset, text))
            records.extend(
                Seen(client=client, channel=CHANNEL, text=text, epoch="e", offset=offset) for client in to
            )
            records.append(written("ann", CHANNEL, text, offset, "e"))

    numbers = {"ann": 0, "bob": 0}

    def written(client: str, to: str, text: str, place: int | None, epoch: str = "") -> Written:
        numbers[client] += 1
        number = numbers[client]
        outcome: Any = "accepted" if place is not None else "unanswered"
        return Written(
            client=client,
            to=to,
            text=text,
            number=number,
            after=number - 1,
            outcome=outcome,
            epoch=epoch,
            place=place,
        )

    def show(client: str, at: int, drop: int, *shown: Item) -> None:
        records.append(Shown(client=client, conversation=ROOM, at=at, drop=drop, items=shown, start=True))

    def send(count: int, sender: str, lists: tuple[str, ...]) -> None:
        for _ in range(count):
            seq, at = len(talk) + 3, len(talk)
            text = f"message {seq}"
            if sender in lists:
                show(sender, at, 0, Item(text, None, "sending", text))
            for client in lists:
                show(client, at, int(client == sender), Item(text, seq, "sent", text))
            talk.append((seq, sender, text))
            records.append(written(sender, ROOM, text, seq))
            records.append(Sent(client=sender, conversation=ROOM, text=text, seq=seq))

    publish(chance.randint(3, 9), ("ann", "bob", "eve"))
    records.append(State(client="eve", status="failed", error=GONE))
    last = Position("e", len(items))
    publish(chance.randint(2, 5), ("ann",))
    records.append(Gap(client="bob", channel=CHANNEL, since=last, position=Position("e", len(items))))
    publish(chance.randint(3, 9), ("ann", "bob"))
    send(chance.randint(3, 9), "ann", ("ann", "bob"))
    read = talk[-1][0]
    records.append(Marked(client="bob", conversation=ROOM, seq=read))
    send(1, "bob", ("ann", "bob"))
    records.append(Reopened(client="ann"))
    kept = f"message {len(talk) + 3}"
    talk.append((len(talk) + 3, "ann", kept))  # was in the outbox, and is sent by the next application
    at = len(talk) - 1
    show("bob", at, 0, Item(kept, at + 3, "sent", kept))
    show("ann", 0, 0, *(Item(text, seq, "sent", text) for seq, _, text in talk))
    send(chance.randint(2, 5), "ann", ("ann", "bob"))
    records.append(
        Counted(client="bob", conversation=ROOM, unread=sum(1 for seq, who, _ in talk if seq > read + 1))
    )
    records.append(Counted(client="ann", conversation=ROOM, unread=0))
    records.append(Entered(client="ann", channel=CHANNEL, position=Position("e", len(items))))
    publish(chance.randint(1, 3), ("ann", "bob"))
    records.append(written("ann", ROOM, kept, None))
    return History(
        tuple(records),
        (Log(CHANNEL, "e", 0, tuple(items)),),
        (Talk(ROOM, tuple(talk)),),
        {"ann": "ann", "bob": "bob", "eve": "eve"},
        frozenset(("ann", "bob")),
        gaps=True,
    )


def of(history: History, kind: type[R], **fields: object) -> list[int]:
    """Where the records of a kind are, with these fields."""
    return [
        place
        for place, record in enumerate(history.records)
        if isinstance(record, kind) and all(getattr(record, name) == value for name, value in fields.items())
    ]


@dataclass(slots=True)
class Planting:
    """A run, and dice."""

    history: History
    chance: random.Random

    def one(self, kind: type[Any], **fields: object) -> int:
        return self.chance.choice(of(self.history, kind, **fields))

    def change(self, index: int, **fields: object) -> History:
        records = list(self.history.records)
        records[index] = replace(records[index], **fields)
        return replace(self.history, records=tuple(records))

    def insert(self, place: int, *records: Record) -> History:
        known = self.history.records
        return replace(self.history, records=(*known[:place], *records, *known[place:]))

    def without(self, *places: int) -> History:
        kept = tuple(each for place, each in enumerate(self.history.records) if place not in places)
        return replace(self.history, records=kept)

    def swap(self, one: int, other: int) -> History:
        records = list(self.history.records)
        records[one], records[other] = records[other], records[one]
        return replace(self.history, records=tuple(records))

    def log(self, change: Callable[[list[tuple[int, str]]], object]) -> History:
        items = list(self.history.logs[0].items)
        change(items)
        return replace(self.history, logs=(replace(self.history.logs[0], items=tuple(items)),))

    def talk(self, change: Callable[[list[tuple[int, str, str]]], object]) -> History:
        items = list(self.history.talks[0].items)
        change(items)
        return replace(self.history, talks=(replace(self.history.talks[0], items=tuple(items)),))


Plant = Callable[[Planting], History]


def lose_one(it: Planting) -> History:
    return it.without(it.one(Seen, client="bob"))


def lose_the_last(it: Planting) -> History:
    return it.without(of(it.history, Seen, client="bob")[-1])


def lose_the_first(it: Planting) -> History:
    return it.without(of(it.history, Seen, client="bob")[0])


def lose_before_the_answer(it: Planting) -> History:
    """The answer to the subscribe came late, and something between them is missing."""
    seen = of(it.history, Seen, client="bob")
    entered = it.history.records[of(it.history, Entered, client="bob")[0]]
    records = list(it.without(of(it.history, Entered, client="bob")[0], seen[0]).records)
    records.insert(seen[1], entered)
    return replace(it.history, records=tuple(records))


def twice(it: Planting) -> History:
    place = it.one(Seen, client="bob")
    return it.insert(place + 1, it.history.records[place])


def twice_later(it: Planting) -> History:
    """The same publication again, with another place."""
    place, last = it.one(Seen, client="bob"), of(it.history, Seen, client="bob")[-1]
    again = it.history.records[place]
    assert isinstance(again, Seen)
    return it.insert(last + 1, replace(again, offset=len(it.history.logs[0].items) + 1))


def out_of_order(it: Planting) -> History:
    seen = of(it.history, Seen, client="bob")
    at = it.chance.randrange(1, 3)
    return it.swap(seen[at - 1], seen[at])


def silent_gap(it: Planting) -> History:
    return it.without(of(it.history, Gap)[0])


def another_log(it: Planting) -> History:
    records = [
        replace(each, epoch="f")
        if isinstance(each, Seen) and each.client == "bob" and each.offset > 12
        else each
        for each in it.history.records
    ]
    last = of(it.history, Seen, client="bob")[-1]
    records[last] = replace(it.history.records[last], epoch="f")
    return replace(it.history, records=tuple(records))


def gap_of_nothing(it: Planting) -> History:
    place = it.one(Seen, client="bob")
    here = it.history.records[place]
    assert isinstance(here, Seen)
    at = Position("e", here.offset)
    return it.insert(place + 1, Gap(client="bob", channel=CHANNEL, since=at, position=at))


def gap_from_elsewhere(it: Planting) -> History:
    place = of(it.history, Gap)[0]
    return it.change(place, since=Position("e", 1))


def gap_where_none_may_be(it: Planting) -> History:
    return replace(it.history, gaps=False)


def altered(it: Planting) -> History:
    return it.change(it.one(Seen, client="bob"), text="something else")


def ack_lost(it: Planting) -> History:
    return it.talk(lambda items: items.pop(it.chance.randrange(2)))


def ack_elsewhere(it: Planting) -> History:
    return it.change(it.one(Written, to=CHANNEL), place=77)


def ack_of_a_publish_lost(it: Planting) -> History:
    return it.change(it.one(Written, to=CHANNEL), text="never there")


def outbox_lost(it: Planting) -> History:
    place = of(it.history, Written, outcome="unanswered")[0]
    return it.change(place, text="was in the outbox")


def twice_in_the_log(it: Planting) -> History:
    return it.log(lambda items: items.append((len(items) + 1, items[0][1])))


def twice_in_the_conversation(it: Planting) -> History:
    return it.talk(lambda items: items.append((99, "ann", items[0][2])))


def sent_twice(it: Planting) -> History:
    place = it.one(Sent)
    return it.insert(place, it.history.records[place])


def refused_and_there(it: Planting) -> History:
    return it.change(it.one(Written, to=ROOM, outcome="accepted"), outcome="refused", place=None)


def unanswered(it: Planting) -> History:
    return it.change(it.one(Written, client="bob"), outcome="unanswered", place=None)


def publish_unanswered(it: Planting) -> History:
    return it.change(it.one(Written, to=CHANNEL), outcome="unanswered", place=None)


def written_out_of_order(it: Planting) -> History:
    one, other = of(it.history, Written, to=ROOM, client="ann", outcome="accepted")[:2]
    first, second = it.history.records[one], it.history.records[other]
    assert isinstance(first, Written)
    assert isinstance(second, Written)
    records = list(it.history.records)
    records[one], records[other] = replace(first, place=second.place), replace(second, place=first.place)
    return replace(it.history, records=tuple(records))


def confirmed(it: Planting, client: str = "ann") -> int:
    return it.chance.choice(
        [
            place
            for place, each in enumerate(it.history.records)
            if isinstance(each, Shown)
            and each.client == client
            and len(each.items) == 1
            and each.items[0].seq
            and (client == "bob" or each.drop)
        ]
    )


def list_doubles(it: Planting) -> History:
    """The confirmed message is shown beside the one that was shown at once."""
    return it.change(confirmed(it), drop=0)


def list_same_seq(it: Planting) -> History:
    place = confirmed(it, "bob")
    shown = it.history.records[place]
    assert isinstance(shown, Shown)
    again = Item("other", shown.items[0].seq, "sent", "other")
    return it.change(place, items=(*shown.items, again))


def list_reorders(it: Planting) -> History:
    place = of(it.history, Shown, client="ann", at=0, drop=0)[-1]
    shown = it.history.records[place]
    assert isinstance(shown, Shown)
    return it.change(place, items=(shown.items[1], shown.items[0], *shown.items[2:]))


def list_loses_its_own(it: Planting) -> History:
    """What was shown at once goes, and comes back."""
    place = confirmed(it)
    shown = it.history.records[place]
    assert isinstance(shown, Shown)
    return it.insert(place, replace(shown, items=()), replace(shown, items=(), drop=0))


def list_loses_one(it: Planting) -> History:
    place = of(it.history, Shown, client="bob")[-1]
    return it.insert(place, Shown(client="bob", conversation=ROOM, at=1, drop=1, start=True))


def list_changes_a_key(it: Planting) -> History:
    place = confirmed(it)
    shown = it.history.records[place]
    assert isinstance(shown, Shown)
    item = shown.items[0]
    return it.change(place, items=(Item("another", item.seq, item.status, item.text),))


def list_shows_what_is_not_so(it: Planting) -> History:
    place = confirmed(it, "bob")
    shown = it.history.records[place]
    assert isinstance(shown, Shown)
    item = shown.items[0]
    return it.change(place, items=(Item(item.key, item.seq, item.status, "nobody said this"),))


def list_lacks_the_last(it: Planting) -> History:
    return it.without(of(it.history, Shown, client="bob")[-1])


def list_waits_for_ever(it: Planting) -> History:
    return it.without(of(it.history, Shown, client="ann")[-1])


def list_shows_nothing(it: Planting) -> History:
    """What is watched, and never shown."""
    watching = Watching(client="bob", conversation=ROOM)
    return replace(
        it.without(*of(it.history, Shown, client="bob")),
        records=(
            watching,
            *it.without(*of(it.history, Shown, client="bob")).records,
        ),
    )


def list_without_a_start(it: Planting) -> History:
    return it.change(of(it.history, Shown, client="bob")[-1], start=False)


def unread_too_many(it: Planting) -> History:
    place = it.one(Counted)
    counted = it.history.records[place]
    assert isinstance(counted, Counted)
    return it.change(place, unread=counted.unread + 1)


def unread_forgets_a_mark(it: Planting) -> History:
    place = of(it.history, Counted, client="bob")[0]
    return it.change(place, unread=len(it.history.talks[0].items))


def comes_back(it: Planting) -> History:
    place = of(it.history, State, status="failed")[0]
    return it.insert(place + 1, State(client="eve", status="connected"))


def knocks(it: Planting) -> History:
    return it.insert(len(it.history.records), Knocked(client="eve", count=1))


PLANTED: dict[Plant, set[str]] = {
    lose_one: {"lost", "untrue gap"},
    lose_the_last: {"lost"},
    lose_the_first: {"lost"},
    lose_before_the_answer: {"lost"},
    twice: {"duplicate"},
    twice_later: {"duplicate"},
    out_of_order: {"lost", "reordered"},
    silent_gap: {"lost"},
    another_log: {"silent gap"},
    gap_of_nothing: {"untrue gap"},
    gap_from_elsewhere: {"untrue gap"},
    gap_where_none_may_be: {"gap"},
    altered: {"altered"},
    ack_lost: {"acknowledged and lost"},
    ack_elsewhere: {"acknowledged and lost"},
    ack_of_a_publish_lost: {"acknowledged and lost"},
    outbox_lost: {"unanswered", "acknowledged and lost"},
    twice_in_the_log: {"doubled"},
    twice_in_the_conversation: {"doubled"},
    sent_twice: {"doubled"},
    refused_and_there: {"refused and there"},
    unanswered: {"unanswered"},
    publish_unanswered: {"unanswered"},
    written_out_of_order: {"written out of order"},
    list_doubles: {"list: duplicate"},
    list_same_seq: {"list: duplicate"},
    list_reorders: {"list: reordered"},
    list_loses_its_own: {"list: vanished"},
    list_loses_one: {"list: vanished"},
    list_changes_a_key: {"list: key"},
    list_shows_what_is_not_so: {"list: wrong"},
    list_lacks_the_last: {"list: incomplete"},
    list_waits_for_ever: {"list: incomplete"},
    list_shows_nothing: {"list: incomplete"},
    list_without_a_start: {"list: incomplete"},
    unread_too_many: {"unread"},
    unread_forgets_a_mark: {"unread"},
    comes_back: {"came back"},
    knocks: {"came back"},
}


@pytest.mark.parametrize("seed", SEEDS)
def test_finds_nothing_where_all_is_well(seed: int) -> None:
    assert check(a_run(seed)) == []


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: str(plant.__name__))
def test_finds_what_is_planted(plant: Plant) -> None:
    for seed in SEEDS:
        found = {each.kind for each in check(plant(Planting(a_run(seed), random.Random(seed))))}
        assert found & PLANTED[plant], (seed, found)


def test_a_log_that_is_gone_excuses_what_was_in_it_alone() -> None:
    history = a_run(1)
    anew = replace(history.logs[0], epoch="f", items=())
    gone = [
        Gap(
            client=client,
            channel=CHANNEL,
            since=Position("e", len(history.logs[0].items)),
            position=Position("f", 0),
        )
        for client in ("ann", "bob")
    ]
    assert check(replace(history, logs=(anew,), records=(*history.records, *gone))) == []
    assert {each.kind for each in check(replace(history, logs=(anew,)))} == {"silent gap"}


def test_says_where() -> None:
    planted = lose_the_last(Planting(a_run(1), random.Random(1)))
    assert str(check(planted)[0]).startswith("lost: bob, log:orders, in the end at Position(")
