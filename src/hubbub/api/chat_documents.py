"""The chat's part of the OpenAPI document: each operation, from what it says of itself."""

from __future__ import annotations

import inspect
from collections.abc import Container, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hubbub.api.chat import operation_id
from hubbub.api.chat_callers import ACTING_FOR
from hubbub.api.chat_params import BODY_METHODS, PLACEHOLDER
from hubbub.api.chat_schemas import Document, Schemas, body_types
from hubbub.api.errors import refusal_document
from hubbub.chat.operations import PREFIX, Operation
from hubbub.errors import ERRORS, ErrorCode

TAGS = {
    "users": "Profiles of people, agents and services.",
    "me": "The profile and settings of whoever calls.",
    "blocks": "Users with whom the caller wants nothing to do.",
    "conversations": "Direct, group and broadcast conversations, and public topics.",
    "members": "Who is in a conversation, as what; invitations, joining and leaving.",
    "messages": "Sending, reading, editing and deleting.",
    "reactions": "Reactions to messages.",
    "threads": "Replies to one message, apart from the main timeline.",
    "receipts": "How far each member has read, and what was delivered.",
    "events": "The log of a conversation, from any place.",
    "search": "Full-text search in what the caller may read.",
    "sync": "Everything that a returning device has missed, in one call.",
    "typing": "Who is writing.",
    "presence": "Who is there.",
    "polls": "Votes in polls.",
    "checklists": "Items that were done.",
    "cards": "Buttons of cards, and what programs answer.",
    "pins": "Messages that a conversation keeps in sight.",
    "bookmarks": "Messages that a user keeps for itself.",
    "drafts": "What a user has begun to write, on all of its devices.",
    "scheduled": "Messages that are to be sent later.",
    "reminders": "What a user wants to be reminded of.",
    "commands": "Slash commands, which programs register and answer.",
    "emoji": "Custom emoji.",
    "groups": "Groups of users that can be mentioned.",
    "previews": "Previews of links.",
    "files": "Files of messages.",
    "restrictions": "Users who are muted, banned or shadowed.",
    "reports": "What users report.",
    "holds": "Messages that wait for a moderator.",
    "cases": "The review queue, decisions and appeals.",
    "moderation": "Rules, block lists, and trying them.",
    "audit": "The log of privileged acts.",
    "retention": "How long messages are kept, and legal holds.",
    "rights": "Export and erasure of one person's data.",
    "administration": "All users and conversations, for those who run it.",
    "statistics": "Figures for operators.",
}
"""What the operations are about, by the first word of their names."""
PREAMBLE = """
Conversations are for users, with their own tokens, and for the server, with an API key: it may do everything, or act in
a user's place with the header `Hubbub-User`. The same operations are methods of `call` on every session.
"""
MEANINGS = {
    "conversation": "Id of the conversation.",
    "user": "Id of the user.",
    "message": "`seq` of the message.",
    "thread": "`seq` of the message that the thread is about.",
    "group": "Id of the group.",
    "invocation": "What was asked, as its event names it.",
    "file": "Id of the file.",
    "hold": "Id of the held message.",
    "case": "Id of the case.",
    "list": "Name of the block list.",
    "test_set": "Name of the test set.",
    "sample": "Id of the sample.",
    "kind": "What kind it is of.",
    "subject": "`conversation` or `user`.",
    "id": "Id of the subject.",
    "limit": "At most so many.",
    "cursor": "`next` of the page before.",
}
"""Of parameters that do not say it themselves."""


@dataclass(slots=True)
class Described:
    """What is added to a document."""

    paths: Document = field(default_factory=dict)
    schemas: Document = field(default_factory=dict)
    tags: list[Document] = field(default_factory=list)


def tag_of(operation: Operation[Any, Any]) -> str:
    return f"Chat: {operation.tag.lower()}"


def describe(operations: Iterable[Operation[Any, Any]], taken: Container[str]) -> Described:
    """`taken` are the names of the document's other schemas."""
    operations = tuple(operations)
    bodies = body_types([each for each in operations if each.method in BODY_METHODS], _in_path)
    types: dict[Hashable, Any] = {("body", name): body for name, body in bodies.items()}
    for operation in operations:
        types["result", operation.name] = operation.result
        for each in msgspec.structs.fields(operation.params):
            types[each.name, operation.name] = each.type
    schemas = Schemas(types, taken)
    found = Described(schemas=schemas.components)
    for operation in operations:
        item = found.paths.setdefault(f"/v1{operation.path}", {})
        item[operation.method.lower()] = _described(operation, operation.name in bodies, schemas)
    for operation in operations:
        tag = {"name": tag_of(operation), "description": TAGS[operation.tag.lower()]}
        if tag not in found.tags:
            found.tags.append(tag)
    return found


