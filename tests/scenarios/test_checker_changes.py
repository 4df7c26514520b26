"""The checker sees each fault that is planted in what became of messages, and in who was there."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from tests.scenarios.checker import KINDS, check
from tests.scenarios.test_checker import PLANTED as OTHERS
from tests.scenarios.test_checker import Planting
from tests.scenarios.told import (
    Changed,
    Entered,
    Following,
    Gap,
    History,
    Item,
    Left,
    Log,
    Now,
    Position,
    Present,
    Record,
    Reopened,
    Seen,
    Shown,
    Talk,
    Written,
    edited,
)

CHANNEL, ROOM = "log:room", "room"
SEEDS = range(20)
COUNT = 5
"""Messages; ann has sent all of them."""


def a_run(seed: int) -> History:
    """What is told when all is well: ann edits, deletes and bob reacts, which both see; ann, bob and eve follow a
    channel; eve leaves it, and ann is opened anew."""
    chance = random.Random(seed)
    records: list[Record] = []
    now: dict[int, Now] = {}

    def show(seq: int, *, fresh: bool = False, to: tuple[str, ...] = ("ann", "bob")) -> None:
        was = now.get(seq, Now())
        text = "" if was.deleted else first(seq) if was.version == 1 else edited(first(seq), was.version)
        item = Item(first(seq), seq, "sent", text, was.deleted, was.reactions)
        where = {"conversation": ROOM, "at": seq - 1, "drop": int(not fresh)}
        records.extend(Shown(client=client, items=(item,), start=True, **where) for client in to)  # type: ignore[arg-type]

    def present(client: str, *users: str) -> None:
        records.append(Present(client=client, channel=CHANNEL, users=users))

    for seq in range(1, COUNT + 1):
        records.append(
            Written(
                client="ann",
                to=ROOM,
                text=first(seq),
                number=seq,
                after=seq - 1,
                outcome="accepted",
                place=seq,
            )
        )
        show(seq, fresh=True)
    records.append(Entered(client="eve", channel=CHANNEL, position=Position("e", 0)))
    for client in ("ann", "bob"):
        records.append(Following(client=client, channel=CHANNEL))
        present(client, *("ann", "eve") if client == "ann" else ("ann", "bob", "eve"))
    present("ann", "ann", "bob", "eve")

    def changed(client: str, seq: int, **what: Any) -> None:
        records.append(
            Changed(client=client, user=client, conversation=ROOM, seq=seq, outcome="accepted", **what)
        )

    for version in range(2, 3 + chance.randint(1, 3)):
        now[1] = Now(version)
        show(1)
        changed("ann", 1, version=version)
    for seq in (2, 3):
        now[seq] = Now(reactions="+1 1 bob")
        show(seq)
        changed("bob", seq, reaction="+1", given=True)
    now[3] = Now()
    show(3)
    changed("bob", 3, reaction="+1", given=False)
    now[4] = Now(deleted=True)
    show(4)
    changed("ann", 4, deleted=True)
    records.append(Left(client="eve", channel=CHANNEL))
    for client in ("ann", "bob"):
        present(client, "ann", "bob")
    records.append(Reopened(client="ann"))
    for seq in range(1, COUNT + 1):
        show(seq, fresh=True, to=("ann",))
    records.append(Following(client="ann", channel=CHANNEL))
    present("ann", "ann", "bob")
    present("", "ann", "bob")
    return History(
        tuple(records),
        (),
        (Talk(ROOM, tuple((seq, "ann", first(seq)) for seq in range(1, COUNT + 1)), now),),
        {"ann": "ann", "bob": "bob", "eve": "eve"},
        frozenset(("ann", "bob", "eve")),
        there={CHANNEL: frozenset(("ann", "bob"))},
    )


def first(seq: int) -> str:
    return f"message {seq}"


Plant = Callable[[Planting], History]


def views(it: Planting, seq: int, client: str = "bob") -> list[int]:
    return [
        place
        for place, record in enumerate(it.history.records)
        if isinstance(record, Shown) and record.client == client and record.at == seq - 1
    ]


def again(it: Planting, seq: int, which: int) -> History:
    """Bob's list shows once more what it showed of a message, and then the newest again."""
    places = views(it, seq)
    old, new = it.history.records[places[which]], it.history.records[places[-1]]
    assert isinstance(old, Shown)
    assert isinstance(new, Shown)
    return it.insert(places[-1] + 1, replace(old, drop=1), new)


def edit_goes_back(it: Planting) -> History:
    return again(it, 1, it.chance.choice((0, 1)))


def deleted_comes_back(it: Planting) -> History:
    return again(it, 4, 0)


def reaction_comes_back(it: Planting) -> History:
    return again(it, 3, 1)


def old_version_in_the_end(it: Planting) -> History:
    return it.without(views(it, 1)[-1])


def deletion_not_seen(it: Planting) -> History:
    return it.without(views(it, 4)[-1])


def reaction_not_seen(it: Planting) -> History:
    return it.without(views(it, 2)[-1])


def reaction_not_taken_back(it: Planting) -> History:
    return it.without(views(it, 3)[-1])


def reaction_miscounted(it: Planting) -> History:
    place = views(it, 2)[-1]
    shown = it.history.records[place]
    assert isinstance(shown, Shown)
    return it.change(place, items=(replace(shown.items[0], reactions="+1 2 bob"),))


def version_of_nobody(it: Planting) -> History:
    place = views(it, 5)[-1]
    shown = it.history.records[place]
    assert isinstance(shown, Shown)
    return it.change(place, items=(replace(shown.items[0], text=edited(first(5), 2)),))


