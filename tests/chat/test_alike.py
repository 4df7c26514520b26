"""The list of tests that PostgreSQL need not see: of tests that there are, and none of it asks what no other asks."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.chat.alike import ALIKE, AT_ONCE, chosen, name_of


def test_the_list_is_of_tests_that_there_are() -> None:
    there = {
        f"{path.name}::{node.name}"
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert there > ALIKE
    assert not [name for name in ALIKE if AT_ONCE.search(name)]


def test_a_test_has_one_name_whatever_its_parameters() -> None:
    assert name_of("tests/chat/test_a.py::test_b[sqlite-::]") == "test_a.py::test_b"
    assert name_of("tests/chat/test_a.py::test_b") == "test_a.py::test_b"


def test_all_that_is_asked_is_asked_by_those_that_are_chosen() -> None:
    asked = {"a": frozenset("xy"), "b": frozenset("yz"), "c": frozenset("x"), "d": frozenset[str]()}
    assert chosen(asked, dict.fromkeys(asked, 1.0)) == {"a", "b"}
    assert chosen(asked, {"a": 9.0, "b": 1.0, "c": 1.0, "d": 1.0}) == {"b", "c"}
