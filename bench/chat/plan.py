"""Who is in which conversation. The same for every server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

SIZE = 10
"""Members of a conversation."""


class Room(Struct, frozen=True):
    """A conversation. `head` is its last seq before the load."""

    id: str
    members: tuple[str, ...]
    head: int = 0


class Plan(Struct, frozen=True):
    """Users in the order in which they connect, and their conversations."""

    users: tuple[str, ...]
    rooms: tuple[Room, ...]

    def rooms_of(self) -> list[list[int]]:
        """For each user, the places of its conversations in `rooms`."""
        number = {user: place for place, user in enumerate(self.users)}
        found: list[list[int]] = [[] for _ in self.users]
        for place, room in enumerate(self.rooms):
            for member in room.members:
                found[number[member]].append(place)
        return found

    def save(self, path: Path) -> None:
        path.write_bytes(msgspec.json.encode(self))


def load(path: Path) -> Plan:
    return msgspec.json.decode(path.read_bytes(), type=Plan)


def layout(people: int) -> Plan:
    """A plan for `people`, a multiple of `SIZE`: everybody is in two conversations of `SIZE`, with other members in
    each; ten people have one. Ids of conversations are to be replaced by a server that gives its own."""
    if people < SIZE or people % SIZE:
        raise ValueError(f"{people} is not a multiple of {SIZE}")
    users = tuple(f"user-{number:04d}" for number in range(people))
    rows = people // SIZE
    groups: list[Sequence[str]] = [users[row * SIZE : (row + 1) * SIZE] for row in range(rows)]
    if rows > 1:
        groups += [users[row::rows] for row in range(rows)]
    return Plan(users, tuple(Room(f"c{place}", tuple(group)) for place, group in enumerate(groups)))
