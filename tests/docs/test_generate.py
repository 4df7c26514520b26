"""The generated reference is up to date and complete."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from hubbub import model
from hubbub.api.app import routers
from hubbub.api.chat_asyncapi import CHANNELS, tag_of
from hubbub.api.documents import openapi_document
from hubbub.api.file_documents import PATHS
from hubbub.chat import rules
from hubbub.chat.directory import OPERATIONS
from hubbub.chat.operations import Operation
from hubbub.config import Config
from hubbub.errors import DISCONNECTS, ERRORS
from hubbub.telemetry.metrics import TABLE

DOCS = Path(__file__).parents[2] / "docs"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
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


def page(name: str) -> str:
    return (DOCS / "reference" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", generate.PAGES)
def test_a_page_is_what_the_code_says_now(name: str) -> None:
    texts = {path.name: text for path, text in generate.pages()}
    assert page(name) == texts[name], "stale: run scripts/docs"


def test_the_same_code_gives_the_same_bytes() -> None:
    assert list(generate.pages()) == list(generate.pages())


@pytest.mark.parametrize("code", [*ERRORS, *DISCONNECTS])
def test_every_code_has_its_row(code: int) -> None:
    row = ERRORS.get(code) or DISCONNECTS[code]  # type: ignore[call-overload]
    assert re.search(
        rf"^\| {int(code)} \| {row.name} \|.*{re.escape(row.advice)}", page("errors.md"), re.MULTILINE
    )


@pytest.mark.parametrize("name", TABLE)
def test_every_metric_has_its_row(name: str) -> None:
    suffix = "_total" if TABLE[name][0] == "counter" else ""
    assert f"| `hubbub_{name}{suffix}` | {TABLE[name][0]} |" in page("metrics.md")


def settings() -> list[tuple[str, str]]:
    """Section and field of every setting."""
    found = []
    for section, field in Config.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += [(section, name) for name in kind.model_fields]
    return found


@pytest.mark.parametrize(("section", "name"), settings())
def test_every_setting_has_its_row(section: str, name: str) -> None:
    _, _, rest = page("configuration.md").partition(f"\n## `{section}`\n")
    assert f"\n| `{name}` |" in rest.partition("\n## ")[0]


@pytest.mark.parametrize(
    "struct",
    [*get_args(model.Command), *get_args(model.Reply), *get_args(model.Push), *get_args(model.SessionPush)],
)
def test_every_message_is_described_with_all_its_fields(struct: type[model.Publication]) -> None:
    _, _, rest = page("messages.md").partition(f"\n### {generate.title(struct)}\n")
    section = rest.partition("\n### ")[0]
    assert all(f"\n| `{name}` |" in section for name in struct.__struct_fields__)
    assert "```json" in section


def test_every_route_is_described() -> None:
    rest = page("rest.md")
    for path, item in {**openapi_document(routers())["paths"], **PATHS}.items():
        for method in item:
            assert f"\n`{method.upper()} {path}`\n" in rest


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_every_operation_of_the_chat_is_described_with_all_its_params(
    operation: Operation[Any, Any],
) -> None:
    _, _, rest = page("chat.md").partition(f"\n### {operation.name}\n")
    section = rest.partition("\n### ")[0]
    assert f"\n`{operation.method} /v1{operation.path}`" in section
    assert all(f"\n| `{name}` |" in section for name in operation.params.__struct_encode_fields__)
    assert "\nResult: " in section


@pytest.mark.parametrize(
    "event", [event for each in CHANNELS for event in (*each.logged, *each.signals)], ids=tag_of
)
def test_every_event_of_the_chat_is_described_with_an_example(event: Any) -> None:
    _, _, rest = page("chat.md").partition(f"\n#### {tag_of(event)}")
    section = rest.partition("\n#### ")[0].partition("\n### ")[0]
    assert all(f"\n| `{name}` |" in section for name in event.__struct_encode_fields__)
    assert f'```json\n{{"type":"{tag_of(event)}"' in section


@pytest.mark.parametrize("permission", rules.PERMISSIONS)
def test_every_permission_has_its_row(permission: str) -> None:
    assert f"\n| `{permission}` | " in page("chat.md")
