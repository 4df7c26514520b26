"""The code of the pages on Socket.IO: Hubbub's side runs, the other side at least parses, and both sides are there."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from hubbub import Hubbub
from hubbub.config import Config
from hubbub.socketio import Socket, SocketIo

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)\n```$', re.MULTILINE | re.DOTALL)
PAGES = ("socketio.md", "from-python-socketio.md", "from-node-socketio.md")


def blocks(page: str) -> list[tuple[str, str, str]]:
    """Language, title and text of each."""
    return BLOCK.findall((HOW_TO / page).read_text(encoding="utf-8"))


def ours(page: str) -> list[str]:
    return [
        text for language, title, text in blocks(page) if language == "python" and title in ("", "Hubbub")
    ]


@pytest.mark.parametrize("page", PAGES)
def test_the_code_for_hubbub_registers_as_it_stands(page: str) -> None:
    """Each block in turn: one that does not tell where `app` and `sio` come from goes on with those before."""
    names: dict[str, Any] = {}
    exec("import re, time\nfrom hubbub import Hubbub\n", names)
    for number, text in enumerate(ours(page)):
        names["Hubbub"] = lambda: Hubbub(Config.model_validate({"auth": {"anonymous": True}}))
        code = text.replace("from hubbub import Hubbub\n", "")
        if number and "app = " not in code:
            exec("app = Hubbub(); sio = app.socketio", names)  # a page shows the same event in several ways
        tree = compile(
            code, page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST, dont_inherit=True
        )
        assert isinstance(tree, ast.Module)
        # What is awaited outside of a function stands for the inside of one.
        tree.body = [each for each in tree.body if not _awaits(each)]
        exec(compile(tree, page, "exec", dont_inherit=True), names)


def _awaits(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Await)


def called(texts: list[str]) -> set[tuple[str, str]]:
    """All that is said of `sio.` and `socket.`, in Python."""
    return {found for text in texts for found in re.findall(r"\b(sio|socket)\.([a-z_]+)\b", text)}


@pytest.mark.parametrize("page", PAGES)
def test_what_the_pages_call_exists(page: str) -> None:
    text = (HOW_TO / page).read_text(encoding="utf-8")
    texts = ours(page)
    if page == "socketio.md":
        texts += re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))
    else:  # the right column of the tables
        rows = [
            re.split(r"(?<!\\) \| ", row.strip("| ")) for row in text.splitlines() if row.startswith("| ")
        ]
        texts += [row[-1] for row in rows if len(row) == 2]
    known = {"sio": SocketIo, "socket": Socket}
    strangers = {f"{of}.{name}" for of, name in called(texts) if not hasattr(known[of], name)}
    assert strangers - {"socket.io", "socket.id"} == set()  # the clients' own


@pytest.mark.parametrize(
    ("page", "other", "language"),
    [("from-python-socketio.md", "python-socketio", "python"), ("from-node-socketio.md", "Node", "js")],
)
def test_both_sides_are_shown(page: str, other: str, language: str) -> None:
    titled = [(kind, title, text) for kind, title, text in blocks(page) if title]
    assert [title for _, title, _ in titled] == [other, "Hubbub"] * (len(titled) // 2)
    for kind, title, text in titled:
        assert kind == (language if title == other else "python")
        if kind == "python":
            compile(text, page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_error_that_is_quoted_is_json() -> None:
    (quoted,) = re.findall(r'`(\{"error": \{"code".*?\}\})`', (HOW_TO / "socketio.md").read_text(), re.DOTALL)
    assert json.loads(quoted)["error"]["field"] == "arguments[0].price"
