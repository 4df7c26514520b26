from __future__ import annotations

import random
from typing import Any

import pytest
from tests.cluster.several import Node, Several
from tests.hub.world import settle

from hubbub.chat.elsewhere import Change, Changes, Elsewhere
from hubbub.chat.model import Availability

pytestmark = pytest.mark.anyio
GRACE = 2.0


class Watcher:
    """A node's users, and what it sees of others'."""

    def __init__(self, several: Several, node: Node) -> None:
        self.clock = several.clock
        self.here: dict[str, Availability] = {}
        self.changes: list[tuple[str, bool]] = []
        self.asked_away: list[tuple[str, bool]] = []
        self.elsewhere = Elsewhere(
            node.cluster.bus,
            node.cluster.nodes,
            several.clock,
            node.hub.spawn,
            GRACE,
            here=lambda: self.here,
            changed=lambda user, time, note: self.changes.append((user, note)),
            away=lambda user, away: self.asked_away.append((user, away)),
        )

    def set(self, user: str, availability: Availability, *, noted: bool = False) -> None:
        if availability == "offline":
            self.here.pop(user, None)
        else:
            self.here[user] = availability
        self.elsewhere.tell(user, Change(availability, self.clock.now(), noted))

    def sees(self, user: str) -> list[Availability]:
        return sorted(self.elsewhere.of(user))


class Town(Several):
    def __init__(self, count: int = 3, **settings: Any) -> None:
        super().__init__(count, **settings)
        self.watchers = [Watcher(self, node) for node in self.nodes]

    async def __aexit__(self, *_: object) -> None:
        for watcher in self.watchers:
            watcher.elsewhere.stop()
        await super().__aexit__(*_)


async def test_each_node_sees_the_users_of_all_others() -> None:
    async with Town() as town:
        one, two, three = town.watchers
        one.set("ada", "online")
        two.set("ada", "away")
        await town.pass_by(0.25)
        assert (one.sees("ada"), two.sees("ada"), three.sees("ada")) == (
            ["away"],
            ["online"],
            ["away", "online"],
        )
        one.set("ada", "offline", noted=True)
        await town.pass_by(0.25)
        assert (two.sees("ada"), three.sees("ada")) == ([], ["away"])
        assert [user for user, _ in one.changes] == ["ada"]


async def test_many_changes_are_one_message() -> None:
    async with Town(2) as town:
        one, two = town.watchers
        before = town[1].broker.delivered
        for number in range(1000):
            one.set(str(number), "online")
        await town.pass_by(0.25)
        assert town[1].broker.delivered <= before + 2
        assert two.sees("999") == ["online"]


async def test_who_was_seen_last_is_written_down_by_one_node() -> None:
    async with Town() as town:
        for number in range(50):
            town.watchers[0].set(str(number), "online")
        await town.pass_by(0.25)
        for number in range(50):
            town.watchers[0].set(str(number), "offline")
        await town.pass_by(0.25)
        for watcher in town.watchers:
            assert len(watcher.changes) in (0, 100)
        noted = [user for watcher in town.watchers for user, note in watcher.changes[50:] if note]
        assert len(noted) == len(set(noted))
        assert 20 < len(noted) < 50, "the third of them is the teller's own, which knows that it has not"


async def test_what_was_noted_is_not_noted_again() -> None:
    async with Town(2) as town:
        one, two = town.watchers
        for number in range(20):
            one.set(str(number), "offline", noted=True)
        await town.pass_by(0.25)
        assert len(two.changes) == 20
        assert not any(note for _, note in two.changes)


async def test_a_node_that_comes_later_learns_of_all() -> None:
    async with Town(2) as town:
        town.watchers[0].set("ada", "away")
        await town.pass_by(0.25)
        late = town.add()
        town.nodes.append(late)
        watcher = Watcher(town, late)
        town.watchers.append(watcher)
        await late.start()
        await town.pass_by(1)
        assert watcher.sees("ada") == ["away"]
        watcher.set("bob", "online")
        await town.pass_by(2)
        assert town.watchers[0].sees("bob") == ["online"]


async def test_a_dead_node_s_users_go_after_the_grace_and_a_living_one_writes_it_down() -> None:
    async with Town() as town:
        for number in range(20):
            town.watchers[2].set(str(number), "online")
        await town.pass_by(1)
        town[2].kill()
        await town.pass_by(5.25)
        assert len(town[0].cluster.nodes.others) == 1
        assert town.watchers[0].sees("7") == ["online"]
        for watcher in town.watchers:
            watcher.changes.clear()
        await town.pass_by(GRACE)
        assert town.watchers[0].sees("7") == town.watchers[1].sees("7") == []
        noted = [user for watcher in town.watchers[:2] for user, note in watcher.changes if note]
        assert sorted(noted) == sorted(str(number) for number in range(20))


