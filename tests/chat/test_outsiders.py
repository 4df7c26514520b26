"""Every operation, tried by those who have no business there: they learn nothing, and nothing is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.chat import checks
from tests.chat.attempts import ATTEMPTS, Ids, Params, Place, furnish, furnish_group
from tests.chat.world import World

from hubbub.chat.directory import OPERATIONS
from hubbub.errors import HubbubError

NOWHERE = "AAAAAAAAAAAAAAAAAAAA"
INVITED_MAY = ("conversations.get", "members.join", "members.leave")
"""Of what is done with a conversation, what somebody may who is invited: look at it and decide."""
GUESTS_MAY_READ = {
    "conversations.get",
    "members.list",
    "members.leave",  # of which there is nothing
    "messages.get",
    "messages.list",
    "reactions.list",
    "pins.list",
    "commands.list",
    "polls.get",
    "polls.voters",
    "receipts.list",
    "receipts.mark",  # which says that it knows of none
    "events.list",
    "search",
}
"""In a topic that all may read, without having joined."""
GUESTS_MAY = ("reports.create", "members.join")
PLACES_IN_THE_LOG = {"messages.list", "receipts.mark", "threads.read"}
"""Their seq is where something is or was; they may name one that is no message's."""
MASS = ("role", "id", "seq", "sender", "actor", "created", "created_by", "head", "changed", "owner")
NAMES = sorted(OPERATIONS)


def test_every_operation_is_tried() -> None:
    assert set(OPERATIONS) <= set(ATTEMPTS), "say in tests/chat/attempts.py how the new ones are called"


def concerns(name: str, **other: Any) -> bool:
    """Whether the attempt at an operation depends on these ids."""
    ids = Ids("a", 1, 1)
    return ATTEMPTS[name](replace(ids, **other)) != ATTEMPTS[name](ids)


OFFICIAL = ("retention.archive", "retention.update")
"""For the server and admins, whoever is in the conversation."""
OF_CONVERSATIONS = [name for name in NAMES if concerns(name, conversation="b") and name not in OFFICIAL]


async def outcome(world: World, name: str, who: str, params: Params) -> tuple[str, Any]:
    """What it was answered with, as JSON; the errors' messages too."""
    try:
        result = await world.do(name, who, **params)
    except HubbubError as error:
        return error.code.name, [error.field, error.message]
    return "done", msgspec.json.decode(msgspec.json.encode(result))


async def tried(world: World, name: str, who: str, ids: Ids, **other: Any) -> tuple[str, Any]:
    """The same with ids made alike, of what must write nothing."""
    before = await world.read(checks.everything)
    code, content = await outcome(world, name, who, ATTEMPTS[name](replace(ids, **other)))
    if await world.read(checks.everything) != before:
        return "WRITTEN", content
    text = msgspec.json.encode(content).decode()
    for id in (ids.conversation, NOWHERE):
        text = text.replace(id, "(conversation)")
    return code, text


@pytest.fixture
async def place(chat: World) -> Place:
    return await furnish(chat)


@pytest.mark.anyio
@pytest.mark.parametrize("who", ["stranger", "removed", "blocked"])
async def test_what_is_not_theirs_is_as_what_is_not_there(chat: World, place: Place, who: str) -> None:
    for name in OF_CONVERSATIONS:
        if (name, who) == ("members.leave", "removed"):
            continue  # to leave twice is to leave once
        theirs = await tried(chat, name, who, place.group)
        nowhere = await tried(chat, name, who, place.group, conversation=NOWHERE)
        assert theirs == nowhere, name
        assert theirs[0] == "NOT_FOUND" or name == "receipts.mark", (name, theirs)


@pytest.mark.anyio
async def test_who_is_invited_may_look_and_decide(chat: World, place: Place) -> None:
    for name in OF_CONVERSATIONS:
        if name in INVITED_MAY:
            continue
        answer = await tried(chat, name, "invited", place.group)
        nowhere = await tried(chat, name, "invited", place.group, conversation=NOWHERE)
        assert answer == nowhere or answer[0] == "PERMISSION_DENIED", (name, answer)
    for name in INVITED_MAY:
        assert (await outcome(chat, name, "invited", ATTEMPTS[name](place.group)))[0] == "done", name


