from __future__ import annotations

import random

import pytest
from tests.hub.world import World

from hubbub.hub.recovery import fit, merge
from hubbub.model import History, Position, Publication, Raw


def pub(offset: int | None, epoch: str | None = "e") -> Publication:
    return Publication("a", "m", Raw(b"1"), epoch=epoch if offset is not None else None, offset=offset)


def read(first: int, head: int, *, complete: bool = True, more: bool = False) -> History:
    return History(Position("e", head), tuple(pub(n) for n in range(first, head + 1)), complete, more)


@pytest.mark.parametrize(
    ("since", "history", "buffered", "position", "offsets", "joined"),
    [
        (None, read(1, 0), [], 0, None, True),
        (None, read(1, 5), [], 5, None, True),
        (None, read(6, 5), [6, 7], 7, None, True),
        (None, read(6, 5), [7], 7, None, False),
        (5, read(6, 5), [], 5, [], True),
        (3, read(4, 5), [], 5, [4, 5], True),
        (3, read(4, 5), [4, 5, 6], 6, [4, 5, 6], True),
        (3, read(4, 5), [6], 6, [4, 5, 6], True),
        (3, read(4, 5), [7], 7, None, False),
        (3, read(4, 5), [6, 8], 8, None, False),
        (3, read(4, 5), [None, 6, None], 6, [4, 5, 6], True),
        (3, read(4, 5, complete=False), [6], 6, None, True),
        (3, read(4, 5, more=True), [6], 6, None, True),
    ],
)
def test_the_log_and_the_buffer_are_joined_without_overlap_or_hole(
    since: int | None,
    history: History,
    buffered: list[int | None],
    position: int,
    offsets: list[int] | None,
    joined: bool,
) -> None:
    at = Position("e", since) if since is not None else None
    recovery = merge(at, history, [pub(offset) for offset in buffered])
    assert recovery.position == Position("e", position)
    assert recovery.recovered is (offsets is not None)
    assert [each.offset for each in recovery.publications] == (offsets or [])
    assert recovery.joined is joined


def test_another_epoch_is_never_recovered() -> None:
    assert not merge(Position("old", 3), read(4, 5)).recovered
    recovery = merge(Position("e", 3), read(4, 5), [pub(1, "new")])
    assert not recovery.recovered
    assert not recovery.joined


@pytest.mark.parametrize("seed", range(5))
def test_wherever_the_read_falls_the_client_ends_with_the_whole_log(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(300):
        total = chance.randint(0, 12)
        since, buffering = chance.randint(0, total), chance.randint(0, total)
        head = chance.randint(max(since, buffering), total)
        buffer = [pub(n) for n in range(buffering + 1, total + 1)]
        recovery = merge(Position("e", since), read(since + 1, head), buffer)
        assert recovery.recovered
        assert [each.offset for each in recovery.publications] == list(range(since + 1, total + 1))
        assert recovery.position.offset == total


def test_an_answer_is_cut_by_its_bytes_but_never_to_nothing() -> None:
    history = History(
        Position("e", 3), tuple(Publication("a", "m", Raw(b"x" * 10), offset=n) for n in (1, 2, 3))
    )
    for limit, kept in ((30, 3), (29, 2), (20, 2), (19, 1), (10, 1), (0, 1)):
        found = fit(history, limit)
        assert [each.offset for each in found.publications] == [1, 2, 3][:kept]
        assert found.more is (kept < 3)
        assert found.position == history.position


@pytest.mark.anyio
async def test_a_recovery_of_too_many_bytes_is_a_gap_and_history_pages_it() -> None:
    world = await World(limits={"history_bytes": 100}).start()
    alice = await world.connected("alice", "lobby")
    epoch = (await alice.ask(type="history", channel="lobby", limit=0))["result"]["position"]["epoch"]
    for _ in range(5):
        await alice.ask(type="publish", channel="lobby", data="x" * 23)  # 25 bytes as JSON
    for offset, recovered in ((1, True), (0, False)):
        bob = await world.connected("bob")
        reply = await bob.ask(type="subscribe", channel="lobby", since={"epoch": epoch, "offset": offset})
        assert reply.get("recovered", False) is recovered
    result = (await alice.ask(type="history", channel="lobby"))["result"]
    assert (len(result["publications"]), result["more"]) == (4, True)
