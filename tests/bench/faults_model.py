"""A messaging server and its clients in miniature: it writes histories from a seed, and has any bug that is asked for.

A bug strikes `STRIKES` times at the most, after a while, as bugs do. Of the two channels one is durable; the log of the
other ends in some faults, and a new one begins.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from bench.faults.attendance import user_of
from bench.faults.checker import Rules
from bench.faults.history import (
    AnyRecord,
    Attach,
    Channel,
    Detach,
    End,
    Final,
    Item,
    Leave,
    Nemesis,
    Presence,
    Read,
    Receipt,
    Recv,
    Send,
)

STEPS = 400
WARM = 60
STRIKES = 3
PEOPLE = ("p0", "p1", "p2", "p3/phone", "p3/laptop")
DURABLE, PASSING = CHANNELS = ("c0", "c1")
RULES = Rules(ends_epochs=frozenset({"flush"}), presence_grace=0.02)
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
    "epoch changed unsaid": "epoch changed silently",
    "epoch ended by nothing": "epoch changed",
    "left in the old epoch": "left in an old epoch",
    "delivered after leaving": "delivered after leaving",
    "receipt steps back": "receipt backwards",
    "receipt beyond the head": "receipt for a missing message",
    "zombie": "presence ghost",
    "one device for all": "presence missing",
    "nodes have different logs": "nodes disagree",
    "delivered from nowhere": "phantom delivered",
    "delivered and refused": "aborted delivered",
    "read what is not there": "read disagrees with final",
    "stored twice at the end": "duplicate in final",
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
    stuck: bool = False
    held: Recv | None = None
    left: set[str] = field(default_factory=set)
    epochs: dict[str, str] = field(default_factory=dict)


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
        self.epochs = dict.fromkeys(CHANNELS, "e1")
        self.receipts: dict[str, int] = {}
        self.time = 0.0
        self.step = 0
        self.ops = 0

    def history(self) -> list[AnyRecord]:
        self.put(Channel(self.tick(), ch=PASSING, durable=False))
        for person in self.people.values():
            self.attach(person)
        steps = {
            self.send: 60,
            self.retry: 8,
            self.leave_or_return: 10,
            self.leave_channel: 6,
            self.read: 12,
            self.receipt: 5,
            self.presence: 3,
            self.fault: 1,
            self.flush: 1,
        }
        for self.step in range(STEPS):
            self.random.choices(list(steps), list(steps.values()))[0]()
            if self.step == STEPS // 2:
                self.flush()
        while self.unsure:
            self.retry(answered=True)
        for person in self.people.values():
            self.release(person)
            if not person.online and not person.gone:
                self.attach(person)
        for _ in range(5):
            self.receipt()
            self.tick()
            self.presence()
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
        if channel == DURABLE and self.strikes("stored after refusing"):
            self.store(channel, id)
            self.put(Send(self.tick(), p=person.name, ch=channel, ph="fail", op=op, id=id))
        elif channel not in person.left and self.strikes("delivered and refused"):
            self.deliver(person, channel, self.heads[channel] + 1, id)
            self.put(Send(self.tick(), p=person.name, ch=channel, ph="fail", op=op, id=id))
        elif channel not in person.left and self.strikes("delivered from nowhere"):
            self.deliver(person, channel, self.heads[channel] + 1, f"{id}?")
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
        if not stored or (channel == DURABLE and self.strikes("stored again by a retry", 1.0)):
            stored = [self.store(channel, id)]
        self.ack(p, channel, id, op, stored[0])

    def leave_or_return(self) -> None:
        person = self.random.choice(list(self.people.values()))
        if person.stuck:
            return
        if not person.online:
            if not person.gone:
                self.attach(person)
            return
        if self.strikes("zombie", 1.0):
            self.release(person)
            person.online = False
            self.put(Detach(self.tick(), p=person.name))
            self.time += 1
            self.presence(also=user_of(person.name))
            return
        self.release(person)
        person.online = False
        self.put(Detach(self.tick(), p=person.name))
        person.gone = self.strikes("does not come back")

    def leave_channel(self) -> None:
        """Somebody leaves a channel, or enters it again."""
        person, channel = self.random.choice(list(self.people.values())), self.random.choice(CHANNELS)
        if not person.online or person.stuck:
            return
        if channel in person.left:
            person.left.discard(channel)
            self.enter(person, channel, fresh=True)
            return
        self.release(person)
        person.left.add(channel)
        self.put(Leave(self.tick(), p=person.name, ch=channel))

    def receipt(self) -> None:
        person = self.random.choice(list(self.people.values()))
        channel, user = DURABLE, user_of(self.random.choice(PEOPLE))
        seq = min(self.heads[channel], self.receipts.get(user, 0) + self.random.randrange(5))
        self.receipts[user] = seq
        self.put(Receipt(self.tick(), p=person.name, ch=channel, user=user, kind="read", seq=seq))
        if seq and self.strikes("receipt steps back"):
            self.put(Receipt(self.tick(), p=person.name, ch=channel, user=user, kind="read", seq=seq - 1))
        if self.strikes("receipt beyond the head"):
            self.put(Receipt(self.tick(), p=person.name, ch=channel, user=user, kind="read", seq=10**6))

    def presence(self, also: str = "") -> None:
        """A list of who is there, long enough after whatever happened."""
        self.time += 2 * RULES.presence_grace
        for channel in CHANNELS:
            there = {user_of(p.name) for p in self.people.values() if p.online and channel not in p.left}
            if there and self.strikes("one device for all"):
                there.remove(self.random.choice(sorted(there)))
            if also:
                there.add(also)
                if any(user_of(p.name) == also and p.online for p in self.people.values()):
                    there.add("nobody")
            self.put(Presence(self.tick(), ch=channel, members=tuple(sorted(there)), by="model"))

    def flush(self) -> None:
        """The channel that is not durable loses its log; everybody is thrown out of it."""
        if not self.strikes("epoch ended by nothing", 1.0):
            self.put(Nemesis(self.tick(), kind="flush", ph="inv"))
            self.put(Nemesis(self.tick(), kind="flush", ph="ok"))
        self.logs[PASSING], self.heads[PASSING] = [], 0
        self.epochs[PASSING] = f"e{self.step + 2}"
        self.unsure = [each for each in self.unsure if each[1] != PASSING]
        for person in self.people.values():
            if person.online and not person.left and self.strikes("left in the old epoch", 1.0):
                person.stuck = True
        self.throw_out()

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
            self.put(self.answer(person, channel, items))
            self.ops += 1
            self.put(Read(self.tick(), p=person.name, ch=channel, ph="inv", op=self.ops))
            items = items[:-3]
        if channel == DURABLE and self.strikes("read what is not there"):
            items.append((self.heads[channel] + 1, f"p0:{self.step}?"))
        if len(items) > 5 and self.strikes("read reversed"):
            items.reverse()
        self.put(self.answer(person, channel, items))

    def answer(self, person: Person, channel: str, items: list[Item]) -> Read:
        return Read(
            self.tick(),
            p=person.name,
            ch=channel,
            ph="ok",
            op=self.ops,
            epoch=self.epochs[channel],
            items=tuple(items),
        )

    def fault(self) -> None:
        self.put(Nemesis(self.tick(), kind="server", ph="inv"))
        self.throw_out()
        self.put(Nemesis(self.tick(), kind="server", ph="ok"))

    def throw_out(self) -> None:
        for person in self.people.values():
            if person.online and not person.stuck:
                self.release(person)
                person.online = False
                self.put(Detach(self.tick(), p=person.name))

    # --- the server ---------------------------------------------------------------------------------------

    def store(self, channel: str, id: str) -> int:
        self.heads[channel] += 2 if channel == DURABLE and self.strikes("seq passed over") else 1
        seq = self.heads[channel]
        self.logs[channel].append((seq, id))
        for person in self.people.values():
            self.deliver(person, channel, seq, id)
        return seq

    def deliver(self, person: Person, channel: str, seq: int, id: str) -> None:
        if person.online and person.epochs[channel] != self.epochs[channel]:
            return
        if person.online and channel in person.left and not self.strikes("delivered after leaving", 1.0):
            return
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
        for channel in CHANNELS:
            if channel not in person.left:
                self.enter(person, channel)

    def enter(self, person: Person, channel: str, fresh: bool = False) -> None:
        epoch = self.epochs[channel]
        if channel != PASSING and self.strikes("new epoch"):
            epoch = "e0"
        pos, since = self.heads[channel], person.last.get(channel)
        before, person.epochs[channel] = person.epochs.get(channel, epoch), epoch
        if since is None or fresh:
            self.put(Attach(self.tick(), p=person.name, ch=channel, pos=pos, epoch=epoch))
            person.last[channel] = pos
            return
        missed = [item for item in self.logs[channel] if item[0] > since]
        lost = before != epoch and not self.strikes("epoch changed unsaid", 1.0)
        if lost or (missed and self.strikes("gap")):
            self.put(self.resumed(person, channel, pos, epoch, since, before, False))
            person.last[channel] = pos
            return
        asked = since - 1 if since and self.strikes("resumed from elsewhere") else since
        self.put(self.resumed(person, channel, pos, epoch, asked, before, True))
        if len(missed) > 1 and self.strikes("resumed too late"):
            missed = missed[1:]
        if person.deaf:
            missed = []
        for seq, id in missed:
            self.put(Recv(self.tick(), p=person.name, ch=channel, seq=seq, id=id))
            person.last[channel] = seq

    def resumed(
        self, person: Person, channel: str, pos: int, epoch: str, since: int, before: str, recovered: bool
    ) -> Attach:
        return Attach(
            self.tick(),
            p=person.name,
            ch=channel,
            pos=pos,
            epoch=epoch,
            since=since,
            since_epoch=before,
            recovered=recovered,
        )

    def finish(self) -> None:
        for channel, log in self.logs.items():
            items = list(log)
            known = [item for item in items if item[1] in self.acked]
            if known and self.strikes("lost", 1.0):
                items.remove(self.random.choice(known))
            if self.strikes("from nowhere", 1.0):
                items.append((self.heads[channel] + 1, "nobody:1"))
            if items and self.strikes("replaced", 1.0):
                place = self.random.randrange(len(items))
                items[place] = (items[place][0], "p0:0'")
            if items and self.strikes("stored twice at the end", 1.0):
                items.append((self.heads[channel] + 1, items[-1][1]))
            if len(items) > 4 and self.strikes("final in disorder", 1.0):
                items[3], items[4] = items[4], items[3]
            self.put(self.final(channel, items, "one"))
            if items and self.strikes("nodes have different logs", 1.0):
                items[-1] = (items[-1][0], "p0:0'")
            self.put(self.final(channel, items, "two"))

    def final(self, channel: str, items: list[Item], by: str) -> Final:
        return Final(self.tick(), ch=channel, epoch=self.epochs[channel], base=0, items=tuple(items), by=by)

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
        epoch = self.epochs[channel] if channel == PASSING else ""
        self.put(Send(self.tick(), p=p, ch=channel, ph="ok", op=op, id=id, seq=seq, epoch=epoch))