@pytest.mark.anyio
async def test_guests_of_a_topic_may_read(chat: World, place: Place) -> None:
    for name in OF_CONVERSATIONS:
        if name in GUESTS_MAY:
            continue
        answer = await tried(chat, name, "stranger", place.topic)
        if name in GUESTS_MAY_READ:
            assert answer[0] == "done", (name, answer)
        else:
            assert answer[0] == "PERMISSION_DENIED", (name, answer)
    for name in GUESTS_MAY:
        assert (await outcome(chat, name, "stranger", ATTEMPTS[name](place.topic)))[0] == "done"


@pytest.mark.anyio
async def test_members_may(chat: World) -> None:
    """Or the others would be refused for another reason."""
    ids = (await furnish(chat)).group
    for name in OF_CONVERSATIONS:
        if OPERATIONS[name].kind != "read":
            ids = await furnish_group(chat)
        who = {"members.join": "invited", "members.leave": "bob", "reports.create": "bob"}.get(name, "ada")
        answer, content = await outcome(chat, name, who, ATTEMPTS[name](ids))
        assert answer == "done", (name, content)


@pytest.mark.anyio
@pytest.mark.parametrize("field", ["message", "thread"])
async def test_what_came_before_one_joined_is_as_what_is_not_there(
    chat: World, place: Place, field: str
) -> None:
    for name in NAMES:
        if concerns(name, **{field: 2}) and name not in (*PLACES_IN_THE_LOG, *OFFICIAL):
            hidden = await tried(chat, name, "late", place.late)
            missing = await tried(chat, name, "late", place.late, **{field: 10**6})
            deleted = await tried(chat, name, "late", place.late, **{field: place.late.deleted})
            assert hidden == missing == deleted, name
            assert hidden[0] == "NOT_FOUND" or name in ("search", "typing.start"), (name, hidden)


@pytest.mark.anyio
async def test_what_is_the_servers_is_nobody_elses(chat: World, place: Place) -> None:
    for name in NAMES:
        if OPERATIONS[name].server:
            for who in ("ada", "stranger", "blocked"):
                there = await tried(chat, name, who, place.group)
                assert there == await tried(chat, name, who, place.group, user="nobody")
                assert there[0] == "PERMISSION_DENIED"


@pytest.mark.anyio
async def test_what_takes_an_office_is_nobody_elses(chat: World, place: Place) -> None:
    for name in OFFICIAL:
        for who in ("ada", "stranger", "blocked"):
            there = await tried(chat, name, who, place.group)
            assert there == await tried(chat, name, who, place.group, conversation=NOWHERE)
            assert there[0] == "PERMISSION_DENIED"
        await chat.do("users.upsert", "", user="ada", office="admin")
        assert (await outcome(chat, name, "ada", ATTEMPTS[name](place.group)))[0] == "done"
        await chat.do("users.upsert", "", user="ada", office="none")


@pytest.mark.anyio
async def test_a_queue_is_its_users(chat: World, place: Place) -> None:
    there = await tried(chat, "users.queue", "stranger", place.group)
    assert there == await tried(chat, "users.queue", "stranger", place.group, user="nobody")
    assert there[0] in ("NOT_FOUND", "PERMISSION_DENIED")
    assert (await tried(chat, "users.queue", "bob", place.group))[0] == "done"


@pytest.mark.anyio
async def test_nothing_is_taken_that_is_not_asked_for(chat: World, place: Place) -> None:
    """Mass assignment: fields that a row has and the params have not."""
    for name in NAMES:
        who = "" if OPERATIONS[name].server else "ada"
        fields = OPERATIONS[name].params.__struct_encode_fields__
        before = await chat.read(checks.everything)
        for extra in MASS:
            if extra not in fields:
                params = {**ATTEMPTS[name](place.group), extra: "owner"}
                answer, content = await outcome(chat, name, who, params)
                assert (answer, content[0]) == ("VALIDATION_FAILED", extra), name
        assert await chat.read(checks.everything) == before, name


@pytest.mark.parametrize("name", NAMES)
def test_params_refuse_what_they_do_not_know_however_deep(name: str) -> None:
    _, components = msgspec.json.schema_components([OPERATIONS[name].params])
    for title, schema in components.items():
        assert schema["additionalProperties"] is False, title