def with_now(it: Planting, seq: int, now: Now, **change: Any) -> History:
    """Another end of a message, which both lists show."""
    talk = it.history.talks[0]
    item = Item(
        first(seq), seq, "sent", edited(first(seq), now.version) if now.version > 1 else first(seq), **change
    )
    records = list(it.history.records)
    for client in ("ann", "bob"):
        place = views(it, seq, client)[-1]
        record = records[place]
        assert isinstance(record, Shown)
        records[place] = replace(record, items=(item,))
    talks = (replace(talk, now={**talk.now, seq: now}),)
    return replace(it.history, records=tuple(records), talks=talks)


def edit_lost(it: Planting) -> History:
    last = it.history.talks[0].now[1].version
    return with_now(it, 1, Now(last - 1))


def deletion_lost(it: Planting) -> History:
    return with_now(it, 4, Now())


def reaction_lost(it: Planting) -> History:
    return with_now(it, 2, Now())


def reaction_kept(it: Planting) -> History:
    return with_now(it, 3, Now(reactions="+1 1 bob"), reactions="+1 1 bob")


def refused_edit_is_there(it: Planting) -> History:
    place = [
        place
        for place, record in enumerate(it.history.records)
        if isinstance(record, Changed) and record.version == it.history.talks[0].now[1].version
    ][-1]
    return it.change(place, outcome="refused")


def ghost_in_the_end(it: Planting) -> History:
    last = [
        place
        for place, record in enumerate(it.history.records)
        if isinstance(record, Present) and record.client == "bob"
    ][-1]
    return it.without(last)


def ghost_of_one_who_never_came(it: Planting) -> History:
    place = it.one(Present, client="bob")
    return it.insert(place, Present(client="bob", channel=CHANNEL, users=("ann", "bob", "zoe")))


def ghost_of_the_server(it: Planting) -> History:
    return it.change(it.one(Present, client=""), users=("ann", "bob", "eve"))


def missing_in_the_end(it: Planting) -> History:
    last = len(it.history.records)
    return it.insert(
        last, Present(client=it.chance.choice(("ann", "bob", "")), channel=CHANNEL, users=("ann",))
    )


def nobody_shown(it: Planting) -> History:
    """What is followed, and never shown."""
    places = [
        place
        for place, record in enumerate(it.history.records)
        if isinstance(record, Present) and record.client == "bob"
    ]
    return it.without(*places)


def shown_twice(it: Planting) -> History:
    return it.change(it.one(Present, client="bob"), users=("ann", "ann", "bob"))


PLANTED: dict[Plant, set[str]] = {
    edit_goes_back: {"list: went back"},
    deleted_comes_back: {"list: went back"},
    reaction_comes_back: {"list: went back"},
    old_version_in_the_end: {"list: outdated"},
    deletion_not_seen: {"list: outdated"},
    reaction_not_seen: {"list: outdated"},
    reaction_not_taken_back: {"list: outdated"},
    reaction_miscounted: {"list: outdated"},
    version_of_nobody: {"list: wrong"},
    edit_lost: {"change lost"},
    deletion_lost: {"change lost"},
    reaction_lost: {"change lost"},
    reaction_kept: {"change lost"},
    refused_edit_is_there: {"refused and there"},
    ghost_in_the_end: {"present: ghost"},
    ghost_of_one_who_never_came: {"present: ghost"},
    ghost_of_the_server: {"present: ghost"},
    missing_in_the_end: {"present: missing"},
    nobody_shown: {"present: missing"},
    shown_twice: {"present: twice"},
}


@pytest.mark.parametrize("seed", SEEDS)
def test_finds_nothing_where_all_is_well(seed: int) -> None:
    assert check(a_run(seed)) == []


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: str(plant.__name__))
def test_finds_what_is_planted(plant: Plant) -> None:
    for seed in SEEDS:
        found = {each.kind for each in check(plant(Planting(a_run(seed), random.Random(seed))))}
        assert found & PLANTED[plant], (seed, found)


def test_every_kind_is_planted() -> None:
    assert set().union(*OTHERS.values(), *PLANTED.values()) == set(KINDS)


def test_what_was_not_answered_may_have_become_either() -> None:
    it = Planting(a_run(1), random.Random(1))
    lost = reaction_lost(it)
    (place,) = (
        place for place, record in enumerate(lost.records) if isinstance(record, Changed) and record.seq == 2
    )
    unknown = Planting(lost, it.chance).change(place, outcome="unknown")
    assert "change lost" in {each.kind for each in check(lost)}
    assert "change lost" not in {each.kind for each in check(unknown)}


@pytest.mark.parametrize("acknowledged", ["e", "f"])
def test_what_the_next_log_has_accepted_anew_is_no_duplicate(acknowledged: str) -> None:
    """A publish whose answer was lost with the log that had it is made again; one that was answered is not."""
    places = (Position("e", 0), Position("e", 1), Position("f", 0))
    run = History(
        (
            Entered(client="bob", channel=CHANNEL, position=places[0]),
            Seen(client="bob", channel=CHANNEL, text="x", epoch="e", offset=1),
            Gap(client="bob", channel=CHANNEL, since=places[1], position=places[2]),
            Seen(client="bob", channel=CHANNEL, text="x", epoch="f", offset=1),
            Written(
                client="ann",
                to=CHANNEL,
                text="x",
                number=1,
                after=0,
                outcome="accepted",
                epoch=acknowledged,
                place=1,
            ),
        ),
        (Log(CHANNEL, "f", 0, ((1, "x"),)),),
        (),
        {"ann": "ann", "bob": "bob"},
        frozenset(("ann", "bob")),
        gaps=True,
    )
    assert [each.kind for each in check(run)] == ([] if acknowledged == "f" else ["duplicate"])
