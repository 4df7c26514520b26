"""The TypeScript client's types are what the server's code says now."""

from __future__ import annotations

import functools
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
from msgspec import Struct

from hubbub import model
from hubbub.api.chat_asyncapi import CHANNELS, tag_of
from hubbub.chat.directory import OPERATIONS
from hubbub.errors import DISCONNECTS, ERRORS

DOCS = Path(__file__).parents[2] / "docs"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate_typescript", DOCS / "generate_typescript.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(DOCS))  # as for a script, which finds what lies beside it
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(DOCS))
    return module


generate = load()


@functools.cache
def texts() -> dict[str, str]:
    """What the files should be. (Not made when this is imported: each process of a run imports all tests.)"""
    return {path.name: text for path, text in generate.modules()}


def interface(file: str, name: str) -> str:
    found = re.search(rf"^export interface {name} {{\n(.*?)^}}", texts()[file], re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return found[1]


def has_fields(body: str, struct: type[Struct]) -> bool:
    fields = struct.__struct_encode_fields__
    return all(re.search(rf"^  readonly {name}\??: ", body, re.MULTILINE) for name in fields)


@pytest.mark.parametrize("name", generate.FILES)
def test_a_file_is_what_the_code_says_now(name: str) -> None:
    assert (generate.FOLDER / name).read_text(encoding="utf-8") == texts()[name], "stale: run scripts/docs"


def test_the_same_code_gives_the_same_bytes() -> None:
    assert {path.name: text for path, text in generate.modules()} == texts()


def test_nothing_is_untyped() -> None:
    for text in texts().values():
        assert not re.search(r"\bany\b", re.sub(r"/\*\*.*?\*/", "", text, flags=re.DOTALL))
        assert max(map(len, text.splitlines())) < 160


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_its_types_and_its_route(name: str) -> None:
    operation = OPERATIONS[name]
    row = re.search(
        rf'^  readonly "{re.escape(name)}": {{ readonly params: (\w+); readonly result: (\w+) }};$',
        interface("chat.ts", "Operations"),
        re.MULTILINE,
    )
    assert row is not None
    assert has_fields(interface("chat.ts", row[1]), operation.params)
    assert has_fields(interface("chat.ts", row[2]), operation.result)
    assert f'  "{name}": ["{operation.method}", "{operation.path}"],\n' in texts()["routes.ts"]


@pytest.mark.parametrize(
    "event", [event for each in CHANNELS for event in (*each.logged, *each.signals)], ids=tag_of
)
def test_every_event_has_its_type(event: Any) -> None:
    body = interface("chat.ts", event.__name__)
    assert body.startswith(f'  readonly type: "{tag_of(event)}";\n')
    assert has_fields(body, event)


@pytest.mark.parametrize(
    "struct",
    [*get_args(model.Command), *get_args(model.Reply), *get_args(model.Push), *get_args(model.SessionPush)],
)
def test_every_message_has_its_type(struct: type[Struct]) -> None:
    assert has_fields(interface("protocol.ts", struct.__name__), struct)


@pytest.mark.parametrize("code", [*ERRORS, *DISCONNECTS])
def test_every_code_has_its_name(code: int) -> None:
    row = ERRORS.get(code) or DISCONNECTS[code]  # type: ignore[call-overload]
    assert f"\n  {row.name}: {int(code)},\n" in texts()["errors.ts"]


@pytest.mark.parametrize(
    ("struct", "line"),
    [
        ("Message", "readonly sender: string | null;"),  # required, and may be nobody
        ("Message", "readonly thread?: number;"),  # left out where there is none
        ("Message", "readonly parts?: readonly Part[];"),
        ("SendMessage", "readonly parts: readonly PartInput[];"),
        ("SendMessage", "readonly thread?: number | undefined;"),
        ("UpdateMe", "readonly avatar?: string | null | undefined;"),  # null takes it away
        ("SyncPage", "readonly drafts?: readonly Draft[] | null;"),  # null says that there are too many
        ("SyncPage", "readonly inbox_events?: readonly InboxEvent[];"),
        ("SyncConversation", "readonly events?: readonly LogEvent[];"),
        ("Conversation", "readonly kind: ConversationKind;"),
        ("Me", "readonly office: Office;"),  # always there
        ("DeleteMessage", 'readonly for?: "me" | "all" | undefined;'),
        ("Typing", 'readonly type: "typing";'),
    ],
)
def test_types_say_what_is_on_the_wire(struct: str, line: str) -> None:
    assert f"  {line}\n" in interface("chat.ts", struct)
