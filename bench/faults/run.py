"""One run: people talk over several nodes, one thing after the other is broken, then all is read, and judged."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from bench.chat.rest import Rest, RestError
from bench.faults.checker import NO_FLOORS, Floors, Rules, Verdict, check
from bench.faults.clients import LONG, Habits, Person, id_of
from bench.faults.crowd import Crowd, crowd
from bench.faults.history import Channel, Final, Item, Presence, Stuck, Writer, load, now
from bench.faults.nemesis import ENDS_EPOCHS, Breaker, Fault, mend, possible, schedule
from bench.faults.network import Loopback, Namespaces
from bench.faults.rig import Broker, Node, Rig, rig, wait_for
from bench.faults.wires import CONVERSATION, Position, part_of
from bench.faults.worker import REST, Plan
from hubbub.auth.tokens import mint
from hubbub.loadgen import BenchError

WIRES = ("native", "native", "polling", "native", "stream", "socketio", "native", "native")
"""Of what kinds, one participant after the other."""
BACK = 60.0
"""Seconds after a fault in which everybody must be there again, and messages be acknowledged: patience, no verdict."""
GRACE = 5.0
"""Seconds by which presence may be late."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`people` participants, two of three of whom have a second device, send `rate` messages a second in all, in
    `conversations` (where the chat is) and `rooms`. `kinds` of faults: all that there can be. `database` is a kind
    (`sqlite`, `postgresql`), or the URL of one that is there.

    Behind the last fault people talk on for `calm` seconds; then there are `quiet` seconds, in which presence is looked
    at, and at most `rest` in which everybody gets everything. With `enough`, both take as long as it takes until
    there is enough for a verdict (`floors`), however slow the machine is.
    """

    seed: int = 1
    seconds: float = 120.0
    nodes: int = 3
    database: str = "postgresql"
    broker: Broker = "redis"
    people: int = 16
    conversations: int = 3
    rooms: int = 2
    rate: float = 60.0
    leaves: float = 0.01
    long: float = LONG
    workers: int = 2
    kinds: tuple[str, ...] = ()
    wires: tuple[str, ...] = WIRES
    partitions: bool = False
    calm: float = 10.0
    quiet: float = GRACE + 3.0
    rest: float = REST
    enough: bool = True
    command: tuple[str, ...] = ()
    more: dict[str, str] = field(default_factory=dict)

    def faults(self) -> list[Fault]:
        there = possible(self.nodes, broker=self.broker, partitions=self.partitions)
        kinds = [kind for kind in there if kind in self.kinds] if self.kinds else there
        return schedule(self.seed, self.seconds, kinds, self.nodes)

    def floors(self, faults: Sequence[Fault]) -> Floors:
        acked = int(self.seconds * self.rate / 10)
        kinds = Counter(fault.kind for fault in faults)
        breaks = sum(kinds[kind] for kind in ("node-kill", "node-pause", "node-restart"))
        return Floors(
            acked=acked,
            delivered=acked * 2,
            resumes=breaks * self.people // self.nodes // 4,
            retried=0,
            reads=acked // 40,
            presence=self.rooms * self.nodes * 3 if self.rooms else 0,
            receipts=acked // 40,
            faults=kinds,
        )


def people(
    settings: Settings, secret: str, conversations: Sequence[str], rooms: Sequence[str]
) -> list[Person]:
    """Everybody in every room that its wire can tell of, and in every conversation."""
    found = []
    for number in range(settings.people):
        user = f"p{number * 2 // 3}"
        name = user if number % 3 != 1 else f"{user}/second"
        kind = settings.wires[number % len(settings.wires)]
        channels = (*conversations, *(() if kind == "socketio" else rooms))
        token = mint(secret, user, now=time.time(), ttl=86_400)
        found.append(Person(name, kind, token, channels))
    return found


def torture(settings: Settings, folder: Path, say: Callable[[str], object] = lambda text: None) -> Verdict:
    """Run it; histories, and the nodes' logs, are left in `folder`. Raises BenchError if the nodes do not start."""
    network = Namespaces() if settings.partitions else Loopback()
    faults = settings.faults()
    with rig(
        settings.nodes,
        settings.database,
        settings.broker,
        network,
        folder,
        settings.seed,
        settings.command,
        settings.more,
    ) as stage:
        writer = Writer(folder / "nemesis.jsonl")
        try:
            stage.start()
            rest = stage.nodes[0].rest()
            conversations = _conversations(rest, settings)
            rest.close()
            rooms = [f"room:{number}" for number in range(settings.rooms)]
            for room in rooms:
                writer.write(Channel(now(), ch=room, durable=False))
            crew = people(settings, stage.secret, list(conversations), rooms)
            plans = _plans(settings, stage, folder, crew)
            try:
                _talk(stage, settings, faults, plans, folder, (conversations, rooms), writer, say)
                stage.check()
            except BenchError as error:
                say(f"given up: {error}")
                writer.write(Stuck(now(), why=str(error)))
        finally:
            mend(stage)
            writer.close()
    ends = ENDS_EPOCHS if settings.broker != "memory" else {"node-kill", "node-restart"}
    rules = Rules(ends_epochs=frozenset(ends), presence_grace=GRACE)
    return check(load(folder.glob("*.jsonl")), settings.floors(faults), rules)


