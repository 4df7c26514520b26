"""A plan's users and conversations, made in a Hubbub by its REST API."""

from __future__ import annotations

from msgspec.structs import replace

from bench.chat.plan import Plan, Room
from bench.chat.rest import Rest


def seed(rest: Rest, plan: Plan) -> Plan:
    """Make them; gives the plan with the ids that the server has given, and where the logs stand."""
    rest.many(lambda user: rest.call("PUT", f"/users/{user}", {"name": user}), plan.users)
    made = rest.many(lambda room: _make(rest, room), plan.rooms)
    return Plan(plan.users, tuple(made))


def _make(rest: Rest, room: Room) -> Room:
    body = {"kind": "group", "name": room.id, "members": [{"user": user} for user in room.members]}
    id = rest.call("POST", "/conversations", body)["conversation"]["id"]
    # Making it may write more than one event: what matters is where it stands now.
    return replace(room, id=id, head=head(rest, id))


def head(rest: Rest, conversation: str) -> int:
    """The last seq of a conversation's log."""
    found: int = rest.call("GET", f"/conversations/{conversation}")["conversation"].get("seq", 0)
    return found
