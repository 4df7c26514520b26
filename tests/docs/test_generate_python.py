"""The Python client's half of the operations is what the code says now."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from hubbub.chat.directory import OPERATIONS
from hubbub.client.chat.operations.table import TABLE

ROOT = Path(__file__).parents[2]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "docs_generate_python", ROOT / "docs" / "generate_python.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # for its dataclasses
    spec.loader.exec_module(module)
    return module


generate = load()


def test_the_files_are_what_the_code_says_now() -> None:
    texts = generate.files()
    assert texts == generate.files()
    there = {path.name: path.read_text(encoding="utf-8") for path in generate.FOLDER.glob("*.py")}
    assert sorted(there) == sorted(texts)
    stale = [name for name, text in texts.items() if there[name] != text]
    assert not stale, "stale: run scripts/docs"


def test_every_operation_is_there() -> None:
    assert list(TABLE) == list(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_results_are_read_as_the_server_writes_them(name: str) -> None:
    """The fields of both are the same, however deep: what the server says is known here."""
    theirs, ours = (
        msgspec.json.schema_components((kind,), ref_template="{name}")
        for kind in (OPERATIONS[name].result, TABLE[name].result)
    )
    assert _fields(theirs) == _fields(ours)


def _fields(schema: Any) -> list[list[str]]:
    """Two that are alike are named by their modules, which are not the same here."""
    components: dict[str, Any] = schema[1]
    return sorted(sorted(each.get("properties", ())) for each in components.values())
