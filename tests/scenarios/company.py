"""Whether applications saw who was in a channel. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

from tests.scenarios.told import Entered, Following, History, Left, Present, Reopened

SERVER = ""
"""The `client` of what the server itself says, asked in the end."""


def judge(history: History, say: Callable[..., None]) -> None:
    """At rest all who follow a channel see those who are there, and nobody ever saw one who never came. `say` takes the
    kind of an anomaly, and where it is."""
    shown: dict[tuple[str, str], tuple[str, ...]] = {}
    ever: dict[str, set[str]] = defaultdict(set)
    # A join may be told before the answer that says that one is there.
    for record in history.records:
        if isinstance(record, Entered | Following):
            ever[record.channel].add(history.users[record.client])
    for record in history.records:
        match record:
            case Following():
                shown.setdefault((record.client, record.channel), ())
            case Left():
                shown.pop((record.client, record.channel), None)
            case Reopened():
                for key in [key for key in shown if key[0] == record.client]:
                    del shown[key]
            case Present():
                shown[record.client, record.channel] = record.users
                where = (record.client or "the server", record.channel)
                twice = sorted(user for user, count in Counter(record.users).items() if count > 1)
                if twice:
                    say("present: twice", *where, twice)
                if strange := sorted(set(record.users) - ever[record.channel]):
                    say("present: ghost", *where, f"{strange} never came")
    for (client, channel), users in shown.items():
        if (client != SERVER and client not in history.open) or channel not in history.there:
            continue
        there, where = history.there[channel], (client or "the server", channel)
        if ghosts := sorted(set(users) - there):
            say("present: ghost", *where, f"{ghosts} in the end")
        if missing := sorted(there - set(users)):
            say("present: missing", *where, f"{missing} in the end")
