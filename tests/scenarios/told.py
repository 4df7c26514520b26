"""What applications were told, and what there was to tell: all that the checker knows. Pure.

Drivers tell what their applications see, one JSON object a line, with `event` in each; `Written`, `Entered` and
the like are what the runner had them do, when it was answered. All are in the order in which it came to the runner,
which for each client is the order in which its application saw it.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct


class Position(Struct, frozen=True):
    epoch: str
    offset: int


class Refusal(Struct, frozen=True):
    """An error as an application gets it. `code` is 0 for one that is not of the server's table."""

    code: int = 0
    name: str = ""
    message: str = ""
    temporary: bool = False


class Told(Struct, frozen=True, tag_field="event", kw_only=True):
    client: str


class State(Told, frozen=True, tag="state"):
    """The connection's state has changed; `error` is that of `failed`."""

    status: Literal["idle", "connecting", "connected", "recovering", "offline", "failed", "closed"]
    transport: str | None = None
    resumed: bool | None = None
    error: Refusal | None = None


class Seen(Told, frozen=True, tag="publication"):
    channel: str
    text: str
    epoch: str
    offset: int


class Gap(Told, frozen=True, tag="gap"):
    """Publications after `since` are lost to the application, up to `position`, if that is known."""

    channel: str
    since: Position
    position: Position | None = None


class Out(Told, frozen=True, tag="unsubscribed"):
    """The server has taken the client out of a channel."""

    channel: str
    code: int = 0


class Item(Struct, frozen=True, array_like=True):
    """A message in a list: its key in the list, its seq once it is known, its text. `reactions` are `name count
    user,user`, joined by `|`."""

    key: str
    seq: int | None
    status: Literal["sent", "sending", "queued", "failed", "held"]
    text: str
    deleted: bool = False
    reactions: str = ""


EDITED = "⟫"
"""In the text of an edited message, before the number of the version; behind what was said at first."""


def edited(text: str, version: int) -> str:
    return f"{text}{EDITED}{version}"


def version_of(text: str) -> tuple[str, int]:
    """What was said at first, and the version of it that `text` is."""
    first, mark, version = text.partition(EDITED)
    return first, int(version) if mark else 1


class Shown(Told, frozen=True, tag="view"):
    """The list of a conversation's messages has changed: `drop` items from place `at` on are now `items`. `start`:
    there are no older ones."""

    conversation: str
    at: int
    drop: int
    items: tuple[Item, ...] = ()
    start: bool = False


class Counted(Told, frozen=True, tag="unread"):
    """How many messages of a conversation the application shows as unread."""

    conversation: str
    unread: int


class Sent(Told, frozen=True, tag="sent"):
    """What became of a message that was given to the outbox: it has a `seq`, or was refused for good."""

    conversation: str
    text: str
    seq: int | None = None
    error: Refusal | None = None


class Ask(Told, frozen=True, tag="token"):
    """The client needs a token; to be answered with `token` and the same number."""

    ask: int
    reason: str = ""


class Present(Told, frozen=True, tag="present"):
    """Who is in a channel now, as the application shows it; those of the runner are what the server says in the end."""

    channel: str
    users: tuple[str, ...]


Event: TypeAlias = State | Seen | Gap | Out | Shown | Counted | Sent | Ask | Present


# --- what the runner adds ---------------------------------------------------------------------------------------------


class Entered(Told, frozen=True, tag="entered"):
    """A subscribe was answered: whatever comes after `position` is to be seen."""

    channel: str
    position: Position


class Left(Told, frozen=True, tag="left"):
    channel: str


class Following(Told, frozen=True, tag="following"):
    """The application shows from now on who is in a channel, and is in it."""

    channel: str


class Reopened(Told, frozen=True, tag="reopened"):
    """The application was started (again): what it showed before is gone."""


class Watching(Told, frozen=True, tag="watching"):
    """The application shows a conversation from now on."""

    conversation: str


class Written(Told, frozen=True, tag="written"):
    """What was written, when the answer came, or in the end if none did. `client` is empty for what came from
    elsewhere. `number` counts what one client wrote, `after` is the number of the last one whose answer it had when it
    wrote this."""

    to: str
    text: str
    number: int
    after: int
    outcome: Literal["accepted", "refused", "unknown", "unanswered"]
    epoch: str = ""
    place: int | None = None


class Changed(Told, frozen=True, tag="changed"):
    """What became of an edit (it has the new `version`), a deletion, or a `reaction` that was `given` or taken back.
    `user` is whose it was."""

    user: str
    conversation: str
    seq: int
    outcome: Literal["accepted", "refused", "unknown"]
    version: int | None = None
    deleted: bool = False
    reaction: str = ""
    given: bool = False


class Marked(Told, frozen=True, tag="marked"):
    """The user has read all up to `seq`."""

    conversation: str
    seq: int


class Knocked(Told, frozen=True, tag="knocked"):
    """Connections that a client made after it had said that it would not come back."""

    count: int


Record: TypeAlias = (
    Event | Entered | Left | Following | Reopened | Watching | Written | Changed | Marked | Knocked
)


# --- the end ----------------------------------------------------------------------------------------------------------


class Log(Struct, frozen=True):
    """A channel's log in the end: all that came after `base`, as offset and text."""

    channel: str
    epoch: str
    base: int
    items: tuple[tuple[int, str], ...]


class Now(Struct, frozen=True):
    """What has become of a message; see Item."""

    version: int = 1
    deleted: bool = False
    reactions: str = ""


class Talk(Struct, frozen=True):
    """A conversation's messages in the end: seq, sender and what was said at first of each. `now` has, by their seq,
    those to which something was done."""

    conversation: str
    items: tuple[tuple[int, str, str], ...]
    now: dict[int, Now] = {}


class History(Struct, frozen=True):
    """A whole run. `users` says whose a client is, `open` who is there in the end and is to have everything,
    `there` who is in a channel in the end."""

    records: tuple[Record, ...]
    logs: tuple[Log, ...]
    talks: tuple[Talk, ...]
    users: dict[str, str]
    open: frozenset[str]
    gaps: bool = False
    there: dict[str, frozenset[str]] = {}
