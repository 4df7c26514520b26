"""What the server really answers and publishes is what the two documents say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema_rs import Draft202012Validator
from tests.api.chat_server import ChatServer
from tests.api.test_chat_asyncapi import valid
from tests.chat.attempts import ATTEMPTS, furnish, furnish_group
from tests.chat.speaking import rest

from hubbub.api.app import routers
from hubbub.api.documents import openapi_document
from hubbub.chat.directory import OPERATIONS
from hubbub.model import Publication, Raw

DOCUMENT: Any = json.loads(msgspec.json.encode(openapi_document(routers(), "", tuple(OPERATIONS.values()))))
WHO = {"members.join": "invited", "members.leave": "bob", "users.queue": "bob", "reports.create": "bob"}
LAST = {
    "blocks.add",
    "members.leave",
    "members.remove",
    "messages.delete",
    "restrictions.set",
    "rights.erase",
}
"""After these others could not be done."""
NEED_MORE = (
    "cards.answer",
    "cases.",
    "commands.",
    "files.",
    "groups.",
    "holds.",
    "moderation.blocklists.",
    "moderation.replay",
    "moderation.rules.rollback",
    "presence.",
    "reminders.",
    "scheduled.",
)
"""Some of these need what must have been made before, or a session."""


@pytest.mark.anyio
async def test_what_is_answered_and_published_is_what_is_described(tmp_path: Path) -> None:
    server = await ChatServer(tmp_path, limits={"command_rate": 0.0}).start()
    ids = (await furnish(server.world)).group
    await server.world.do("users.upsert", "", user="ada", office="admin")
    for name in sorted(OPERATIONS, key=lambda name: (name in LAST, name)):
        operation = OPERATIONS[name]
        if operation.kind != "read" and name not in LAST:
            ids = await furnish_group(server.world)
        who = "" if operation.server else WHO.get(name, "ada")
        code, content = await rest(server, who)(name, ATTEMPTS[name](ids))
        if code == "refused" and name.startswith(NEED_MORE):
            continue
        assert code == "done", (name, content)
        found = DOCUMENT["paths"][f"/v1{operation.path}"][operation.method.lower()]
        (body,) = found["responses"][str(operation.status)]["content"].values()
        schema = {**body["schema"], "components": DOCUMENT["components"]}
        Draft202012Validator(schema).validate(content)
    seen = set()
    for channel, logged in server.world.chat.heard.items():
        for event in logged:
            sent = Publication(
                channel, event.event, Raw(event.data), "id", None, event.time, "e", event.offset
            )
            seen.add(event.event)
            assert valid(f"event.{event.event}", json.loads(msgspec.json.encode(sent))), event.data
    assert len(seen) >= 10, seen
    await server.stop()
