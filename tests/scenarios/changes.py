"""Whether lists of messages kept up with what became of their messages: edits, deletions, reactions. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace
from tests.scenarios.told import Changed, History, Item, Now, version_of

Say = Callable[..., None]


@dataclass(slots=True)
class _Seen:
    """What one list has shown of a message so far: `given` are reactions that it shows, `back` those that went."""

    version: int = 1
    deleted: bool = False
    given: frozenset[str] = frozenset()
    back: set[str] = field(default_factory=set)


class Changes:
    """`say` takes the kind of an anomaly, and where it is."""

    def __init__(self, history: History, say: Say) -> None:
        self.say = say
        self.talks = {talk.conversation: talk for talk in history.talks}
        self.texts = {
            (talk.conversation, seq): text for talk in self.talks.values() for seq, _, text in talk.items
        }
        self.seen: dict[tuple[str, str, int], _Seen] = {}
        self.changed = [record for record in history.records if isinstance(record, Changed)]
        self.newest: dict[tuple[str, int], int] = defaultdict(lambda: 1)
        for change in self.changed:
            if change.version is not None:
                at = change.conversation, change.seq
                self.newest[at] = max(self.newest[at], change.version)

    def plain(self, conversation: str, items: Iterable[Item]) -> tuple[Item, ...]:
        """The items as they were before anything became of them, for the rules that know a message by its text."""
        return tuple(self._plain(conversation, item) for item in items)

    def _plain(self, conversation: str, item: Item) -> Item:
        text = version_of(item.text)[0]
        if item.deleted:
            text = self.texts.get((conversation, item.seq or 0), f"deleted {item.seq}")
        return replace(item, text=text, deleted=False, reactions="")

    def reopen(self, client: str) -> None:
        for key in [key for key in self.seen if key[0] == client]:
            del self.seen[key]

    def shown(self, client: str, conversation: str, items: Iterable[Item]) -> None:
        for item in items:
            if item.seq is None:
                continue
            seen = self.seen.setdefault((client, conversation, item.seq), _Seen())
            where = (client, conversation, item.seq)
            if seen.deleted and not item.deleted:
                self.say("list: went back", *where, f"was deleted, and is {item.text!r}")
            if not item.deleted:
                self._content(item, seen, conversation, where)
            seen.deleted = item.deleted

    def _content(self, item: Item, seen: _Seen, conversation: str, where: tuple[object, ...]) -> None:
        version = version_of(item.text)[1]
        if version < seen.version:
            self.say("list: went back", *where, f"version {seen.version} to {version}")
        if version > self.newest[conversation, item.seq or 0]:
            self.say("list: wrong", *where, f"nobody wrote version {version}")
        given = reactions_of(item.reactions)
        if again := given & seen.back:
            self.say("list: went back", *where, f"{sorted(again)} was taken back")
        seen.back |= seen.given - given
        seen.given = given
        seen.version = max(version, seen.version)

    # --- the end ------------------------------------------------------------------------------------------

    def at_rest(self, client: str, conversation: str) -> None:
        """What a client shows in the end is what is so."""
        for (who, where, seq), seen in self.seen.items():
            now = self.now(conversation, seq)
            if who != client or where != conversation or now is None:
                continue
            same = seen.deleted is now.deleted
            if same and not now.deleted:
                same = seen.version == now.version and seen.given == reactions_of(now.reactions)
            if not same:
                self.say("list: outdated", client, conversation, seq, f"{seen}, and it is {now}")

    def now(self, conversation: str, seq: int) -> Now | None:
        talk = self.talks.get(conversation)
        return None if talk is None else _now(talk.now, seq)

    def kept(self) -> None:
        """What was acknowledged is so. Where an answer was lost, either may be."""
        last: dict[tuple[str, int, str, str], Changed] = {}
        for change in self.changed:
            now = self.now(change.conversation, change.seq)
            if now is None:
                continue
            where = (change.client, change.conversation, change.seq)
            if change.reaction:
                last[(change.conversation, change.seq, change.user, change.reaction)] = change
            elif change.outcome == "accepted" and not now.deleted:
                if change.deleted or now.version < (change.version or 0):
                    self.say("change lost", *where, f"{change}, and it is {now}")
            elif change.outcome == "refused" and not now.deleted and now.version == change.version:
                self.say("refused and there", *where, f"version {now.version}")
        for (conversation, seq, user, name), change in last.items():
            now = self.now(conversation, seq)
            if now is None or now.deleted or change.outcome != "accepted":
                continue
            if (f"{name} {user}" in reactions_of(now.reactions)) is not change.given:
                self.say("change lost", change.client, conversation, seq, f"{change}, and it is {now}")


def _now(known: Mapping[int, Now], seq: int) -> Now:
    return known.get(seq) or Now()


def reactions_of(told: str) -> frozenset[str]:
    """`name user` of each reaction, from what drivers tell: `name count user,user|...`. One whose count is not that of
    its users is told as it is, so that it equals none."""
    found = set()
    for each in filter(None, told.split("|")):
        name, count, users = each.split(" ", 2)
        given = [user for user in users.split(",") if user]
        found |= {f"{name} {user}" for user in given} if int(count) == len(set(given)) else {each}
    return frozenset(found)