async def test_a_node_that_stops_takes_its_users_along_after_the_grace() -> None:
    async with Town(2) as town:
        town.watchers[1].set("ada", "online")
        await town.pass_by(1)
        await town[1].stop()
        await town.pass_by(GRACE - 0.25)
        assert town.watchers[0].sees("ada") == ["online"]
        await town.pass_by(0.5)
        assert town.watchers[0].sees("ada") == []


async def test_a_node_that_was_held_dead_is_believed_again() -> None:
    async with Town(2) as town:
        one, two = town.watchers
        two.set("ada", "online")
        await town.pass_by(1)
        town[1].cut_off()
        await town.pass_by(10)
        assert one.sees("ada") == []
        two.set("bob", "online")
        await town.pass_by(1)
        town[1].rejoin()
        await town.pass_by(3)
        assert (one.sees("ada"), one.sees("bob")) == (["online"], ["online"])


async def test_a_node_that_is_back_within_the_grace_was_never_gone() -> None:
    async with Town(2) as town:
        one, two = town.watchers
        two.set("ada", "online")
        await town.pass_by(1)
        town[0].cluster.nodes.forget(town[1].id)
        one.changes.clear()
        await town.pass_by(GRACE + 2)
        assert one.sees("ada") == ["online"]
        assert one.changes == []


async def test_what_was_lost_on_the_way_is_asked_for() -> None:
    async with Town(2) as town:
        one, two = town.watchers
        for user in ("ada", "bob"):
            two.set(user, "online")
            if user == "ada":
                town[0].broker.lose(1)
            await town.pass_by(0.25)
        await settle()
        assert (one.sees("ada"), one.sees("bob")) == (["online"], ["online"])
        town[0].broker.deaf = True
        two.set("ada", "offline")
        await town.pass_by(0.25)
        assert one.sees("ada") == ["online"]
        town[0].broker.deaf = False
        await town.pass_by(1.25)
        assert one.sees("ada") == [], "the next beat says where it stands"


async def test_what_comes_while_all_is_asked_for_is_not_forgotten() -> None:
    async with Town(2) as town:
        one, two = town.watchers
        two.set("ada", "online")
        await town.pass_by(1)
        town.shared.pause()
        one.elsewhere._ask(town[1].id)
        two.set("ada", "away")
        two.set("bob", "online")
        await town.pass_by(0.25)
        two.set("bob", "away")
        await town.pass_by(0.25)
        town.shared.resume()
        await settle()
        assert (one.sees("ada"), one.sees("bob")) == (["away"], ["away"])


async def test_what_overtakes_the_answer_is_taken_after_it() -> None:
    async with Town(2) as town:
        one, two = town.watchers
        two.set("ada", "online")
        await town.pass_by(1)
        town.shared.pause()
        one.elsewhere._ask(town[1].id)
        await settle()
        number = one.elsewhere._peers[town[1].id].number
        for later in (1, 2):
            change = Change("away" if later == 2 else "offline", town.clock.now())
            one.elsewhere._heard(town[1].id, Changes(number + later, {"ada": change}))
        town.shared.resume()
        await settle()
        assert one.sees("ada") == ["away"]


async def test_a_node_that_is_held_dead_is_not_heard() -> None:
    async with Town(2) as town:
        one, two = town.watchers
        two.set("ada", "online")
        await town.pass_by(1)
        town[1].state.cut = True  # but not the broker
        await town.pass_by(6 + GRACE)
        two.set("ada", "away")
        await town.pass_by(2)
        assert one.sees("ada") == []
        assert not one.elsewhere._peers


async def test_all_sessions_of_a_user_are_set_away_on_all_nodes() -> None:
    async with Town() as town:
        await town.watchers[0].elsewhere.set_away("ada", True)
        await settle()
        assert [watcher.asked_away for watcher in town.watchers] == [[], [("ada", True)], [("ada", True)]]


@pytest.mark.parametrize("seed", range(10))
async def test_all_agree_in_the_end_whatever_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    async with Town() as town:
        for _ in range(150):
            number = chance.randrange(3)
            user, how = chance.choice("abc"), chance.choice(["online", "away", "offline"])
            town.watchers[number].set(user, how)  # type: ignore[arg-type]
            if chance.random() < 0.2:
                town[chance.randrange(3)].broker.lose(1)
            if chance.random() < 0.05:
                town[number].cut_off()
            if chance.random() < 0.2:
                town[number].rejoin()
            await town.pass_by(chance.choice([0.0, 0.25, 0.5]))
        for node in town.nodes:
            node.broker._dropping = 0
            node.rejoin()
        await town.pass_by(20)
        for user in "abc":
            for watcher in town.watchers:
                others = [each.here.get(user) for each in town.watchers if each is not watcher]
                assert watcher.sees(user) == sorted(each for each in others if each)
