"""docs/reference/chat.md: the chat's operations, events, permissions and types, from the code."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Hashable
from typing import Any, get_args

import msgspec
from msgspec import Raw
from schema_tables import cell, default_of, kind_of, section_of, table

from hubbub.api.chat_asyncapi import CHANNELS, Channel, tag_of
from hubbub.api.chat_documents import MEANINGS, TAGS
from hubbub.api.chat_params import BODY_METHODS, PLACEHOLDER
from hubbub.api.chat_schemas import Schemas
from hubbub.chat import events, rules
from hubbub.chat.directory import OPERATIONS
from hubbub.chat.model import (
    Annotations,
    Bookmark,
    Conversation,
    ConversationKind,
    Draft,
    Member,
    Mentions,
    Message,
    MyConversation,
    MyMembership,
    PollOption,
    PollState,
    ReactionCount,
    Reminder,
    Scheduled,
)
from hubbub.chat.operations import PREFIX, Operation
from hubbub.errors import ERRORS, ErrorCode

CODES = re.compile(rf"`?\b({'|'.join(code.name for code in ErrorCode)})\b`?")
TIME = 1790000000.25
CONVERSATION = Conversation(
    "b7Qm2x", "group", "Ops", seq=41, messages=37, members=3, last_message=40, last_activity=TIME,
    created=1789000000.0, created_by="ada",
)  # fmt: skip
MESSAGE = Message(
    "b7Qm2x",
    42,
    "ada",
    TIME,
    (Raw(b'{"type":"text","text":"Disk is full again, @bob"}'),),
    number=38,
    mentions=Mentions(("bob",)),
)
REACTIONS = (ReactionCount("+1", 2, ("bob", "eve")),)
HEAD: dict[str, Any] = {"conversation": "b7Qm2x", "seq": 42, "time": TIME, "actor": "ada"}
MINE: dict[str, Any] = {"seq": 7, "time": TIME}
CASE = "5e1b7c0d9a3f48e2b6d1c4a7"
SCHEDULED = Scheduled(
    5, "b7Qm2x", TIME + 3600, (Raw(b'{"type":"text","text":"Good morning!"}'),), TIME
)  # fmt: skip
REMINDER = Reminder(6, TIME + 3600, TIME, "Call back", "b7Qm2x", 42)
EXAMPLES: dict[Any, msgspec.Struct] = {
    type(each): each
    for each in (
        events.ConversationCreated(
            conversation="b7Qm2x",
            seq=1,
            time=1789000000.0,
            actor="ada",
            created=Conversation(
                "b7Qm2x", "group", "Ops", seq=1, members=2, last_activity=1789000000.0,
                created=1789000000.0, created_by="ada",
            ),
            members=(Member("ada", "owner", since=1789000000.0), Member("bob", since=1789000000.0)),
        ),
        events.ConversationUpdated(**HEAD, updated=msgspec.structs.replace(CONVERSATION, topic="On call")),
        events.MemberChanged(**HEAD, member=Member("eve", since=TIME, invited_by="ada"), members=4),
        events.MessageCreated(**HEAD, message=MESSAGE),
        events.MessageUpdated(
            **{**HEAD, "seq": 43}, message=msgspec.structs.replace(MESSAGE, version=2, edited=TIME + 30)
        ),
        events.MessageDeleted(
            **{**HEAD, "seq": 44},
            message=Message("b7Qm2x", 42, "ada", TIME, number=38, version=2, deleted=TIME + 60),
        ),
        events.ReactionsChanged(
            **{**HEAD, "seq": 45, "actor": "eve"}, message=42, name="+1", added=True, reactions=REACTIONS
        ),
        events.MessageAnnotated(
            **{**HEAD, "seq": 46, "actor": "eve"}, message=42, what="poll",
            annotations=Annotations(poll=PollState((PollOption("1", 1, ("eve",)), PollOption("2")), 1)),
        ),
        events.MessageWithheld(conversation="b7Qm2x", seq=47, time=TIME, message=47),
        events.MessagesExpunged(conversation="b7Qm2x", seq=48, time=TIME, through=31),
        events.UserErased(conversation="b7Qm2x", seq=49, time=TIME, user="erased-9f2c"),
        events.Typing("b7Qm2x", "bob", 6.0),
        events.Receipts("b7Qm2x", (events.Receipt("bob", 42, 42),)),
        events.ConversationAdded(
            **MINE,
            conversation=MyConversation(
                CONVERSATION, MyMembership("member", "joined", "ada", unread=37), last_message=MESSAGE
            ),
        ),
        events.ConversationRemoved(**MINE, conversation="b7Qm2x"),
        events.MembershipUpdated(
            **MINE, conversation="b7Qm2x", membership=MyMembership("member", "joined", read=42, delivered=42)
        ),
        events.MessageHidden(**MINE, conversation="b7Qm2x", message=42),
        events.ThreadUpdated(**MINE, conversation="b7Qm2x", thread=42, following=True, read=44),
        events.UserUpdated(**MINE),
        events.BlocksChanged(**MINE, user="mallory", blocked=True),
        events.CardPressed(
            **MINE, invocation="1f0c9a2b77de40d1a6b5c3e2", conversation="b7Qm2x", message=42, user="bob",
            action="approve", value="17",
        ),
        events.BookmarkChanged(**MINE, bookmark=Bookmark("b7Qm2x", 42, TIME, "Tell sales")),
        events.DraftChanged(
            **MINE, draft=Draft("b7Qm2x", TIME, (Raw(b'{"type":"text","text":"Can we make it"}'),))
        ),
        events.CardAnswered(
            **MINE, invocation="1f0c9a2b77de40d1a6b5c3e2", conversation="b7Qm2x", message=42,
            parts=(Raw(b'{"type":"text","text":"It leaves today."}'),),
        ),
        events.CommandInvoked(
            **MINE, invocation="1f0c9a2b77de40d1a6b5c3e2", conversation="b7Qm2x", user="bob", name="remind",
            text="me of this", arguments={"when": "tomorrow"},
        ),
        events.CommandAnswered(
            **MINE, invocation="1f0c9a2b77de40d1a6b5c3e2", conversation="b7Qm2x", name="remind",
            parts=(Raw(b'{"type":"text","text":"You will be."}'),),
        ),
        events.RestrictionChanged(
            **MINE, kind="mute", conversation="b7Qm2x", until=TIME + 86400, reason="Advertising"
        ),
        events.HoldChanged(
            **MINE, hold="c7d41a90be2f4a6c8d35e1f0", state="approved", conversation="b7Qm2x", message=42
        ),
        events.CaseDecided(
            **MINE, case=CASE, action="warn", conversation="b7Qm2x", message=42, text="Be kind.",
            appeal_until=TIME + 86400,
        ),
        events.AppealAnswered(**MINE, case=CASE, granted=True, text="All right."),
        events.ReportDecided(**MINE, case=CASE, acted=True),
        events.ScheduledChanged(**MINE, scheduled=SCHEDULED),
        events.ScheduledFailed(**MINE, scheduled=SCHEDULED),
        events.ReminderChanged(**MINE, reminder=REMINDER),
        events.ReminderDue(**MINE, reminder=REMINDER),
        events.CaseChanged(CASE, "message", "open", 1, "b7Qm2x"),
        events.EmojiChanged("parrot"),
        events.GroupChanged("support"),
        events.PresenceChanged("bob", "away", TIME - 300),
    )
}  # fmt: skip


def chat() -> str:
    operations = tuple(OPERATIONS.values())
    types: dict[Hashable, Any] = {}
    for operation in operations:
        types["params", operation.name] = operation.params
        types["result", operation.name] = operation.result
    for channel in CHANNELS:
        types |= {event: event for event in (*channel.logged, *channel.signals)}
    schemas = Schemas(types)
    tags: dict[str, list[Operation[Any, Any]]] = {}
    for operation in operations:
        tags.setdefault(operation.tag.lower(), []).append(operation)
    parts = [_introduction(operations)]
    for tag in (tag for tag in TAGS if tag in tags):
        parts.append(f"## Operations: {tag}\n\n{TAGS[tag]}\n")
        parts += [_operation(each, schemas) for each in tags[tag]]
    parts.append(_EVENTS)
    parts += [_channel(channel, schemas) for channel in CHANNELS]
    parts.append(_permissions())
    parts.append("## Types\n\nWhat is absent by default is left out.\n")
    results = [schemas["result", operation.name] for operation in operations]
    parts += [section_of(schemas.components[name]) for name in sorted(_linked([schemas.components, results]))]
    return "\n".join(parts)


def _named(schema: dict[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _linked(schemas: Any) -> set[str]:
    """The names that tables of `schemas` link to."""
    return set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(schemas)))


def _introduction(operations: tuple[Operation[Any, Any], ...]) -> str:
    rows = [
        (
            f"[`{each.name}`](#{_anchor(each)})",
            f"`{each.method} /v1{each.path}`",
            cell(_coded(each.summary)),
        )
        for each in operations
    ]
    return f"""# Conversations