def _talk(
    stage: Rig,
    settings: Settings,
    faults: Sequence[Fault],
    plans: Sequence[Plan],
    folder: Path,
    channels: tuple[dict[str, int], Sequence[str]],
    writer: Writer,
    say: Callable[[str], object],
) -> None:
    """All of the talking, and the last look at everything. Raises BenchError when it does not get on."""
    conversations, rooms = channels
    with crowd(plans, folder) as workers:
        with _Watch(stage, rooms, folder) as watch:
            over = _play(stage, settings, faults, workers, writer, say)
            floors = settings.floors(faults) if settings.enough else NO_FLOORS
            time.sleep(settings.calm)
            workers.wait(lambda: workers.acked >= floors.acked, f"{floors.acked} acknowledged messages")
            workers.wait(lambda: workers.reads >= floors.reads, f"{floors.reads} pages")
            workers.wait(lambda: workers.receipts >= floors.receipts, f"{floors.receipts} receipts")
            workers.tell("stop")
            workers.wait(lambda: not workers.sending, "all messages to be acknowledged")
            time.sleep(settings.quiet)  # presence is looked at meanwhile
            workers.wait(
                lambda: watch.looks(over + GRACE) >= floors.presence, f"{floors.presence} looks at presence"
            )
        finals = [final for node in stage.nodes for final in _read_all(node, conversations, rooms)]
        for final in finals:
            writer.write(final)
        heads = {final.ch: _head(final) for final in finals}
        workers.tell(msgspec.json.encode(heads).decode())
        workers.finish()


def _play(
    stage: Rig,
    settings: Settings,
    faults: Sequence[Fault],
    workers: Crowd,
    writer: Writer,
    say: Callable[[str], object],
) -> float:
    """All of the faults; gives the time when the last one was over."""
    breaker, mended = Breaker(stage, writer), now()
    workers.wait(lambda: workers.online == settings.people, "everybody to be there")
    workers.tell("go")
    for number, fault in enumerate(faults, 1):
        acked = workers.acked
        workers.wait(lambda: workers.acked >= acked + settings.rate / 2, "messages before a fault")  # noqa: B023
        say(f"{number} of {len(faults)}: {fault.kind} (node {fault.node}, {fault.hold:.1f} s)")
        breaker.play(fault)
        mended = now()
        stage.check()
        acked = workers.acked
        wait_for(
            lambda: workers.online == settings.people and workers.acked >= acked + settings.rate / 2,  # noqa: B023
            f"all {settings.people} to be back after {fault.kind} ({workers.online} are)",
            BACK,
        )
        say(f"  all are there and heard again {now() - mended:.1f} s after it")
        time.sleep(fault.rest)
    return mended


class _Watch:
    """Asks every node that is well who is in the rooms, each second, and writes it down."""

    def __init__(self, stage: Rig, rooms: Sequence[str], folder: Path) -> None:
        self._stage = stage
        self._rooms = rooms
        self._writer = Writer(folder / "presence.jsonl")
        self._over = threading.Event()
        self._looks: list[float] = []
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        self._writer.close()

    def looks(self, since: float) -> int:
        """How many lists a node was asked for since then, and gave."""
        return sum(asked > since for asked in self._looks)

    def _look(self) -> None:
        asking = {node.name: node.rest(3.0) for node in self._stage.nodes}
        while not self._over.wait(1.0):
            for node in self._stage.nodes:
                if node.well:
                    self._ask(node, asking[node.name])
        for rest in asking.values():
            rest.close()

    def _ask(self, node: Node, rest: Rest) -> None:
        for room in self._rooms:
            asked = now()
            try:
                answer = rest.call("GET", f"/channels/{quote(room)}/presence")
            except (OSError, http.client.HTTPException, RestError):
                return
            members = tuple(sorted({each["user"] for each in answer.get("members", ())}))
            self._writer.write(Presence(asked, ch=room, members=members, told=now(), by=node.name))
            self._looks.append(asked)


