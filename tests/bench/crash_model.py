"""A messaging server and its clients in miniature: it writes histories from a seed, and has any bug that is asked for.

A bug strikes `STRIKES` times at the most, after a while, as bugs do.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from bench.crash.history import AnyRecord, Attach, Detach, End, Final, Item, Nemesis, Read, Recv, Send

STEPS = 400
WARM = 60
STRIKES = 3
PEOPLE = tuple(f"p{number}" for number in range(5))
CHANNELS = ("c0", "c1")
EPOCH = "e1"
BUGS = {
    "lost": "LOST",
    "from nowhere": "phantom stored",
    "stored after refusing": "aborted stored",
    "replaced": "offset reuse",
    "swapped": "real-time order",
    "swapped of one sender": "sender FIFO",
    "not delivered": "SKIP",
    "resumed too late": "SKIP",
    "delivered twice": "duplicate delivery",
    "held back": "out-of-order delivery",
    "deaf": "UNSEEN",
    "stored again by a retry": "duplicate",
    "acknowledged elsewhere": "idempotency",
    "seq passed over": "hole in final",
    "own left out of a read": "read-your-writes",
    "other left out of a read": "stale read",
    "read cut short": "read went backwards",
    "read reversed": "read unordered",
    "delivered to who is away": "delivered without subscription",
    "corrupt": "corrupt body",
    "new epoch": "epoch changed",
    "gap": "declared gap",
    "resumed from elsewhere": "resumed elsewhere",
    "does not come back": "stranded",
    "final in disorder": "final log not increasing",
}
"""Bugs, and what must be reported of each at the least."""


@dataclass
class Person:
    name: str
    last: dict[str, int] = field(default_factory=dict)
    online: bool = False
    deaf: bool = False
    gone: bool = False
    held: Recv | None = None


class Model:
    """`history()` plays `STEPS` random steps and comes to rest."""

    def __init__(self, seed: int, bug: str = "") -> None:
        self.random = random.Random(seed)
        self.bug = bug
        self.records: list[AnyRecord] = []
        self.logs: dict[str, list[Item]] = {channel: [] for channel in CHANNELS}
        self.heads = dict.fromkeys(CHANNELS, 0)
        self.people = {name: Person(name) for name in PEOPLE}
        self.acked: set[str] = set()
        self.unsure: list[tuple[str, str, str]] = []  # sent, and no ack came: (p, ch, id)
        self.strikes_left = STRIKES
        self.time = 0.0
        self.step = 0
        self.ops = 0

    def history(self) -> list[AnyRecord]:
        for person in self.people.values():
            self.attach(person)
        for self.step in range(STEPS):
            self.random.choices(
                (self.send, self.retry, self.leave_or_return, self.read, self.fault), (60, 8, 10, 12, 1)
            )[0]()
        while self.unsure:
            self.retry(answered=True)
        for person in self.people.values():
            self.release(person)
            if not person.online and not person.gone:
                self.attach(person)
        for person in self.people.values():
            if person.online:
                self.put(End(self.tick(), p=person.name))
        self.finish()
        return self.records

    # --- steps --------------------------------------------------------------------------------------------

    def send(self) -> None:
        person = self.random.choice([p for p in self.people.values() if p.online] or [None])
        if person is None:
            return
        channel, id = self.random.choice(CHANNELS), f"{person.name}:{self.step}"
        op = self.invoke(person.name, channel, id)
        if self.strikes("stored after refusing"):
            self.store(channel, id)
            self.put(Send(self.tick(), p=person.name, ch=channel, ph="fail", op=op, id=id))
        elif self.strikes("acknowledged elsewhere"):
            second = self.invoke(person.name, channel, id)
            self.ack(person.name, channel, id, op, self.store(channel, id))
            self.ack(person.name, channel, id, second, self.store(channel, id))
        elif self.random.random() < 0.1:  # the ack is lost, and perhaps the message
            if self.random.random() < 0.5:
                self.store(channel, id)
            self.put(Send(self.tick(), p=person.name, ch=channel, ph="info", op=op, id=id))
            self.unsure.append((person.name, channel, id))
        elif self.random.random() < 0.05:
            self.put(Send(self.tick(), p=person.name, ch=channel, ph="fail", op=op, id=id))
        elif self.strikes("swapped") or self.strikes("swapped of one sender"):
            others = [p.name for p in self.people.values() if p is not person]
            other = self.random.choice(others) if self.bug == "swapped" else person.name
            seq = self.heads[channel] + 1
            self.ack(person.name, channel, id, op, seq + 1)
            next_op = self.invoke(other, channel, f"{id}'")
            self.ack(other, channel, f"{id}'", next_op, seq)
            self.store(channel, f"{id}'")
            self.store(channel, id)
        else:
            self.ack(person.name, channel, id, op, self.store(channel, id))

    def retry(self, answered: bool = False) -> None:
        if not self.unsure:
            return
        p, channel, id = self.unsure.pop(0)
        op = self.invoke(p, channel, id)
        stored = [seq for seq, known in self.logs[channel] if known == id]
        if not stored or self.strikes("stored again by a retry"):
            stored = [self.store(channel, id)]
        self.ack(p, channel, id, op, stored[0])

    def leave_or_return(self) -> None:
        person = self.random.choice(list(self.people.values()))
        if not person.online:
            if not person.gone:
                self.attach(person)
            return
        self.release(person)
        person.online = False
        self.put(Detach(self.tick(), p=person.name))
        person.gone = self.strikes("does not come back")

    def read(self) -> None:
        person, channel = self.people[self.random.choice(PEOPLE)], self.random.choice(CHANNELS)
        self.ops += 1
        self.put(Read(self.tick(), p=person.name, ch=channel, ph="inv", op=self.ops))
        items = list(self.logs[channel])
        of = {
            "own left out of a read": [i for i in items if i[1].startswith(person.name)],
            "other left out of a read": [i for i in items if not i[1].startswith(person.name)],
        }.get(self.bug)
        if of and (known := [item for item in of if item[1] in self.acked]) and self.strikes(self.bug):
            items.remove(self.random.choice(known[-20:]))
        if len(items) > 5 and self.strikes("read cut short"):
            self.put(Read(self.tick(), p=person.name, ch=channel, ph="ok", op=self.ops, items=tuple(items)))
            self.ops += 1
            self.put(Read(self.tick(), p=person.name, ch=channel, ph="inv", op=self.ops))
            items = items[:-3]
        if len(items) > 5 and self.strikes("read reversed"):
            items.reverse()
        self.put(Read(self.tick(), p=person.name, ch=channel, ph="ok", op=self.ops, items=tuple(items)))

    def fault(self) -> None:
        self.put(Nemesis(self.tick(), kind="server", ph="inv"))
        for person in self.people.values():
            if person.online:
                self.release(person)
                person.online = False
                self.put(Detach(self.tick(), p=person.name))
        self.put(Nemesis(self.tick(), kind="server", ph="ok"))

    # --- the server ---------------------------------------------------------------------------------------

    def store(self, channel: str, id: str) -> int:
        self.heads[channel] += 2 if self.strikes("seq passed over") else 1
        seq = self.heads[channel]
        self.logs[channel].append((seq, id))
        for person in self.people.values():
            self.deliver(person, channel, seq, id)
        return seq

    def deliver(self, person: Person, channel: str, seq: int, id: str) -> None:
        if not person.online:
            if self.strikes("delivered to who is away"):
                self.put(Recv(self.tick(), p=person.name, ch=channel, seq=seq, id=id))
            return
        person.deaf = person.deaf or self.strikes("deaf")
        if person.deaf or self.strikes("not delivered"):
            return
        recv = Recv(self.tick(), p=person.name, ch=channel, seq=seq, id=id, whole=not self.strikes("corrupt"))
        if person.held is None and self.strikes("held back"):
            person.held = recv
            return
        self.put(recv)
        person.last[channel] = seq
        if person.held is not None and person.held.ch == channel:
            self.release(person)
        if self.strikes("delivered twice"):
            self.put(Recv(self.tick(), p=person.name, ch=channel, seq=seq, id=id))

    def release(self, person: Person) -> None:
        if person.held is not None:
            held, person.held = person.held, None
            self.put(Recv(self.tick(), p=person.name, ch=held.ch, seq=held.seq, id=held.id))
            person.last[held.ch] = max(person.last[held.ch], held.seq)

    def attach(self, person: Person) -> None:
        person.online = True
        epoch = "e2" if self.strikes("new epoch") else EPOCH
        for channel in CHANNELS:
            pos, since = self.heads[channel], person.last.get(channel)
            if since is None:
                self.put(Attach(self.tick(), p=person.name, ch=channel, pos=pos, epoch=epoch))
                person.last[channel] = pos
                continue
            missed = [item for item in self.logs[channel] if item[0] > since]
            if missed and self.strikes("gap"):
                self.put(self.resumed(person, channel, pos, epoch, since, False))
                person.last[channel] = pos
                continue
            asked = since - 1 if since and self.strikes("resumed from elsewhere") else since
            self.put(self.resumed(person, channel, pos, epoch, asked, True))
            if len(missed) > 1 and self.strikes("resumed too late"):
                missed = missed[1:]
            if person.deaf:
                missed = []
            for seq, id in missed:
                self.put(Recv(self.tick(), p=person.name, ch=channel, seq=seq, id=id))
                person.last[channel] = seq

    def resumed(
        self, person: Person, channel: str, pos: int, epoch: str, since: int, recovered: bool
    ) -> Attach:
        return Attach(
            self.tick(), p=person.name, ch=channel, pos=pos, epoch=epoch, since=since, recovered=recovered
        )

    def finish(self) -> None:
        for channel, log in self.logs.items():
            items = list(log)
            known = [item for item in items if item[1] in self.acked]
            if self.strikes("lost", 1.0):
                items.remove(self.random.choice(known))
            if self.strikes("from nowhere", 1.0):
                items.append((self.heads[channel] + 1, "nobody:1"))
            if self.strikes("replaced", 1.0):
                place = self.random.randrange(len(items))
                items[place] = (items[place][0], "p0:0'")
            if self.strikes("final in disorder", 1.0):
                items[3], items[4] = items[4], items[3]
            self.put(Final(self.tick(), ch=channel, epoch=EPOCH, base=0, items=tuple(items)))

    # --- writing it down ----------------------------------------------------------------------------------

    def strikes(self, bug: str, chance: float = 0.3) -> bool:
        hit = (
            bug == self.bug and self.step >= WARM and self.strikes_left > 0 and self.random.random() < chance
        )
        self.strikes_left -= hit
        return hit

    def tick(self) -> float:
        self.time += self.random.random() / 100
        return self.time

    def put(self, record: AnyRecord) -> None:
        self.records.append(record)

    def invoke(self, p: str, channel: str, id: str) -> int:
        self.ops += 1
        self.put(Send(self.tick(), p=p, ch=channel, ph="inv", op=self.ops, id=id))
        return self.ops

    def ack(self, p: str, channel: str, id: str, op: int, seq: int) -> None:
        self.acked.add(id)
        self.put(Send(self.tick(), p=p, ch=channel, ph="ok", op=op, id=id, seq=seq))