def _in_path(operation: Operation[Any, Any]) -> frozenset[str]:
    return frozenset(PLACEHOLDER.findall(operation.path))


def _described(operation: Operation[Any, Any], has_body: bool, schemas: Schemas) -> Document:
    _, _, details = (inspect.getdoc(operation.function) or "").partition("\n")
    described: Document = {
        "operationId": operation_id(operation),
        "tags": [tag_of(operation)],
        "summary": operation.summary,
        "description": f"{details.strip()}\n\nBy `call`: `{PREFIX}{operation.name}`.".strip(),
        "security": [{"apiKey": []}] if operation.server else [{"apiKey": []}, {"userToken": []}],
        "parameters": [*_parameters(operation, schemas)],
        "responses": {},
    }
    if has_body:
        schema = schemas["body", operation.name]
        required = schemas.components[schema["$ref"].rpartition("/")[2]].get("required", ())
        described["requestBody"] = {
            "required": bool(required),
            "content": {"application/json": {"schema": schema, "example": schemas.example(schema)}},
        }
    result = schemas["result", operation.name]
    described["responses"][str(operation.status)] = {
        "description": _said_of(operation.result),
        "content": {"application/json": {"schema": result}},
    }
    for code in _refusals(operation, has_body):
        described["responses"][str(ERRORS[code].status)] = refusal_document(code)
    described["responses"]["default"] = refusal_document(ErrorCode.DRAINING, "Any other refusal")
    return described


def _refusals(operation: Operation[Any, Any], has_body: bool) -> list[ErrorCode]:
    found = [
        ErrorCode.BAD_REQUEST,
        ErrorCode.UNAUTHENTICATED,
        ErrorCode.PERMISSION_DENIED,
        ErrorCode.NOT_FOUND,
        ErrorCode.VALIDATION_FAILED,
        ErrorCode.RATE_LIMITED,
        ErrorCode.INTERNAL,
        ErrorCode.STORE_UNAVAILABLE,
    ]
    if operation.keyed:
        found += [ErrorCode.CONFLICT, ErrorCode.STORE_FULL]
    if has_body:
        found.append(ErrorCode.MESSAGE_TOO_LARGE)
    return sorted(found, key=lambda code: ERRORS[code].status)


def _said_of(result: Any) -> str:
    """The first sentence about a result."""
    doc = " ".join((inspect.getdoc(result) or "").split()) if isinstance(result, type) else ""
    return doc.partition(". ")[0].rstrip(".") or "Done"


def _parameters(operation: Operation[Any, Any], schemas: Schemas) -> list[Document]:
    in_path = _in_path(operation)
    found = []
    for each in msgspec.structs.fields(operation.params):
        place = "path" if each.name in in_path else "query"
        if place == "query" and operation.method in BODY_METHODS:
            continue
        schema = _in_url(schemas[each.name, operation.name])
        meaning = schema.pop("description", None) or MEANINGS.get(each.encode_name, "")
        if not each.required and each.default not in (None, msgspec.UNSET, msgspec.NODEFAULT):
            schema["default"] = msgspec.to_builtins(each.default)
        found.append(
            {
                "name": each.encode_name,
                "in": place,
                "required": place == "path" or each.required,
                "description": meaning,
                "schema": schema,
            }
        )
    if operation.keyed:
        found.append(_header("Idempotency-Key", "The same key and content again gives the first answer."))
    if not operation.server:
        found.append(
            _header(ACTING_FOR, "With an API key: the user in whose place it is done, percent-encoded.")
        )
    return found


def _header(name: str, meaning: str) -> Document:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": meaning,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    }


def _in_url(schema: Document) -> Document:
    """Without null, which cannot be said in a URL."""
    if options := schema.get("anyOf"):
        left = [each for each in options if each.get("type") != "null"]
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return {**left[0], **rest} if len(left) == 1 else {**rest, "anyOf": left}
    return dict(schema)