# --- people -----------------------------------------------------------------------------------------------------------


def _conversations(rest: Rest, settings: Settings) -> dict[str, int]:
    """Make users and conversations; gives the channels of these, and the heads of their logs."""
    users = sorted({f"p{number * 2 // 3}" for number in range(settings.people)})
    for user in users:
        rest.call("PUT", f"/users/{user}", {"name": user})
    made = {}
    for number in range(settings.conversations):
        members = [{"user": user} for user in users]
        body = {"kind": "group", "name": f"conversation {number}", "members": members}
        id = rest.call("POST", "/conversations", body)["conversation"]["id"]
        made[CONVERSATION + id] = rest.call("GET", f"/conversations/{id}")["conversation"]["seq"]
    return made


def _plans(settings: Settings, stage: Rig, folder: Path, crew: Sequence[Person]) -> list[Plan]:
    habits = Habits(
        settings.people / settings.rate,
        reads=0.1,
        cuts=0.01,
        marks=0.1,
        leaves=settings.leaves,
        long=settings.long,
    )
    return [
        Plan(
            stage.entrance,
            tuple(crew[number :: settings.workers]),
            str(folder / f"clients-{number}.jsonl"),
            habits,
            settings.seed * 100 + number,
            settings.rest,
        )
        for number in range(min(settings.workers, len(crew)))
    ]


# --- the end ----------------------------------------------------------------------------------------------------------


def _head(final: Final) -> Position:
    return Position(final.epoch, final.items[-1][0] if final.items else final.base)


def _read_all(node: Node, conversations: dict[str, int], rooms: Sequence[str]) -> list[Final]:
    rest = node.rest()
    try:
        return [
            *(_conversation(rest, node.name, channel, base) for channel, base in conversations.items()),
            *(_room(rest, node.name, room) for room in rooms),
        ]
    finally:
        rest.close()


def _conversation(rest: Rest, by: str, channel: str, base: int) -> Final:
    """All messages of a conversation, page by page."""
    items: list[Item] = []
    corrupt: list[int] = []
    path, after, more = f"/conversations/{channel.removeprefix(CONVERSATION)}/messages", base, True
    while more:
        page = rest.call("GET", f"{path}?after={after}")
        for message in page["messages"]:
            _take(message["seq"], part_of(message), items, corrupt)
        more = bool(page.get("more_after"))
        after = items[-1][0] if items else base
    epoch = rest.call("GET", f"/channels/{channel}/history?limit=0")["position"]["epoch"]
    return Final(now(), ch=channel, epoch=epoch, base=base, items=tuple(items), corrupt=tuple(corrupt), by=by)


def _room(rest: Rest, by: str, channel: str) -> Final:
    """All of a channel's log."""
    items: list[Item] = []
    corrupt: list[int] = []
    path = f"/channels/{quote(channel)}/history"
    page: dict[str, Any] = rest.call("GET", f"{path}?limit=500")
    epoch = page["position"]["epoch"]
    while True:
        for publication in page["publications"]:
            _take(publication["offset"], str(publication["data"]["text"]), items, corrupt)
        if not page.get("more"):
            break
        page = rest.call("GET", f"{path}?limit=500&since={epoch}:{items[-1][0]}")
        if page["position"]["epoch"] != epoch:
            raise BenchError(f"{channel} has a new epoch while it is read")
    base = items[0][0] - 1 if items else page["position"]["offset"]
    return Final(now(), ch=channel, epoch=epoch, base=base, items=tuple(items), corrupt=tuple(corrupt), by=by)


def _take(seq: int, text: str, items: list[Item], corrupt: list[int]) -> None:
    id, whole = id_of(text)
    items.append((seq, id))
    if not whole:
        corrupt.append(seq)