Users, conversations, messages and what is with them. Each operation is there in three ways, with the same parameters,
results and refusals:

* REST: the line under its name. What is in braces is a parameter in the path, percent-encoded; the others are the JSON
  body of POST, PUT and PATCH, and the query of GET and DELETE (lists by repeating the name). The user's own token or an
  API key is the `Authorization: Bearer`. With an API key the caller is the server, which may do everything; with
  `Hubbub-User: <id>` beside it, the server acts in that user's place. `Idempotency-Key` holds the key.
* The native protocol: [`call`](messages.md#call) with the method `{PREFIX}` and the name; `params` are all parameters
  together, and `key` is the idempotency key.
* Socket.IO: the event `{PREFIX}` and the name, with the parameters as its one argument; or `hubbub:call`
  ([commands](socketio.md#commands)).

Operations marked *keyed* take an idempotency key of the caller's choice. The same key and content again gives the first
answer and does nothing, however much later; with other content it is refused
([`idempotency_conflict`](errors.md#errors)). Parameters that are not named here are refused.

Whoever may not know of something gets [`not_found`](errors.md#errors), as if it were not there. Any operation may be
refused with `unauthenticated`, `invalid_token`, `token_expired`, `rate_limited`, `validation_failed`, `invalid_data`,
`store_unavailable`, and one that writes with `store_full`; below are those that are its own.

{table(("Operation", "REST", "What it does"), rows)}"""


def _anchor(operation: Operation[Any, Any]) -> str:
    return operation.name.replace(".", "")


def _operation(operation: Operation[Any, Any], schemas: Schemas) -> str:
    marks = []
    if operation.server:
        marks.append("for the server API only")
    if operation.keyed:
        marks.append("keyed")
    said = f"`{operation.method} /v1{operation.path}`" + (f" ({', '.join(marks)})" if marks else "")
    parts = [f"### {operation.name}\n", said + "\n", _coded(inspect.getdoc(operation.function) or "") + "\n"]
    schema = schemas.components[_named(schemas["params", operation.name])]
    in_path = set(PLACEHOLDER.findall(operation.path))
    place = "body" if operation.method in BODY_METHODS else "query"
    rows = []
    for field in msgspec.structs.fields(operation.params):
        each = schema["properties"][field.encode_name]
        rows.append(
            (
                f"`{field.encode_name}`",
                "path" if field.name in in_path else place,
                _typed(each),
                "required" if field.required else default_of(each),
                cell(_meaning(each) or MEANINGS.get(field.encode_name, "")),
            )
        )
    if rows:
        parts.append(table(("Parameter", "In", "Type", "Default", "Meaning"), rows))
        doc = inspect.getdoc(operation.params) or ""
        parts.append(" ".join(doc.split()) + "\n")
        params = schemas.example(schemas["params", operation.name])
        command = {"type": "call", "id": 1, "method": PREFIX + operation.name, "params": params}
        parts.append(f"```json\n{json.dumps(command)}\n```\n")
    parts.append(f"Result: {kind_of(schemas['result', operation.name])}\n")
    return "\n".join(parts)


def _coded(text: str) -> str:
    """The names of errors as they are in the table of errors, with a link."""
    return CODES.sub(lambda found: f"[`{ERRORS[ErrorCode[found[1]]].name}`](errors.md#errors)", text)


def _meaning(schema: dict[str, Any]) -> str:
    if text := schema.get("description"):
        return str(text)
    return next((each["description"] for each in schema.get("anyOf", ()) if "description" in each), "")


def _typed(schema: dict[str, Any]) -> str:
    """The type with its bounds."""
    if options := schema.get("anyOf"):
        return " or ".join(_typed(each) for each in options if each.get("type") != "null")
    bounds = []
    least, most = schema.get("minLength"), schema.get("maxLength")
    if most is not None:
        bounds.append(f"{least or 0} to {most} characters")
    least, most = schema.get("minItems"), schema.get("maxItems")
    if most is not None:
        bounds.append(f"{least or 0} to {most}")
    if "minimum" in schema:
        bounds.append(f"at least {schema['minimum']}")
    if schema.get("maximum", 2**53) < 2**53:
        bounds.append(f"at most {schema['maximum']}")
    return ", ".join([kind_of(schema), *bounds])


# --- events -----------------------------------------------------------------------------------------------

_EVENTS = """## Events

What happens is published in channels, where sessions see it that are subscribed: members to their conversations, users
to their inboxes. An event's name is the `event` of its [publication](messages.md#publication) (with Socket.IO the
event's name), the object below is the `data`. It carries what has become of the thing, whole: to apply it is to
replace. `seq` is the `offset` of the publication, which is how a client recovers. Signals are in no log and have no
`seq`.
"""


def _channel(channel: Channel, schemas: Schemas) -> str:
    parts = [f"### `{channel.address}`\n\n{channel.description}\n"]
    parts += [_event(event, schemas) for event in channel.logged]
    parts += [_event(event, schemas, " (signal)") for event in channel.signals]
    return "\n".join(parts)


def _event(event: Any, schemas: Schemas, mark: str = "") -> str:
    schema = schemas.components[_named(schemas[event])]
    rows = [
        (f"`{name}`", kind_of(each), "required" if name in schema["required"] else default_of(each))
        for name, each in schema["properties"].items()
        if name != "type"
    ]
    doc = " ".join((inspect.getdoc(event) or "").split())
    example = msgspec.json.encode(EXAMPLES[event]).decode()
    fields = table(("Field", "Type", "Default"), rows)
    return f"#### {tag_of(event)}{mark}\n\n{doc}\n\n{fields}\n```json\n{example}\n```\n"


# --- permissions ------------------------------------------------------------------------------------------


def _permissions() -> str:
    kinds: tuple[ConversationKind, ...] = get_args(ConversationKind)
    rows = [
        (f"`{permission}`", *(rules.needed(kind, permission, {}) for kind in kinds))
        for permission in rules.PERMISSIONS
    ]
    joins = ", ".join(f"{rules.JOINS_AS[kind]} of a {kind}" for kind in kinds)
    ranks = [rank for rank in rules.RANKS if rank not in ("guest", "nobody")]
    return f"""## Permissions

Each permission asks for a role at least, which depends on the kind of the conversation; its own `permissions` come
before this table. Roles from the least to the greatest: {", ".join(ranks)}. A *guest* is who may see a topic without
having joined it; what asks for *nobody* is done by the server alone. Who is added or joins without a role being named
becomes: {joins}.

{table(("Permission", *kinds), rows)}"""
