"""The tests mirror the sources: each test file has its source, each source of substance has its tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SOURCES = TESTS.parent / "src" / "hubbub"

WITHOUT_A_SOURCE = {
    "test_architecture.py": "about all sources",
    "test_mirror.py": "about all tests",
    "test_patterns.py": "about all sources",
    "browser": "the playground in a real Chromium",
    "upload_clients": "the stock client of tus against a running server",
    "reference": "the reference implementation and ours, side by side",
    "end_to_end": "whole servers with real clients",
    "scenarios": "what both SDKs come through, against a real server",
    "scripts": "about scripts/, not src/",
    "examples": "about examples/, not src/",
    "bench": "about bench/, not src/",
    "deploy": "about deploy/, not src/",
    "docs": "about docs/, not src/",
    "attachments/test_hostile.py": "a thousand files that attack, through all of attachments/",
    "chat/test_rebuild.py": "the search index and all counters, made anew and compared",
    "chat/test_machine.py": "random users against a model: all operations together",
    "chat/test_outsiders.py": "every operation, by those who may not",
    "chat/test_outsiders_ids.py": "every id of every operation",
    "chat/test_two_nodes.py": "two servers on one database",
    "chat/test_two_nodes_redis.py": "two servers on one database and one Redis",
    "presence/test_two_servers.py": "who is in a channel, over two whole servers",
    "web/test_web.py": "the web app: its checks, and the app in a real Chromium",
    "socketio_clients": "stock Socket.IO clients against a running server",
}
"""Test files and folders that mirror no source, and why."""

WITHOUT_TESTS = {
    "__init__.py": "the public names only; the end-to-end tests and the examples import from it",
    "socketio/__init__.py": "the public names only; the examples and the tests of the clients import from it",
    "storage/migrations/versions": "tests/storage/test_migrations.py runs each, up and down",
    "api/chat_params.py": "params in requests: tests/api/test_chat.py sends them",
    "api/chat_schemas.py": "schemas in documents: tests/api/test_chat_documents.py reads them",
    "chat/expunging.py": "what retention does: tests/chat/test_retention.py",
    "chat/keeping.py": "what bookmarks and drafts share: tests/chat/test_bookmarks.py, test_drafts.py",
    "chat/later.py": "what scheduled messages and reminders share: tests/chat/test_scheduled.py, test_reminders.py",
    "chat/masking.py": "words that rules cover: tests/chat/test_judging.py",
    "chat/policy_tests.py": "samples that rules are tried on: tests/chat/test_moderation.py",
    "chat/verdicts.py": "what rules do to messages: tests/chat/test_judging.py, test_holds.py",
    "config/chat.py": "tests/test_config.py, as all settings",
    "config/sections.py": "tests/test_config.py, as all settings",
    "config/web.py": "tests/web/test_site.py: what becomes of its settings",
    "moderation/base.py": "verdicts put together: tests/moderation/test_judge.py",
    "moderation/folding.py": "letters that stand for others: tests/moderation/test_words.py",
    "transfer/batches.py": "what an import writes at once: tests/transfer/test_importing.py",
    "transfer/posting.py": "messages of an import: tests/transfer/test_importing.py",
    "transfer/reading.py": "lines of a file: tests/transfer/test_importing.py, test_lines.py",
    "chat/search_recent.py": "what a search proposes: tests/chat/test_search_spelling.py",
    "testing/contracts": "suites, which tests/broker and tests/presence run",
    "loadgen/__main__.py": "calls loadgen/cli.py",
}
"""Sources and folders that have no test file of their own, and why."""


def files(root: Path, pattern: str) -> list[Path]:
    return sorted(path.relative_to(root) for path in root.rglob(pattern))


def excused(path: Path, excuses: dict[str, str]) -> bool:
    return any(part.as_posix() in excuses for part in (path, *path.parents))


def mirrors(test: Path, source: Path) -> bool:
    """`x/test_y.py` is of `x/y.py` or of the package `x/y`; so is `x/test_y_aspect.py`."""
    if source.name == "__init__.py":
        source = source.parent
    stem = f"test_{source.stem}"
    return test.parent == source.parent and (test.stem == stem or test.stem.startswith(stem + "_"))


def has_substance(tree: ast.Module) -> bool:
    """Whether there is code that runs: a function outside of the ports, which only say what others do."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(node, ast.ClassDef) and not is_port(node) and has_substance(ast.Module(node.body, [])))
        for node in tree.body
    )


def is_port(node: ast.ClassDef) -> bool:
    return any("Protocol" in ast.unparse(base) for base in node.bases)


@pytest.mark.parametrize("test", files(TESTS, "test_*.py"), ids=str)
def test_every_test_file_has_a_source(test: Path) -> None:
    if not excused(test, WITHOUT_A_SOURCE):
        assert any(mirrors(test, source) for source in files(SOURCES, "*.py"))


@pytest.mark.parametrize("source", files(SOURCES, "*.py"), ids=str)
def test_every_source_of_substance_has_tests(source: Path) -> None:
    tree = ast.parse((SOURCES / source).read_text(encoding="utf-8"))
    if has_substance(tree) and not excused(source, WITHOUT_TESTS):
        assert any(mirrors(test, source) for test in files(TESTS, "test_*.py"))


def test_every_excuse_is_needed() -> None:
    assert [name for name in WITHOUT_TESTS if not (SOURCES / name).exists()] == []


@pytest.mark.parametrize(
    ("test", "source", "answer"),
    [
        ("hub/test_hub.py", "hub/hub.py", True),
        ("hub/test_hub_resume.py", "hub/hub.py", True),
        ("hub/test_hubris.py", "hub/hub.py", False),
        ("test_hub.py", "hub/hub.py", False),
        ("test_model.py", "model.py", True),
        ("test_telemetry.py", "telemetry/__init__.py", True),
        ("broker/test_hub.py", "hub/hub.py", False),
    ],
)
def test_the_rule_of_mirroring(test: str, source: str, answer: bool) -> None:
    assert mirrors(Path(test), Path(source)) is answer


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("X = 1\nclass A:\n    x: int\n", False),
        ("class P(Protocol):\n    def f(self) -> None: ...\n", False),
        ("class P(Hashable, typing.Protocol):\n    def f(self) -> None: ...\n", False),
        ("class A:\n    def f(self) -> None: ...\n", True),
        ("async def f(): pass\n", True),
    ],
)
def test_the_rule_of_substance(source: str, answer: bool) -> None:
    assert has_substance(ast.parse(source)) is answer
