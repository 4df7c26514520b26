"""One run: people talk, something is killed and started again, many times; then all is read, and the checker judges."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.chat.rest import Rest
from bench.chat.servers import Database
from bench.crash.servers import Victim, victim
from bench.faults.checker import Floors, Verdict, check
from bench.faults.clients import Habits, Person, id_of
from bench.faults.crowd import Crowd, crowd
from bench.faults.history import Final, Item, Nemesis, Writer, load, now
from bench.faults.wires import CONVERSATION, Position, part_of
from bench.faults.worker import REST, Plan
from hubbub.auth.tokens import mint

EACH = 2
"""Conversations that a participant is in."""
SIZE = 7
"""Members of a conversation, about."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`rate` messages a second in all; before each kill, `messages` of them must have been acknowledged since the last
    one and everybody must be there. In every third round on PostgreSQL it is the database that is killed. In the end
    everybody must get everything within `rest` seconds."""

    kills: int = 30
    senders: int = 20
    rate: float = 200.0
    messages: int = 100
    workers: int = 2
    longest: float = 1.5
    seed: int = 1
    rest: float = REST
    folder: Path | None = None
    command: tuple[str, ...] = ()

    def faults(self, database: Database) -> list[str]:
        """What is killed in each round."""
        return [
            "database" if database == "postgres" and number % 3 == 1 else "server"
            for number in range(self.kills)
        ]

    def floors(self, database: Database) -> Floors:
        faults = self.faults(database)
        server = faults.count("server")
        acked = self.kills * self.messages
        return Floors(
            acked=acked,
            delivered=acked * min(self.senders, SIZE),
            resumes=server * self.senders,
            retried=server // 5,
            reads=min(1, self.kills * self.messages // 100),
            faults={kind: faults.count(kind) for kind in sorted(set(faults))},
        )


def people(settings: Settings) -> tuple[list[str], list[list[int]]]:
    """The kinds of the participants' wires, and in which conversations they are: each is in `EACH` of them."""
    kinds = [
        "socketio" if n % 5 == 3 else "stream" if n % 5 == 4 else "native" for n in range(settings.senders)
    ]
    rooms = max(1, settings.senders * EACH // SIZE)
    step = max(1, rooms // 2)
    return kinds, [sorted({n % rooms, (n + step) % rooms}) for n in range(settings.senders)]


def torture(
    database: Database, settings: Settings, folder: Path, say: Callable[[str], object] = lambda text: None
) -> Verdict:
    """Run it; histories, and the server's log, are left in `folder`. Raises BenchError if there is nothing to judge."""
    with victim(database, settings.folder, settings.command) as server:
        writer = Writer(folder / "nemesis.jsonl")
        rest = server.rest()
        try:
            server.start()
            kinds, places = people(settings)
            rooms = _seed(rest, places)
            plans = _plans(
                server,
                settings,
                folder,
                kinds,
                [[CONVERSATION + rooms[place][0] for place in mine] for mine in places],
            )
            with crowd(plans, folder) as workers:
                _nemesis(server, settings, database, workers, writer, say)
                workers.tell("stop")
                workers.wait(lambda: not workers.sending, "all messages to be acknowledged")
                rest.close()  # what was connected to a server that is no more
                finals = [_read_all(rest, *room) for room in rooms]
                heads = {
                    final.ch: Position(final.epoch, final.items[-1][0] if final.items else final.base)
                    for final in finals
                }
                workers.tell(msgspec.json.encode(heads).decode())
                workers.finish()
            for final in finals:
                writer.write(final)
        finally:
            rest.close()
            writer.close()
            (folder / "server.log").write_text(server.log(), encoding="utf-8")
    return check(load(folder.glob("*.jsonl")), settings.floors(database))


def _nemesis(
    server: Victim,
    settings: Settings,
    database: Database,
    workers: Crowd,
    writer: Writer,
    say: Callable[[str], object],
) -> None:
    chance = random.Random(settings.seed)
    workers.wait(lambda: workers.online == settings.senders, "everybody to be there")
    workers.tell("go")
    acked = 0
    for number, kind in enumerate(settings.faults(database), 1):
        _under_load(workers, settings, acked)
        acked = workers.acked
        time.sleep(chance.uniform(0, settings.longest))  # at any moment of what the server does
        began = now()
        writer.write(Nemesis(began, kind=kind, ph="inv"))
        if kind == "database":
            assert server.cluster is not None
            server.cluster.kill()
            server.cluster.start()
        else:
            server.kill()
            server.start()
        writer.write(Nemesis(now(), kind=kind, ph="ok"))
        took = now() - began
        say(
            f"{number} of {settings.kills}: {kind} killed, there again after {took:.1f} s; {acked} acknowledged"
        )
    _under_load(workers, settings, acked)


def _under_load(workers: Crowd, settings: Settings, acked: int) -> None:
    workers.wait(
        lambda: workers.online == settings.senders and workers.acked >= acked + settings.messages,
        f"all {settings.senders} to be back and {settings.messages} messages to be acknowledged",
    )


# --- people -----------------------------------------------------------------------------------------------------------


def _seed(rest: Rest, places: Sequence[Sequence[int]]) -> list[tuple[str, int]]:
    """Make users and conversations; gives the ids of these and the heads of their logs."""
    rest.many(
        lambda number: rest.call("PUT", f"/users/p{number}", {"name": f"p{number}"}), range(len(places))
    )
    made = []
    for room in range(1 + max(max(mine) for mine in places)):
        members = [{"user": f"p{number}"} for number, mine in enumerate(places) if room in mine]
        body = {"kind": "group", "name": f"room {room}", "members": members}
        id = rest.call("POST", "/conversations", body)["conversation"]["id"]
        made.append((id, rest.call("GET", f"/conversations/{id}")["conversation"]["seq"]))
    return made


def _plans(
    server: Victim, settings: Settings, folder: Path, kinds: Sequence[str], rooms: Sequence[Sequence[str]]
) -> list[Plan]:
    persons = [
        Person(
            f"p{number}", kind, mint(server.secret, f"p{number}", now=time.time(), ttl=86_400), tuple(mine)
        )
        for number, (kind, mine) in enumerate(zip(kinds, rooms, strict=True))
    ]
    return [
        Plan(
            (f"127.0.0.1:{server.port}",),
            tuple(persons[number :: settings.workers]),
            str(folder / f"clients-{number}.jsonl"),
            Habits(settings.senders / settings.rate),
            settings.seed * 100 + number,
            settings.rest,
        )
        for number in range(min(settings.workers, len(persons)))
    ]


def _read_all(rest: Rest, conversation: str, base: int) -> Final:
    """All messages of a conversation, page by page."""
    items: list[Item] = []
    corrupt: list[int] = []
    after, more = base, True
    while more:
        page = rest.call("GET", f"/conversations/{conversation}/messages?after={after}")
        for message in page["messages"]:
            id, whole = id_of(part_of(message))
            items.append((message["seq"], id))
            if not whole:
                corrupt.append(message["seq"])
        more = bool(page.get("more_after"))
        after = items[-1][0] if items else base
    channel = CONVERSATION + conversation
    epoch = rest.call("GET", f"/channels/{channel}/history?limit=0")["position"]["epoch"]
    return Final(now(), ch=channel, epoch=epoch, base=base, items=tuple(items), corrupt=tuple(corrupt))
