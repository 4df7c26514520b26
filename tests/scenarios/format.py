"""What a scenario is: data only, in a TOML file of `list/`. README.md beside this says how to write one.

A number or text may be drawn by the seed: `{ any = [2, 9] }` is an integer (of two floats: a number) between the two,
both included, `{ one_of = ["websocket", "sse"] }` one of several.
"""

from __future__ import annotations

import random
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

HERE = Path(__file__).parent
LIST = HERE / "list"

Transport = Literal["websocket", "sse", "polling"]
Request = Literal["websocket", "sse", "http"]
Status = Literal["connected", "recovering", "failed", "closed"]
Count = Annotated[int, Meta(ge=0, le=1_000)]
Seconds = Annotated[float, Meta(ge=0, le=60)]


class FormatError(Exception):
    """A file is no scenario; the message names the file, the place in it and what is wrong."""


class Step(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do", kw_only=True):
    """One thing that is done. Steps of a list follow each other; with `wait = false` the next one does not wait."""


class Open(Step, frozen=True, tag="open"):
    """Start a client; what it has stored under its name before is there again. `wait`: until it is connected."""

    client: str
    wait: bool = True


class Close(Step, frozen=True, tag="close"):
    """End a client, as closing the page does: its outbox may be full."""

    client: str


class Subscribe(Step, frozen=True, tag="subscribe"):
    client: str
    channel: str
    wait: bool = True


class Unsubscribe(Step, frozen=True, tag="unsubscribe"):
    client: str
    channel: str


class Publish(Step, frozen=True, tag="publish"):
    """Publications, one after the other, each when the one before is answered and `every` seconds have passed, or
    `window` of them on their way at once. `size` is about how long each is."""

    client: str
    channel: str
    count: Count = 1
    every: Seconds = 0.0
    window: Annotated[int, Meta(ge=1)] = 1
    size: int = 20
    wait: bool = True


class Send(Step, frozen=True, tag="send"):
    """Messages by the outbox, `every` so many seconds. `wait`: until the server has all of them."""

    client: str
    conversation: str
    count: Count = 1
    every: Seconds = 0.0
    size: int = 20
    wait: bool = True


class Watch(Step, frozen=True, tag="watch"):
    """Show a conversation's messages, as a page does."""

    client: str
    conversation: str


class Read(Step, frozen=True, tag="read"):
    """Say that all messages that are shown were read."""

    client: str
    conversation: str


class Rewind(Step, frozen=True, tag="rewind"):
    """Scroll back to the first message."""

    client: str
    conversation: str


class Edit(Step, frozen=True, tag="edit"):
    """Edits of messages that this client has sent, drawn anew each time, `every` so many seconds; each when the one
    before is answered."""

    client: str
    conversation: str
    count: Count = 1
    every: Seconds = 0.0
    wait: bool = True


class Delete(Step, frozen=True, tag="delete"):
    """Deletions, for everybody, of messages that this client has sent; as edits."""

    client: str
    conversation: str
    count: Count = 1
    every: Seconds = 0.0
    wait: bool = True


class React(Step, frozen=True, tag="react"):
    """Reactions to messages of whoever's; some are taken back. As edits."""

    client: str
    conversation: str
    count: Count = 1
    every: Seconds = 0.0
    wait: bool = True


class Follow(Step, frozen=True, tag="follow"):
    """Enter a channel, and show who is in it. `wait`: until the server has said so."""

    client: str
    channel: str
    wait: bool = True


class Elsewhere(Step, frozen=True, tag="elsewhere"):
    """Others write: publications into a `channel`, or messages of `user` into a `conversation`, by the server API."""

    channel: str | None = None
    conversation: str | None = None
    user: str | None = None
    count: Count = 1
    every: Seconds = 0.0
    size: int = 20
    wait: bool = True


class Cut(Step, frozen=True, tag="cut"):
    """The connection on which `needle` passes that `way` is reset, when it has done so for the `nth` time, `spill`
    bytes later (absent: with the end of what it came in)."""

    client: str
    way: Literal["to_client", "to_server"]
    needle: str = ""
    nth: Annotated[int, Meta(ge=1)] = 1
    spill: int | None = None


class Reset(Step, frozen=True, tag="reset"):
    """Reset all connections of the client; new ones come through."""

    client: str


class Network(Step, frozen=True, tag="network"):
    """What the client's network is from now on; what is not named is well. Connections that stand are left alone."""

    client: str
    refusing: bool = False
    refused: tuple[Request, ...] = ()
    unanswered: tuple[Request, ...] = ()
    bandwidth: float = 0.0
    delay: Seconds = 0.0
    jitter: Seconds = 0.0
    held: bool = False
    silent: bool = False


class Kill(Step, frozen=True, tag="kill"):
    """SIGKILL to the server, and start it again on its port after `away` seconds."""

    away: Seconds = 0.0


class Drain(Step, frozen=True, tag="drain"):
    """SIGTERM to the server, wait for its end, and start it again on its port."""

    away: Seconds = 0.0


class Revoke(Step, frozen=True, tag="revoke"):
    """Revoke all tokens of a user."""

    user: str


class Gone(Step, frozen=True, tag="gone"):
    """Wait until the server has forgotten all sessions of a user."""

    user: str


class Expect(Step, frozen=True, tag="expect"):
    """Wait until a client is as described. `reason` is the name of the error of `failed`. `tokens`, `gaps` and
    `attempts` are how many at the least: tokens that it has fetched, gaps that it told of, connections that it made;
    `most_tokens` how many at the most, now.
    `resumed`: whether the newest connection has the old session; `queued`: how many messages of it are not yet sent, at
    the most; `written`: how many it has written, sent or not. `right_time`: it knows the server's time."""

    client: str
    status: Status | None = None
    transport: Transport | None = None
    resumed: bool | None = None
    reason: tuple[str, ...] = ()
    tokens: int | None = None
    most_tokens: int | None = None
    gaps: int | None = None
    attempts: int | None = None
    queued: int | None = None
    written: int | None = None
    right_time: bool = False


class Clock(Step, frozen=True, tag="clock"):
    """Set the clock of a client's device to `off` seconds from the right time. Only for clients with a `clock`."""

    client: str
    off: float


class Pause(Step, frozen=True, tag="pause"):
    """Let time pass."""

    seconds: Seconds


class Together(Step, frozen=True, tag="together"):
    """All of the steps at once, each begun within `spread` seconds, in an order that the seed says."""

    steps: tuple[AnyStep, ...]
    spread: Seconds = 0.0


class Quiet(Step, frozen=True, tag="quiet"):
    """Heal all networks, and wait until everybody has everything. Each scenario ends with it."""


AnyStep: TypeAlias = (
    Open
    | Close
    | Subscribe
    | Unsubscribe
    | Publish
    | Send
    | Watch
    | Read
    | Rewind
    | Edit
    | Delete
    | React
    | Follow
    | Elsewhere
    | Cut
    | Reset
    | Network
    | Kill
    | Drain
    | Revoke
    | Gone
    | Expect
    | Clock
    | Pause
    | Together
    | Quiet
)

CHAT = (Send, Watch, Read, Rewind, Edit, Delete, React)
"""Steps of clients that keep conversations."""


class Client(Struct, frozen=True, forbid_unknown_fields=True):
    """A device of a user's (by default the client's name). `transports` are those it may use, best first. With `chat`
    it keeps conversations. `token_ttl` is how long its tokens are good. `clock` is by how many seconds its clock is
    wrong; such a client has a process of its own."""

    user: str = ""
    transports: tuple[Transport, ...] = ("websocket", "sse", "polling")
    chat: bool = False
    token_ttl: Seconds | None = None
    clock: float | None = None


class Conversation(Struct, frozen=True, forbid_unknown_fields=True):
    """A group of users, made before the first step, with so many `messages` of nobody's in it."""

    members: tuple[str, ...]
    messages: int = 0


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """`about` says what is to be seen. Scenarios share a server, unless they need other `settings`; those that are
    `mortal` share one that is killed now and then. `gaps`: whether subscribers may be told of some; silent ones may
    never be. `long` ones are played with half of the seeds."""

    about: str
    clients: dict[str, Client]
    steps: tuple[AnyStep, ...]
    conversations: dict[str, Conversation] = {}
    settings: dict[str, str | int | float | bool] = {}
    mortal: bool = False
    long: bool = False
    gaps: Literal["none", "some"] = "none"
    name: str = ""

    @property
    def chat(self) -> bool:
        return bool(self.conversations)


def names() -> list[str]:
    """Of all scenarios."""
    return sorted(path.stem for path in LIST.glob("*.toml"))


def read(path: Path, seed: int = 0) -> Scenario:
    """A scenario with what `seed` draws. Raises FormatError."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FormatError(f"{path.name}: {error}") from error
    return parse(data, path.stem, seed)


def parse(data: dict[str, Any], name: str, seed: int = 0) -> Scenario:
    """What a file holds, as a Scenario. Raises FormatError."""
    try:
        drawn = draw(data, random.Random(f"{name} {seed}"))
        scenario = msgspec.convert({"name": name, **drawn}, Scenario)
    except (msgspec.ValidationError, ValueError) as error:
        raise FormatError(f"{name}: {error}") from error
    for problem in _problems(scenario):
        raise FormatError(f"{name}: {problem}")
    return scenario


def draw(value: Any, chance: random.Random) -> Any:
    """`value` with all that is left to chance decided. Raises ValueError for a choice of nothing."""
    if isinstance(value, list):
        return [draw(each, chance) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"any"}:
        match value["any"]:
            case [int(low), int(high)] if low <= high:
                return chance.randint(low, high)
            case [int() | float() as low, int() | float() as high] if low <= high:
                return chance.uniform(low, high)
        raise ValueError(f"`any` takes two numbers, the smaller one first, not {value['any']}")
    if set(value) == {"one_of"}:
        if not isinstance(value["one_of"], list) or not value["one_of"]:
            raise ValueError("`one_of` takes a list of what there is to choose from")
        return chance.choice(value["one_of"])
    return {name: draw(each, chance) for name, each in value.items()}


def all_steps(steps: tuple[AnyStep, ...]) -> list[AnyStep]:
    """The steps, and those within them."""
    found: list[AnyStep] = []
    for step in steps:
        found.append(step)
        if isinstance(step, Together):
            found += all_steps(step.steps)
    return found


def _problems(scenario: Scenario) -> list[str]:
    """What the types do not say."""
    problems = []
    users = {client.user or name for name, client in scenario.clients.items()}
    members = {user for room in scenario.conversations.values() for user in room.members}
    for step in all_steps(scenario.steps):
        said = step.__struct_config__.tag
        client = getattr(step, "client", None)
        if client is not None and client not in scenario.clients:
            problems.append(f"`{said}`: there is no client {client!r} in [clients]")
        plan = scenario.clients.get(client or "")
        conversation = getattr(step, "conversation", None)
        if conversation is not None and conversation not in scenario.conversations:
            problems.append(f"`{said}`: there is no conversation {conversation!r} in [conversations]")
        if (user := getattr(step, "user", None)) is not None and user not in users | members:
            problems.append(f"`{said}`: nobody is called {user!r}")
        if isinstance(step, Elsewhere) and (step.channel is None) is (step.conversation is None):
            problems.append("`elsewhere`: name either a `channel` or a `conversation`")
        if isinstance(step, Elsewhere) and step.conversation is not None and step.user is None:
            problems.append("`elsewhere`: name the `user` who writes")
        if isinstance(step, Kill | Drain) and not scenario.mortal:
            problems.append(f"`{said}`: only scenarios with `mortal = true` may end the server")
        if isinstance(step, Clock) and plan is not None and plan.clock is None:
            problems.append(
                f"`clock`: give {client!r} a `clock` in [clients], so that it has its own process"
            )
        if isinstance(step, CHAT) and plan is not None and not plan.chat:
            problems.append(f"`{said}`: {client!r} has no `chat = true` in [clients]")
    if scenario.settings and scenario.mortal:
        problems.append("a server with `settings` is the scenario's own: leave out `mortal`")
    return problems
